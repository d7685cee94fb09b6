//! The ledger in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one.
//! What every batch reads and writes is bound value by value, up to 128 rows a statement (`many`). What few batches have is passed as one JSON array a
//! table and walked by `json_each`.

mod batch;
mod load;
mod many;
mod paid;
mod told;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Database, SqliteDatabase, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_ids::{AssetId, CallerId, HoldId, PlayerId, RetailTokenId};
use auric_time::{Clock, Timestamp};
use serde_json::Value;

use super::recent::Recent;
use super::rows::{BalanceRow, EntryRow, FlowRow, HoldDbRow, RecordRow, bigint, id};
use super::{
    EntriesOrder, EntriesQuery, FlowLine, FlowsQuery, GenerationsQuery, HoldsQuery, KeptHold, KeptPayment, Lapsed,
    Portrait, WalletStore, WalletTx,
};
use crate::domain::{BatchKeys, Book, Entry, EventKey, EventRow, MutationKey, PaymentKey, Record, RetailToken};

/// The ledger in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: SqliteDatabase,
    clock: Arc<dyn Clock>,
    recent: Arc<Recent>,
}

impl SqliteStore {
    /// The store on an opened, migrated file.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, recent: Arc::default() }
    }
}

#[async_trait]
impl WalletStore for SqliteStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError> {
        let (book, transaction) = self.open_batch(keys).await?;
        Ok((book, Box::new(transaction)))
    }

    async fn view(&self, keys: &BatchKeys) -> Result<Book, StoreError> {
        let mut snapshot = self.database.readers.begin().traced(sql("BEGIN")).await?;
        let holds = load::holds_of(&mut snapshot, &keys.holds.keys().collect::<Vec<_>>()).await?;
        let opened = load::book(&mut snapshot, keys, holds, self.clock.now()).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(Book::new(opened))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }

    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError> {
        let (statement, bound) = match query.order {
            EntriesOrder::Before(before) => (
                "SELECT *
                 FROM entries
                 WHERE player_id = ?1
                   AND number < ?2
                   AND (?3 IS NULL OR asset_id = ?3)
                 ORDER BY number DESC
                 LIMIT ?4",
                before.map_or(i64::MAX, bigint),
            ),
            EntriesOrder::After(after) => (
                "SELECT *
                 FROM entries
                 WHERE player_id = ?1
                   AND number > ?2
                   AND (?3 IS NULL OR asset_id = ?3)
                 ORDER BY number
                 LIMIT ?4",
                bigint(after),
            ),
        };
        let rows: Vec<EntryRow> = sqlx::query_as(statement)
            .bind(query.player.as_str())
            .bind(bound)
            .bind(query.asset.as_ref().map(AssetId::as_str))
            .bind(i64::from(query.limit))
            .fetch_all(&self.database.readers)
            .traced(sql("SELECT entries"))
            .await?;
        rows.into_iter().map(EntryRow::into_domain).collect()
    }

    async fn entries_at(&self, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError> {
        told::entries(&self.database.readers, wanted).await
    }

    async fn holds_at(&self, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError> {
        told::holds(&self.database.readers, wanted).await
    }

    async fn told_at(&self, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError> {
        told::payments(&self.database.readers, wanted).await
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Sqlite(self.database.clone()), Arc::clone(&self.clock))
    }

    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        let row: Option<RecordRow> =
            sqlx::query_as("SELECT * FROM mutations WHERE caller = ?1 AND idempotency_key = ?2")
                .bind(key.caller.as_str())
                .bind(key.key.as_str())
                .fetch_optional(&self.database.readers)
                .traced(sql("SELECT mutations"))
                .await?;
        row.map(RecordRow::into_domain).transpose()
    }

    async fn mutations(&self, after: Option<&MutationKey>, limit: u32) -> Result<Vec<Record>, StoreError> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT *
             FROM mutations
             WHERE (caller, idempotency_key) > (?1, ?2)
             ORDER BY caller, idempotency_key
             LIMIT ?3",
        )
        .bind(after.map_or("", |key| key.caller.as_str()))
        .bind(after.map_or("", |key| key.key.as_str()))
        .bind(i64::from(limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT mutations"))
        .await?;
        rows.into_iter().map(RecordRow::into_domain).collect()
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<KeptHold>, StoreError> {
        let row: Option<HoldDbRow> = sqlx::query_as("SELECT * FROM answered_holds WHERE hold_id = ?1")
            .bind(id.as_str())
            .fetch_optional(&self.database.readers)
            .traced(sql("SELECT holds"))
            .await?;
        row.map(HoldDbRow::into_kept).transpose()
    }

    async fn holds(&self, query: &HoldsQuery) -> Result<Vec<KeptHold>, StoreError> {
        let before = self.clock.now().micros().saturating_sub(bigint(query.age_micros_min));
        let rows: Vec<HoldDbRow> = sqlx::query_as(
            "SELECT *
             FROM answered_holds
             WHERE state = 'held'
               AND hold_id > ?1
               AND (?2 IS NULL OR caller = ?2)
               AND (?3 IS NULL OR player_id = ?3 OR hold_id IN (SELECT hold_id FROM hold_players WHERE player_id = ?3))
               AND created_at <= ?4
             ORDER BY hold_id
             LIMIT ?5",
        )
        .bind(query.after.as_ref().map_or("", HoldId::as_str))
        .bind(query.caller.as_ref().map(CallerId::as_str))
        .bind(query.player.as_ref().map(PlayerId::as_str))
        .bind(before)
        .bind(i64::from(query.limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT holds"))
        .await?;
        rows.into_iter().map(HoldDbRow::into_kept).collect()
    }

    async fn lapsed(&self, after: Option<&Lapsed>, limit: u32) -> Result<Vec<Lapsed>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT player_id, hold_id
             FROM holds
             WHERE state = 'held'
               AND (player_id, hold_id) > (?1, ?2)
               AND expires_at <= ?3
             ORDER BY player_id, hold_id
             LIMIT ?4",
        )
        .bind(after.map_or("", |lapsed| lapsed.player.as_str()))
        .bind(after.map_or("", |lapsed| lapsed.hold.as_str()))
        .bind(self.clock.now().micros())
        .bind(i64::from(limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT holds"))
        .await?;
        rows.into_iter().map(|(player, hold)| Ok(Lapsed { player: id(player)?, hold: id(hold)? })).collect()
    }

    async fn payments(&self, after: Option<&PaymentKey>, limit: u32) -> Result<Vec<KeptPayment>, StoreError> {
        paid::payments(&self.database.readers, after, limit).await
    }

    async fn retail_token(&self, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
        paid::token(&self.database.readers, id).await
    }

    async fn generations(&self, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError> {
        paid::generations(&self.database.readers, query).await
    }

    async fn flows(&self, query: &FlowsQuery) -> Result<Vec<FlowLine>, StoreError> {
        let rows: Vec<FlowRow> = sqlx::query_as(
            "SELECT asset_id, reason, day, sum(issued) AS issued, sum(burned) AS burned
             FROM flows
             WHERE (?1 IS NULL OR asset_id = ?1)
               AND day BETWEEN ?2 AND ?3
             GROUP BY asset_id, reason, day
             ORDER BY asset_id, reason, day",
        )
        .bind(query.asset.as_ref().map(AssetId::as_str))
        .bind(query.from_day)
        .bind(query.to_day)
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT flows"))
        .await?;
        rows.into_iter().map(FlowRow::into_domain).collect()
    }

    async fn players(&self, after: Option<&PlayerId>, limit: u32) -> Result<Vec<PlayerId>, StoreError> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT player_id FROM players WHERE player_id > ?1 ORDER BY player_id LIMIT ?2")
                .bind(after.map_or("", PlayerId::as_str))
                .bind(i64::from(limit))
                .fetch_all(&self.database.readers)
                .traced(sql("SELECT players"))
                .await?;
        names.into_iter().map(id).collect()
    }

    async fn player_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM players")
            .fetch_one(&self.database.readers)
            .traced(sql("SELECT players"))
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        let mut snapshot = self.database.readers.begin().traced(sql("BEGIN")).await?;
        let name = player.as_str();
        let found = load::players(&mut snapshot, &[player]).await?;
        let rows: Vec<BalanceRow> =
            sqlx::query_as("SELECT * FROM balances WHERE player_id = ?1 ORDER BY asset_id, pool_id")
                .bind(name)
                .fetch_all(&mut *snapshot)
                .traced(sql("SELECT balances"))
                .await?;
        let holds: Vec<HoldDbRow> = sqlx::query_as(
            "SELECT *
             FROM answered_holds
             WHERE state = 'held'
               AND (player_id = ?1 OR hold_id IN (SELECT hold_id FROM hold_players WHERE player_id = ?1))",
        )
        .bind(name)
        .fetch_all(&mut *snapshot)
        .traced(sql("SELECT holds"))
        .await?;
        snapshot.commit().traced(sql("COMMIT")).await?;
        Ok(Portrait {
            player: found.into_iter().next().map(|(_, player)| player),
            rows: rows.into_iter().map(BalanceRow::into_domain).collect::<Result<_, _>>()?,
            holds: holds.into_iter().map(|row| Ok(row.into_kept()?.hold)).collect::<Result<_, StoreError>>()?,
        })
    }

    async fn keep_catalog(&self, hash: CatalogHash, content: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO catalogs (hash, content, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash.as_bytes().as_slice())
        .bind(content)
        .bind(self.clock.now().micros())
        .execute(&self.database.writer)
        .traced(sql("INSERT catalogs"))
        .await?;
        Ok(())
    }

    async fn catalog(&self, hash: CatalogHash) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar("SELECT content FROM catalogs WHERE hash = ?1");
        Ok(found
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(&self.database.readers)
            .traced(sql("SELECT catalogs"))
            .await?)
    }

    async fn newest_catalog(&self) -> Result<Option<String>, StoreError> {
        let newest = sqlx::query_scalar("SELECT content FROM catalogs ORDER BY created_at DESC LIMIT 1");
        Ok(newest.fetch_optional(&self.database.readers).traced(sql("SELECT catalogs")).await?)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.database.readers).traced(sql("SELECT")).await?;
        Ok(())
    }

    async fn close(&self) {
        self.database.readers.close().await;
        self.database.writer.close().await;
    }
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}

/// Many rows as one JSON array.
fn array<T>(items: impl IntoIterator<Item = T>, of: impl Fn(T) -> Value) -> String {
    Value::Array(items.into_iter().map(of).collect()).to_string()
}
