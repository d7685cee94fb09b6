//! The ledger in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one.
//! A batch is passed as one JSON array a table and walked by `json_each`: a statement a table, whatever the batch's size.

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{SqliteDatabase, StoreError};
use auric_ids::{AssetId, PlayerId};
use auric_time::{Clock, Timestamp};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::rows::{BalanceRow, EntryRow, HeadRow, RecordRow, bigint, context_text, outcome_text};
use super::{EntriesQuery, WalletStore, WalletTx};
use crate::domain::{Balance, BalanceKey, BatchKeys, Book, Entry, Head, Journal, MutationKey, Opened, Record};

/// The ledger in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: SqliteDatabase,
    clock: Arc<dyn Clock>,
}

struct SqliteTx {
    transaction: Transaction<'static, Sqlite>,
}

impl SqliteStore {
    /// The store on an opened, migrated file.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }
}

#[async_trait]
impl WalletStore for SqliteStore {
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError> {
        let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
        let opened = load(&mut transaction, keys, self.clock.now()).await?;
        Ok((Book::new(opened), Box::new(SqliteTx { transaction })))
    }

    async fn balances(
        &self,
        players: &[PlayerId],
        assets: &[AssetId],
    ) -> Result<Vec<(BalanceKey, Balance)>, StoreError> {
        let rows: Vec<BalanceRow> = sqlx::query_as(
            "SELECT player_id, asset_id, pool_id, available, held, room, version
             FROM balances
             WHERE player_id IN (SELECT value FROM json_each(?1))
               AND asset_id IN (SELECT value FROM json_each(?2))
             ORDER BY player_id, asset_id, pool_id",
        )
        .bind(array(players, |player| json!(player.as_str())))
        .bind(array(assets, |asset| json!(asset.as_str())))
        .fetch_all(&self.database.readers)
        .await?;
        rows.into_iter().map(|row| row.into_domain().map(|(key, row)| (key, row.balance))).collect()
    }

    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "SELECT *
             FROM entries
             WHERE player_id = ?1
               AND number < ?2
               AND (?3 IS NULL OR asset_id = ?3)
             ORDER BY number DESC
             LIMIT ?4",
        )
        .bind(query.player.as_str())
        .bind(query.before.map_or(i64::MAX, bigint))
        .bind(query.asset.as_ref().map(AssetId::as_str))
        .bind(i64::from(query.limit))
        .fetch_all(&self.database.readers)
        .await?;
        rows.iter().map(|row| entry_row(row)?.into_domain()).collect()
    }

    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        let row = sqlx::query("SELECT * FROM mutations WHERE caller = ?1 AND idempotency_key = ?2")
            .bind(key.caller.as_str())
            .bind(key.key.as_str())
            .fetch_optional(&self.database.readers)
            .await?;
        row.map(|row| record_row(&row)?.into_domain()).transpose()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.database.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.database.readers.close().await;
        self.database.writer.close().await;
    }
}

#[async_trait]
impl WalletTx for SqliteTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().await?;
            return Ok(());
        }
        let records = records_json(&journal.records)?;
        self.write(INSERT_RECORDS, records, journal.records.len()).await?;
        if !journal.entries.is_empty() {
            self.write(INSERT_ENTRIES, entries_json(&journal.entries)?, journal.entries.len()).await?;
            let time = journal.players.iter().map(|(_, player)| player.head.time).max().unwrap_or_default();
            let balances = array(&journal.balances, |(key, row)| {
                let (balance, version) = (row.balance, bigint(row.version));
                let parts = [balance.available_units(), balance.held_units(), balance.room_units()].map(bigint);
                json!([key.player, key.asset, key.pool, parts[0], parts[1], parts[2], version, time])
            });
            self.write(UPSERT_BALANCES, balances, journal.balances.len()).await?;
            let heads = array(&journal.players, |(id, player)| {
                let Head { number, hash, time } = player.head;
                json!([id, bigint(player.loaded.number), bigint(number), hex::encode(hash), time])
            });
            self.write(UPSERT_HEADS, heads, journal.players.len()).await?;
        }
        self.transaction.commit().await.map_err(StoreError::Lost)
    }
}

impl SqliteTx {
    async fn write(&mut self, statement: &'static str, rows: String, expected: usize) -> Result<(), StoreError> {
        let written = sqlx::query(statement).bind(rows).execute(&mut *self.transaction).await?.rows_affected();
        if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
    }
}

const INSERT_RECORDS: &str = "
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const INSERT_ENTRIES: &str = "
    INSERT INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change,
        available_after, held_after, room_after, clamped, reason, context, caller, idempotency_key, trace_id, catalog_hash,
        created_at, hash)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16,
        unhex(value ->> 17), value ->> 18, unhex(value ->> 19)
    FROM json_each(?1)";

