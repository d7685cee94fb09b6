//! Summons in PostgreSQL, shared by every copy of the service.
//!
//! A batch takes these round trips, whatever its size: BEGIN; lock players; read clock and players; read keys; read operations; read pity and uses when
//! it decides some; write keys, operations, pulls, pity, uses, players; COMMIT. Locks are taken in ascending player order, keys are inserted in
//! ascending order.

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{DbTime, Statement, StoreError, Traced as _};
use auric_ids::{BannerId, PityGroupId, PlayerId};
use auric_time::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row as _, Transaction};

use super::rows::{PityDbRow, PlayerRow, PullRow, UseDbRow, bigint, draws, expect_rows, pity};
use super::{SummonStore, SummonTx, View};
use crate::domain::{BatchKeys, Book, Journal, LoggedPull, Opened};

type Tx = Transaction<'static, Postgres>;

/// Several reads of one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Summons in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
}

struct PostgresTx {
    transaction: Tx,
}

impl PostgresStore {
    /// The store on a connected, migrated database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Begins, and locks `players` in ascending order.
    ///
    /// A player that was never seen is made by a transaction of its own, so that no lock is held while a row is inserted: an insert that waits for
    /// another copy's insert while it holds locks could close a circle.
    async fn begin_locked(&self, players: &[&str]) -> Result<Tx, StoreError> {
        loop {
            let mut transaction = self.pool.begin().traced(sql("BEGIN")).await.map_err(unavailable)?;
            let locked = sqlx::query(
                "SELECT 1
                 FROM players
                 WHERE player_id = ANY($1)
                 ORDER BY player_id
                 FOR NO KEY UPDATE",
            )
            .bind(players)
            .fetch_all(&mut *transaction)
            .traced(sql("SELECT players"))
            .await?;
            if locked.len() == players.len() {
                return Ok(transaction);
            }
            transaction.rollback().traced(sql("ROLLBACK")).await?;
            sqlx::query(
                "INSERT INTO players (player_id)
                 SELECT wanted.player_id
                 FROM unnest($1::text[]) AS wanted (player_id)
                 ORDER BY wanted.player_id
                 ON CONFLICT (player_id) DO NOTHING",
            )
            .bind(players)
            .execute(&self.pool)
            .traced(sql("INSERT players"))
            .await?;
        }
    }
}

/// Reads the database's clock and those of `names` who exist.
async fn clock_and_players(transaction: &mut Tx, names: &[&str], opened: &mut Opened) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT clock.now, player.*
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN players AS player ON player.player_id = ANY($1)",
    )
    .bind(names)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT players"))
    .await?;
    for row in &rows {
        opened.now = row.try_get::<DbTime, _>("now")?.0;
        if row.try_get::<Option<String>, _>("player_id")?.is_some() {
            opened.players.push(<PlayerRow as sqlx::FromRow<'_, _>>::from_row(row)?.into_domain()?);
        }
    }
    Ok(())
}

