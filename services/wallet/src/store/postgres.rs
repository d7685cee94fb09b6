//! The ledger in PostgreSQL, shared by every copy of the wallet.
//!
//! A batch that writes takes these round trips, whatever its size: BEGIN; lock players; read clock and heads; read balances; read keys; write
//! keys, entries, balances, heads; COMMIT. Locks are taken in ascending player order, keys are inserted in ascending order.

use async_trait::async_trait;
use auric_db::StoreError;
use auric_ids::{AssetId, PlayerId};
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, Row as _, Transaction};

use super::rows::{BalanceRow, EntryRow, HeadRow, RecordRow, bigint, context_text, outcome_text};
use super::{EntriesQuery, WalletStore, WalletTx};
use crate::domain::{Balance, BalanceKey, BatchKeys, Book, Entry, Journal, MutationKey, Opened, Player, Record, Row};

/// The ledger in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
}

struct PostgresTx {
    transaction: Transaction<'static, Postgres>,
}

impl PostgresStore {
    /// The store on a connected, migrated database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Begins, and locks `players` in ascending order.
    ///
    /// A player that was never seen is made by a transaction of its own, so that no lock is held while a row is inserted: an insert that
    /// waits for another copy's insert while it holds locks could close a circle.
    async fn begin_locked(&self, players: &[&str]) -> Result<Transaction<'static, Postgres>, StoreError> {
        loop {
            let mut transaction = self.pool.begin().await.map_err(unavailable)?;
            let locked = sqlx::query(
                "SELECT player_id
                 FROM players
                 WHERE player_id = ANY($1)
                 ORDER BY player_id
                 FOR UPDATE",
            )
            .bind(players)
            .execute(&mut *transaction)
            .await?;
            if usize::try_from(locked.rows_affected()) == Ok(players.len()) {
                return Ok(transaction);
            }
            transaction.rollback().await?;
            sqlx::query(
                "INSERT INTO players (player_id)
                 SELECT wanted.player_id
                 FROM unnest($1::text[]) AS wanted (player_id)
                 ORDER BY wanted.player_id
                 ON CONFLICT (player_id) DO NOTHING",
            )
            .bind(players)
            .execute(&self.pool)
            .await?;
        }
    }
}

#[async_trait]
impl WalletStore for PostgresStore {
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError> {
        let players: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
        let mut transaction = self.begin_locked(&players).await?;
        let opened = load(&mut transaction, keys, &players).await?;
        Ok((Book::new(opened), Box::new(PostgresTx { transaction })))
    }

    async fn balances(
        &self,
        players: &[PlayerId],
        assets: &[AssetId],
    ) -> Result<Vec<(BalanceKey, Balance)>, StoreError> {
        let players: Vec<&str> = players.iter().map(PlayerId::as_str).collect();
        let assets: Vec<&str> = assets.iter().map(AssetId::as_str).collect();
        let rows: Vec<BalanceRow> = sqlx::query_as(
            "SELECT player_id, asset_id, pool_id, available, held, room, version
             FROM balances
             WHERE player_id = ANY($1)
               AND asset_id = ANY($2)
             ORDER BY player_id, asset_id, pool_id",
        )
        .bind(players)
        .bind(assets)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.into_domain().map(|(key, row)| (key, row.balance))).collect()
    }

    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "SELECT *
             FROM entries
             WHERE player_id = $1
               AND number < $2
               AND ($3::text IS NULL OR asset_id = $3)
             ORDER BY number DESC
             LIMIT $4",
        )
        .bind(query.player.as_str())
        .bind(query.before.map_or(i64::MAX, bigint))
        .bind(query.asset.as_ref().map(AssetId::as_str))
        .bind(i64::from(query.limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| entry_row(row)?.into_domain()).collect()
    }

    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        let row = sqlx::query("SELECT * FROM mutations WHERE caller = $1 AND idempotency_key = $2")
            .bind(key.caller.as_str())
            .bind(key.key.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| record_row(&row)?.into_domain()).transpose()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map_err(unavailable)?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl WalletTx for PostgresTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().await?;
            return Ok(());
        }
        let transaction = &mut self.transaction;
        write_records(transaction, &journal.records).await?;
        if !journal.entries.is_empty() {
            write_entries(transaction, &journal.entries).await?;
            write_balances(transaction, &journal.balances, &journal.players).await?;
            write_heads(transaction, &journal.players).await?;
        }
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().await.map_err(StoreError::Lost)
    }
}

