//! The monolith's database: everything that a summon touches, in one place.
//!
//! A summon takes these round trips: BEGIN; lock and read the player; read key, balance and pity; write balance, entry, pulls, pity, esprits, player,
//! counter, key; COMMIT. Only the player is locked beforehand. What other summons may hold too, the key, comes last, so that nobody waits in a circle.

mod schema;
mod write;

use auric_db::{Database, DbTime, PostgresSettings, Statement, StoreError, Traced as _};
use auric_ids::PlayerId;
use auric_keys::{Fingerprint, MutationKey};
use auric_summon::domain::{Ask, ClientSeed, Pity, Seeds, ServerSeed};
use auric_time::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row as _, Transaction};

use crate::monolith::{Known, Opened, Player};
use schema::SCHEMA;

/// The one database.
#[derive(Clone, Debug)]
pub struct MonolithStore {
    pool: PgPool,
}

/// One summon's transaction; dropped without [`commit`](Self::commit) it undoes everything.
pub struct MonolithTx {
    transaction: Transaction<'static, Postgres>,
}

impl MonolithStore {
    /// Connects to the PostgreSQL at `url`, and makes the tables that are not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be reached, is none, or refuses.
    pub async fn open(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let settings = PostgresSettings { connections_max, ..PostgresSettings::default() };
        let Database::Postgres(pool) = Database::connect(url, settings).await? else {
            return Err(StoreError::Corrupt("the monolith is measured on PostgreSQL".to_owned()));
        };
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool })
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits until every connection is back, and closes them.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Gives each of `players` so many units more of an asset.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn grant(&self, players: &[String], asset: &str, units: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO balances (player_id, asset_id, available, created_at, updated_at)
             SELECT player_id, $2, $3, clock_timestamp(), clock_timestamp()
             FROM unnest($1::text[]) AS given (player_id)
             ON CONFLICT (player_id, asset_id) DO UPDATE
             SET available = balances.available + excluded.available, updated_at = excluded.updated_at",
        )
        .bind(players)
        .bind(asset)
        .bind(units)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Begins the summon of `ask`: locks its player, who is made with `fresh_seed` when there is none, and reads what it depends on.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn begin(
        &self,
        ask: &Ask,
        reads: (&str, &str),
        fresh_seed: [u8; 32],
    ) -> Result<(Opened, MonolithTx), StoreError> {
        let mut transaction = self.pool.begin().traced(sql("BEGIN")).await?;
        let found = lock(&mut transaction, &ask.player).await?;
        let (now, player) = if let Some(found) = found {
            found
        } else {
            insert_player(&mut transaction, &ask.player, fresh_seed).await?;
            let made = lock(&mut transaction, &ask.player).await?;
            made.ok_or_else(|| StoreError::Corrupt(format!("{} was made and is not there", ask.player)))?
        };
        let opened = read(&mut transaction, ask, reads, (now, player)).await?;
        Ok((opened, MonolithTx { transaction }))
    }
}

async fn lock(
    transaction: &mut Transaction<'static, Postgres>,
    player: &PlayerId,
) -> Result<Option<(Timestamp, Player)>, StoreError> {
    let row = sqlx::query(
        "SELECT clock_timestamp() AS now, server_seed, client_seed, nonce, last_number, last_hash, last_time, esprits
         FROM players
         WHERE player_id = $1
         FOR NO KEY UPDATE",
    )
    .bind(player.as_str())
    .fetch_optional(&mut **transaction)
    .traced(sql("SELECT players"))
    .await?;
    let Some(row) = row else { return Ok(None) };
    let player = Player {
        seeds: Seeds {
            server: ServerSeed::new(bytes(row.try_get("server_seed")?)?),
            client: ClientSeed::parse(row.try_get("client_seed")?).map_err(corrupt)?,
        },
        nonce: units(row.try_get("nonce")?)?,
        last_number: units(row.try_get("last_number")?)?,
        last_hash: bytes(row.try_get("last_hash")?)?,
        last_time: row.try_get::<DbTime, _>("last_time")?.0,
        esprits: units(row.try_get("esprits")?)?,
    };
    Ok(Some((row.try_get::<DbTime, _>("now")?.0, player)))
}