async fn pity_and_uses(transaction: &mut Tx, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
    if !keys.groups.is_empty() {
        let rows: Vec<PityDbRow> = sqlx::query_as(
            "SELECT pity.*
             FROM unnest($1::text[], $2::text[]) AS wanted (player_id, pity_group_id)
             JOIN pity USING (player_id, pity_group_id)",
        )
        .bind(keys.groups.iter().map(|(player, _)| player.as_str()).collect::<Vec<_>>())
        .bind(keys.groups.iter().map(|(_, group)| group.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT pity"))
        .await?;
        opened.pity = rows.into_iter().map(PityDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.banners.is_empty() {
        let rows: Vec<UseDbRow> = sqlx::query_as(
            "SELECT uses.*
             FROM unnest($1::text[], $2::text[]) AS wanted (player_id, banner_id)
             JOIN uses USING (player_id, banner_id)",
        )
        .bind(keys.banners.iter().map(|(player, _)| player.as_str()).collect::<Vec<_>>())
        .bind(keys.banners.iter().map(|(_, banner)| banner.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT uses"))
        .await?;
        opened.uses = rows.into_iter().map(UseDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(())
}

#[async_trait]
impl SummonStore for PostgresStore {
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn SummonTx>), StoreError> {
        let players: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
        let mut transaction = self.begin_locked(&players).await?;
        let mut opened = Opened::default();
        clock_and_players(&mut transaction, &players, &mut opened).await?;
        opened.log = auric_twophase::store::postgres::load(&mut transaction, &keys.log).await?;
        pity_and_uses(&mut transaction, keys, &mut opened).await?;
        Ok((Book::new(opened), Box::new(PostgresTx { transaction })))
    }

    async fn view(&self, player: &PlayerId, group: &PityGroupId, banner: &BannerId) -> Result<View, StoreError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
        let mut opened = Opened::default();
        let mut keys = BatchKeys::default();
        keys.groups.insert((player.clone(), group.clone()));
        keys.banners.insert((player.clone(), banner.clone()));
        clock_and_players(&mut snapshot, &[player.as_str()], &mut opened).await?;
        pity_and_uses(&mut snapshot, &keys, &mut opened).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(super::view_of(opened))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now: DbTime =
            sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&self.pool).traced(sql("SELECT")).await?;
        Ok(now.0)
    }

    async fn pulls(
        &self,
        player: &PlayerId,
        group: &PityGroupId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LoggedPull>, StoreError> {
        let rows: Vec<PullRow> = sqlx::query_as(
            "SELECT *
             FROM pulls
             WHERE player_id = $1
               AND pity_group_id = $2
               AND number < $3
             ORDER BY number DESC
             LIMIT $4",
        )
        .bind(player.as_str())
        .bind(group.as_str())
        .bind(before.map_or(i64::MAX, bigint))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT pulls"))
        .await?;
        rows.into_iter().map(PullRow::into_domain).collect()
    }

    async fn keep_catalog(&self, hash: CatalogHash, content: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO catalogs (hash, content) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING")
            .bind(hash.as_bytes().as_slice())
            .bind(content)
            .execute(&self.pool)
            .traced(sql("INSERT catalogs"))
            .await?;
        Ok(())
    }

    async fn catalog(&self, hash: CatalogHash) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar("SELECT content FROM catalogs WHERE hash = $1");
        Ok(found.bind(hash.as_bytes().as_slice()).fetch_optional(&self.pool).traced(sql("SELECT catalogs")).await?)
    }

    async fn newest_catalog(&self) -> Result<Option<String>, StoreError> {
        let newest = sqlx::query_scalar("SELECT content FROM catalogs ORDER BY created_at DESC LIMIT 1");
        Ok(newest.fetch_optional(&self.pool).traced(sql("SELECT catalogs")).await?)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).traced(sql("SELECT")).await.map_err(unavailable)?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl SummonTx for PostgresTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        auric_twophase::store::postgres::write(&mut self.transaction, &journal.log).await?;
        write_pulls(&mut self.transaction, &journal.pulls).await?;
        write_pity(&mut self.transaction, &journal).await?;
        write_uses(&mut self.transaction, &journal).await?;
        write_players(&mut self.transaction, &journal).await?;
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }
}

async fn write_pulls(transaction: &mut Tx, pulls: &[LoggedPull]) -> Result<(), StoreError> {
    if pulls.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO pulls (player_id, pity_group_id, number, banner_id, operation_id, slot, esprit_id, species_id, rarity, featured,
             pity_before, pity_after, draws, nonce, catalog_hash, created_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
             $10::boolean[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bytea[], $16::timestamptz[])",
    )
    .bind(column(pulls, |row| row.player.as_str()))
    .bind(column(pulls, |row| row.group.as_str()))
    .bind(column(pulls, |row| bigint(row.pull.number)))
    .bind(column(pulls, |row| row.banner.as_str()))
    .bind(column(pulls, |row| row.operation.as_str()))
    .bind(column(pulls, |row| i64::from(row.pull.slot)))
    .bind(column(pulls, |row| row.pull.esprit.as_str()))
    .bind(column(pulls, |row| row.pull.species.as_str()))
    .bind(column(pulls, |row| row.pull.rarity.as_str()))
    .bind(column(pulls, |row| row.pull.featured))
    .bind(column(pulls, |row| row.pull.before.as_str()))
    .bind(column(pulls, |row| row.pull.after.as_str()))
    .bind(column(pulls, |row| draws(&row.pull)))
    .bind(column(pulls, |row| bigint(row.nonce)))
    .bind(column(pulls, |row| row.catalog.as_bytes().as_slice()))
    .bind(column(pulls, |row| DbTime(row.time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT pulls"))
    .await?;
    expect_rows(pulls.len(), written.rows_affected())
}

async fn write_pity(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.pity;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO pity (player_id, pity_group_id, pity, pulls, version, created_at, updated_at)
         SELECT player_id, pity_group_id, pity, pulls, version, $6, $6
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
             AS new (player_id, pity_group_id, pity, pulls, version)
         ON CONFLICT (player_id, pity_group_id) DO UPDATE
         SET pity = excluded.pity, pulls = excluded.pulls, version = excluded.version, updated_at = excluded.updated_at
         WHERE pity.version = excluded.version - 1",
    )
    .bind(column(rows, |((player, _), _)| player.as_str()))
    .bind(column(rows, |((_, group), _)| group.as_str()))
    .bind(rows.iter().map(|(_, row)| pity(row)).collect::<Result<Vec<_>, _>>()?)
    .bind(column(rows, |(_, row)| bigint(row.pulls)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT pity"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_uses(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.uses;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO uses (player_id, banner_id, what, period, used, version, created_at, updated_at)
         SELECT player_id, banner_id, what, period, used, version, $7, $7
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
             AS new (player_id, banner_id, what, period, used, version)
         ON CONFLICT (player_id, banner_id, what) DO UPDATE
         SET period = excluded.period, used = excluded.used, version = excluded.version, updated_at = excluded.updated_at
         WHERE uses.version = excluded.version - 1",
    )
    .bind(column(rows, |(key, _)| key.player.as_str()))
    .bind(column(rows, |(key, _)| key.banner.as_str()))
    .bind(column(rows, |(key, _)| key.what.as_str()))
    .bind(column(rows, |(_, row)| row.period.as_str()))
    .bind(column(rows, |(_, row)| bigint(row.used)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT uses"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_players(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.players;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "UPDATE players
         SET server_seed = moved.server_seed, client_seed = moved.client_seed, nonce = moved.nonce, last_time = moved.last_time,
             version = moved.version, updated_at = $7
         FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[])
             AS moved (player_id, server_seed, client_seed, nonce, last_time, version)
         WHERE players.player_id = moved.player_id
           AND players.version = moved.version - 1",
    )
    .bind(column(rows, |(id, _)| id.as_str()))
    .bind(column(rows, |(_, row)| row.seeds.as_ref().map(|seeds| seeds.server.reveal().as_slice())))
    .bind(column(rows, |(_, row)| row.seeds.as_ref().map(|seeds| seeds.client.as_str())))
    .bind(column(rows, |(_, row)| bigint(row.nonce)))
    .bind(column(rows, |(_, row)| DbTime(row.last_time)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .execute(&mut **transaction)
    .traced(sql("UPDATE players"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

/// Nothing was begun, so that a broken connection leaves nothing in doubt.
fn unavailable(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Lost(error) => StoreError::Unavailable(error),
        other => other,
    }
}

fn column<'a, T, C>(rows: &'a [T], of: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}