/// Reads in new statements, after the locks.
async fn load(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
    players: &[&str],
) -> Result<Opened, StoreError> {
    let rows = sqlx::query(
        "SELECT clock.now, player.player_id, player.last_number, player.last_hash, player.last_time
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN players AS player ON player.player_id = ANY($1)",
    )
    .bind(players)
    .fetch_all(&mut **transaction)
    .await?;
    let mut opened = Opened::default();
    for row in rows {
        opened.now = row.try_get::<DateTime<Utc>, _>("now")?.into();
        if row.try_get::<Option<String>, _>("player_id")?.is_some() {
            opened.players.push(head_row(&row)?.into_domain()?);
        }
    }

    let wanted = keys.assets.iter();
    let (owners, assets): (Vec<&str>, Vec<&str>) =
        wanted.map(|(player, asset)| (player.as_str(), asset.as_str())).unzip();
    let rows: Vec<BalanceRow> = sqlx::query_as(
        "SELECT player_id, asset_id, pool_id, available, held, room, version
         FROM unnest($1::text[], $2::text[]) AS wanted (player_id, asset_id)
         JOIN balances USING (player_id, asset_id)",
    )
    .bind(owners)
    .bind(assets)
    .fetch_all(&mut **transaction)
    .await?;
    opened.balances = rows.into_iter().map(BalanceRow::into_domain).collect::<Result<_, _>>()?;

    let wanted = keys.mutations.iter();
    let (callers, names): (Vec<&str>, Vec<&str>) = wanted.map(|key| (key.caller.as_str(), key.key.as_str())).unzip();
    let rows = sqlx::query(
        "SELECT mutations.*
         FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(callers)
    .bind(names)
    .fetch_all(&mut **transaction)
    .await?;
    opened.records = rows.iter().map(|row| record_row(row)?.into_domain()).collect::<Result<_, _>>()?;
    Ok(opened)
}

/// Inserts plainly: a duplicate means that another copy used the key first.
async fn write_records(transaction: &mut Transaction<'static, Postgres>, records: &[Record]) -> Result<(), StoreError> {
    let outcomes: Vec<String> = records.iter().map(|record| outcome_text(&record.outcome)).collect::<Result<_, _>>()?;
    let written = sqlx::query(
        "INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[])",
    )
    .bind(column(records, |record| record.key.caller.as_str()))
    .bind(column(records, |record| record.key.key.as_str()))
    .bind(column(records, |record| record.method.as_str()))
    .bind(column(records, |record| record.fingerprint.digest.as_slice()))
    .bind(column(records, |record| record.fingerprint.fields.as_str()))
    .bind(outcomes)
    .bind(column(records, |record| DateTime::<Utc>::from(record.time)))
    .execute(&mut **transaction)
    .await?;
    expect_rows(records.len(), written.rows_affected())
}

async fn write_entries(transaction: &mut Transaction<'static, Postgres>, entries: &[Entry]) -> Result<(), StoreError> {
    let contexts: Vec<String> = entries.iter().map(|entry| context_text(&entry.context)).collect::<Result<_, _>>()?;
    let written = sqlx::query(
        "INSERT INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change,
             available_after, held_after, room_after, clamped, reason, context, caller, idempotency_key, trace_id, catalog_hash,
             created_at, hash)
         SELECT *
         FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
             $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[],
             $17::text[], $18::bytea[], $19::timestamptz[], $20::bytea[])",
    )
    .bind(column(entries, |entry| entry.movement.key.player.as_str()))
    .bind(column(entries, |entry| bigint(entry.movement.number)))
    .bind(column(entries, |entry| entry.movement.key.asset.as_str()))
    .bind(column(entries, |entry| entry.movement.key.pool.as_str()))
    .bind(column(entries, |entry| entry.movement.kind.as_str()))
    .bind(column(entries, |entry| entry.movement.change.available_units))
    .bind(column(entries, |entry| entry.movement.change.held_units))
    .bind(column(entries, |entry| entry.movement.change.room_units))
    .bind(column(entries, |entry| bigint(entry.movement.after.available_units())))
    .bind(column(entries, |entry| bigint(entry.movement.after.held_units())))
    .bind(column(entries, |entry| bigint(entry.movement.after.room_units())))
    .bind(column(entries, |entry| bigint(entry.movement.clamped_units)))
    .bind(column(entries, |entry| entry.reason.as_str()))
    .bind(contexts)
    .bind(column(entries, |entry| entry.caller.as_str()))
    .bind(column(entries, |entry| entry.idempotency_key.as_str()))
    .bind(column(entries, |entry| entry.trace_id.as_str()))
    .bind(column(entries, |entry| entry.catalog_hash.as_bytes().as_slice()))
    .bind(column(entries, |entry| DateTime::<Utc>::from(entry.time)))
    .bind(column(entries, |entry| entry.hash.as_slice()))
    .execute(&mut **transaction)
    .await?;
    expect_rows(entries.len(), written.rows_affected())
}