// `WHERE true` keeps SQLite's parser from taking ON CONFLICT for a join's ON.
const UPSERT_BALANCES: &str = "
    INSERT INTO balances (player_id, asset_id, pool_id, available, held, room, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 7
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, asset_id, pool_id) DO UPDATE
    SET available = excluded.available,
        held = excluded.held,
        room = excluded.room,
        version = excluded.version,
        updated_at = excluded.updated_at
    WHERE balances.version = excluded.version - 1";

const UPSERT_HEADS: &str = "
    INSERT INTO players (player_id, last_number, last_hash, last_time, created_at, updated_at)
    SELECT value ->> 0, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 4, value ->> 4
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id) DO UPDATE
    SET last_number = excluded.last_number,
        last_hash = excluded.last_hash,
        last_time = excluded.last_time,
        updated_at = excluded.updated_at
    WHERE players.last_number = (
        SELECT value ->> 1
        FROM json_each(?1)
        WHERE value ->> 0 = excluded.player_id
    )";

/// `CROSS JOIN` keeps the planner from scanning the table once for each wanted row.
async fn load(
    transaction: &mut Transaction<'static, Sqlite>,
    keys: &BatchKeys,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let rows = sqlx::query(
        "SELECT player_id, last_number, last_hash, last_time
         FROM json_each(?1) AS wanted
         CROSS JOIN players ON player_id = wanted.value",
    )
    .bind(array(&keys.players, |player| json!(player.as_str())))
    .fetch_all(&mut **transaction)
    .await?;
    let players = rows.iter().map(|row| head_row(row)?.into_domain()).collect::<Result<_, _>>()?;

    let rows: Vec<BalanceRow> = sqlx::query_as(
        "SELECT player_id, asset_id, pool_id, available, held, room, version
         FROM json_each(?1) AS wanted
         CROSS JOIN balances ON player_id = wanted.value ->> 0 AND asset_id = wanted.value ->> 1",
    )
    .bind(array(&keys.assets, |(player, asset)| json!([player, asset])))
    .fetch_all(&mut **transaction)
    .await?;
    let balances = rows.into_iter().map(BalanceRow::into_domain).collect::<Result<_, _>>()?;

    let rows = sqlx::query(
        "SELECT mutations.*
         FROM json_each(?1) AS wanted
         CROSS JOIN mutations ON caller = wanted.value ->> 0 AND idempotency_key = wanted.value ->> 1",
    )
    .bind(array(&keys.mutations, |key| json!([key.caller, key.key])))
    .fetch_all(&mut **transaction)
    .await?;
    let records = rows.iter().map(|row| record_row(row)?.into_domain()).collect::<Result<_, _>>()?;
    Ok(Opened { now, players, balances, records })
}

fn records_json(records: &[Record]) -> Result<String, StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for Record { key, method, fingerprint, outcome, time } in records {
        let (digest, outcome) = (hex::encode(fingerprint.digest), outcome_text(outcome)?);
        rows.push(json!([key.caller, key.key, method.as_str(), digest, fingerprint.fields, outcome, time]));
    }
    Ok(Value::Array(rows).to_string())
}

fn entries_json(entries: &[Entry]) -> Result<String, StoreError> {
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let movement = &entry.movement;
        let (key, change, after) = (&movement.key, movement.change, movement.after);
        rows.push(json!([
            key.player,
            bigint(movement.number),
            key.asset,
            key.pool,
            movement.kind.as_str(),
            change.available_units,
            change.held_units,
            change.room_units,
            bigint(after.available_units()),
            bigint(after.held_units()),
            bigint(after.room_units()),
            bigint(movement.clamped_units),
            entry.reason,
            context_text(&entry.context)?,
            entry.caller,
            entry.idempotency_key,
            entry.trace_id,
            hex::encode(entry.catalog_hash.as_bytes()),
            entry.time,
            hex::encode(entry.hash),
        ]));
    }
    Ok(Value::Array(rows).to_string())
}

/// Many rows as one JSON array.
fn array<T>(items: impl IntoIterator<Item = T>, of: impl Fn(T) -> Value) -> String {
    Value::Array(items.into_iter().map(of).collect()).to_string()
}

fn head_row(row: &SqliteRow) -> Result<HeadRow, StoreError> {
    Ok(HeadRow {
        player_id: row.try_get("player_id")?,
        last_number: row.try_get("last_number")?,
        last_hash: row.try_get("last_hash")?,
        last_time: time(row, "last_time")?,
    })
}

fn record_row(row: &SqliteRow) -> Result<RecordRow, StoreError> {
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

fn entry_row(row: &SqliteRow) -> Result<EntryRow, StoreError> {
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

fn time(row: &SqliteRow, name: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_micros(row.try_get(name)?))
}