async fn insert_player(
    transaction: &mut Transaction<'static, Postgres>,
    player: &PlayerId,
    fresh_seed: [u8; 32],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO players (player_id, server_seed, client_seed)
         VALUES ($1, $2, $1)
         ON CONFLICT (player_id) DO NOTHING",
    )
    .bind(player.as_str())
    .bind(fresh_seed.as_slice())
    .execute(&mut **transaction)
    .traced(sql("INSERT players"))
    .await?;
    Ok(())
}

/// Reads after the lock, in a statement of its own: what is joined with a lock is as it was before the wait.
async fn read(
    transaction: &mut Transaction<'static, Postgres>,
    ask: &Ask,
    (asset, group): (&str, &str),
    (now, player): (Timestamp, Player),
) -> Result<Opened, StoreError> {
    let MutationKey { caller, key } = &ask.key;
    let row = sqlx::query(
        "SELECT known.fingerprint, known.fields, known.answer, balances.available, pity.pity, pity.pulls
         FROM (SELECT 1) AS one
         LEFT JOIN summons AS known ON known.caller = $1 AND known.idempotency_key = $2
         LEFT JOIN balances ON balances.player_id = $3 AND balances.asset_id = $4
         LEFT JOIN pity ON pity.player_id = $3 AND pity.pity_group_id = $5",
    )
    .bind(caller.as_str())
    .bind(key.as_str())
    .bind(ask.player.as_str())
    .bind(asset)
    .bind(group)
    .fetch_one(&mut **transaction)
    .traced(sql("SELECT summons"))
    .await?;
    let known = match row.try_get::<Option<&str>, _>("answer")? {
        Some(answer) => Some(Known {
            fingerprint: Fingerprint { digest: bytes(row.try_get("fingerprint")?)?, fields: row.try_get("fields")? },
            answer: serde_json::from_str(answer).map_err(corrupt)?,
        }),
        None => None,
    };
    let pity = match row.try_get::<Option<&str>, _>("pity")? {
        Some(pity) => serde_json::from_str(pity).map_err(corrupt)?,
        None => Pity::default(),
    };
    Ok(Opened {
        now: now.max(player.last_time),
        player,
        known,
        available: units(row.try_get::<Option<i64>, _>("available")?.unwrap_or(0))?,
        pity,
        pulls: units(row.try_get::<Option<i64>, _>("pulls")?.unwrap_or(0))?,
    })
}

fn units(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(corrupt)
}

fn bytes(stored: &[u8]) -> Result<[u8; 32], StoreError> {
    stored.try_into().map_err(corrupt)
}

fn corrupt(fault: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(fault.to_string())
}

const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}

#[cfg(test)]
impl MonolithStore {
    /// Lists a player's esprits with their species, in the order of their numbers.
    pub async fn delivered(&self, player: &str) -> Result<Vec<(String, String)>, StoreError> {
        let esprits = "SELECT esprit_id, species_id FROM esprits WHERE player_id = $1 ORDER BY number";
        Ok(sqlx::query_as(esprits).bind(player).fetch_all(&self.pool).await?)
    }

    /// What a player has, what the audit says was taken from the player, and what the counters say was taken from all.
    pub async fn money(&self, player: &str) -> Result<(i64, i64, i64), StoreError> {
        let sums = "SELECT (SELECT available FROM balances WHERE player_id = $1),
                 (SELECT COALESCE(-sum(available_change), 0)::bigint FROM entries WHERE player_id = $1),
                 (SELECT COALESCE(sum(burned), 0)::bigint FROM flows)";
        Ok(sqlx::query_as(sums).bind(player).fetch_one(&self.pool).await?)
    }
}