/// Writes only over the version that was loaded.
async fn write_balances(
    transaction: &mut Transaction<'static, Postgres>,
    balances: &[(BalanceKey, Row)],
    players: &[(PlayerId, Player)],
) -> Result<(), StoreError> {
    let time = newest(players);
    let written = sqlx::query(
        "INSERT INTO balances AS stored
             (player_id, asset_id, pool_id, available, held, room, version, created_at, updated_at)
         SELECT *, $8, $8
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
         ON CONFLICT (player_id, asset_id, pool_id) DO UPDATE
         SET available = excluded.available,
             held = excluded.held,
             room = excluded.room,
             version = excluded.version,
             updated_at = excluded.updated_at
         WHERE stored.version = excluded.version - 1",
    )
    .bind(column(balances, |(key, _)| key.player.as_str()))
    .bind(column(balances, |(key, _)| key.asset.as_str()))
    .bind(column(balances, |(key, _)| key.pool.as_str()))
    .bind(column(balances, |(_, row)| bigint(row.balance.available_units())))
    .bind(column(balances, |(_, row)| bigint(row.balance.held_units())))
    .bind(column(balances, |(_, row)| bigint(row.balance.room_units())))
    .bind(column(balances, |(_, row)| bigint(row.version)))
    .bind(time)
    .execute(&mut **transaction)
    .await?;
    expect_rows(balances.len(), written.rows_affected())
}

/// Writes only over the head that was loaded.
async fn write_heads(
    transaction: &mut Transaction<'static, Postgres>,
    players: &[(PlayerId, Player)],
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "UPDATE players
         SET last_number = moved.last_number,
             last_hash = moved.last_hash,
             last_time = moved.last_time,
             updated_at = moved.last_time
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::timestamptz[])
             AS moved (player_id, loaded_number, last_number, last_hash, last_time)
         WHERE players.player_id = moved.player_id
           AND players.last_number = moved.loaded_number",
    )
    .bind(column(players, |(id, _)| id.as_str()))
    .bind(column(players, |(_, player)| bigint(player.loaded.number)))
    .bind(column(players, |(_, player)| bigint(player.head.number)))
    .bind(column(players, |(_, player)| player.head.hash.as_slice()))
    .bind(column(players, |(_, player)| DateTime::<Utc>::from(player.head.time)))
    .execute(&mut **transaction)
    .await?;
    expect_rows(players.len(), written.rows_affected())
}

fn newest(players: &[(PlayerId, Player)]) -> DateTime<Utc> {
    players.iter().map(|(_, player)| player.head.time).max().unwrap_or_default().into()
}

/// One column of many rows, as an array parameter.
fn column<'rows, R, T>(rows: &'rows [R], of: impl Fn(&'rows R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}

fn unavailable(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Lost(error) => StoreError::Unavailable(error),
        other => other,
    }
}

fn time(row: &PgRow, name: &str) -> Result<auric_time::Timestamp, StoreError> {
    Ok(row.try_get::<DateTime<Utc>, _>(name)?.into())
}

fn head_row(row: &PgRow) -> Result<HeadRow, StoreError> {
    Ok(HeadRow {
        player_id: row.try_get("player_id")?,
        last_number: row.try_get("last_number")?,
        last_hash: row.try_get("last_hash")?,
        last_time: time(row, "last_time")?,
    })
}

fn record_row(row: &PgRow) -> Result<RecordRow, StoreError> {
    Ok(RecordRow {
        caller: row.try_get("caller")?,
        idempotency_key: row.try_get("idempotency_key")?,
        method: row.try_get("method")?,
        fingerprint: row.try_get("fingerprint")?,
        fields: row.try_get("fields")?,
        outcome: row.try_get("outcome")?,
        created_at: time(row, "created_at")?,
    })
}

fn entry_row(row: &PgRow) -> Result<EntryRow, StoreError> {
    Ok(EntryRow {
        balance: BalanceRow {
            player_id: row.try_get("player_id")?,
            asset_id: row.try_get("asset_id")?,
            pool_id: row.try_get("pool_id")?,
            available: row.try_get("available_after")?,
            held: row.try_get("held_after")?,
            room: row.try_get("room_after")?,
            version: 0,
        },
        number: row.try_get("number")?,
        kind: row.try_get("kind")?,
        change: (row.try_get("available_change")?, row.try_get("held_change")?, row.try_get("room_change")?),
        clamped: row.try_get("clamped")?,
        reason: row.try_get("reason")?,
        context: row.try_get("context")?,
        caller: row.try_get("caller")?,
        idempotency_key: row.try_get("idempotency_key")?,
        trace_id: row.try_get("trace_id")?,
        catalog_hash: row.try_get("catalog_hash")?,
        created_at: time(row, "created_at")?,
        hash: row.try_get("hash")?,
    })
}
