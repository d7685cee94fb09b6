//! The ledger in PostgreSQL, shared by every copy of the wallet.
//!
//! A batch of which all is remembered (`recent`, `clock`) takes one round trip, whatever its size: write everything, by one statement that is a transaction
//! by itself, in which the balances' writing is the lock. Where clock or keys are to be read that comes before it. Any other takes BEGIN; lock players and
//! their balances; read heads and balances; read clock and keys; write; COMMIT. Holds and claims add a read, to the batches that have some. Locks are taken in ascending order of players, then of
//! balances; keys and entries are inserted in ascending order.

mod batch;
mod clock;
mod load;
mod paid;
mod told;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Batches, Database, DbTime, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_ids::{AssetId, CallerId, HoldId, PlayerId, RetailTokenId};
use auric_time::{Clock, SystemClock, Timestamp};
use sqlx::postgres::PgPool;

use self::clock::ReckonedClock;
use super::recent::Recent;
use super::rows::{BalanceRow, EntryRow, FlowRow, HoldDbRow, RecordRow, bigint, id};
use super::{
    EntriesOrder, EntriesQuery, FlowLine, FlowsQuery, GenerationsQuery, HoldsQuery, KeptHold, KeptPayment, Lapsed,
    Portrait, WalletStore, WalletTx,
};
use crate::domain::{BatchKeys, Book, Entry, EventKey, EventRow, MutationKey, PaymentKey, Record, RetailToken};

/// Several reads of one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The ledger in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    batches: Batches,
    recent: Arc<Recent>,
    clock: Arc<ReckonedClock>,
}

impl PostgresStore {
    /// The store on a connected, migrated database, whose own clock decides; the `machine`'s only counts what passes between two looks at it.
    #[must_use]
    pub fn new(pool: PgPool, machine: Arc<dyn Clock>) -> Self {
        let batches = Batches::beside(&pool);
        batches.observe("wallet.batches".to_owned());
        Self { pool, batches, recent: Arc::default(), clock: Arc::new(ReckonedClock::new(machine)) }
    }
}

#[async_trait]
impl WalletStore for PostgresStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError> {
        let (book, transaction) = self.open_batch(keys).await?;
        Ok((book, Box::new(transaction)))
    }

    async fn view(&self, keys: &BatchKeys) -> Result<Book, StoreError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
        let holds = load::holds_of(&mut *snapshot, &keys.holds.keys().collect::<Vec<_>>()).await?;
        let opened = load::book(&mut snapshot, keys, holds).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(Book::new(opened))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        load::clock(&self.pool).await
    }

    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError> {
        let (statement, bound) = match query.order {
            EntriesOrder::Before(before) => (
                "SELECT *
                 FROM entries
                 WHERE player_id = $1
                   AND number < $2
                   AND ($3::text IS NULL OR asset_id = $3)
                 ORDER BY number DESC
                 LIMIT $4",
                before.map_or(i64::MAX, bigint),
            ),
            EntriesOrder::After(after) => (
                "SELECT *
                 FROM entries
                 WHERE player_id = $1
                   AND number > $2
                   AND ($3::text IS NULL OR asset_id = $3)
                 ORDER BY number
                 LIMIT $4",
                bigint(after),
            ),
        };
        let rows: Vec<EntryRow> = sqlx::query_as(statement)
            .bind(query.player.as_str())
            .bind(bound)
            .bind(query.asset.as_ref().map(AssetId::as_str))
            .bind(i64::from(query.limit))
            .fetch_all(&self.pool)
            .traced(sql("SELECT entries"))
            .await?;
        rows.into_iter().map(EntryRow::into_domain).collect()
    }

    async fn entries_at(&self, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError> {
        told::entries(&self.pool, wanted).await
    }

    async fn holds_at(&self, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError> {
        told::holds(&self.pool, wanted).await
    }

    async fn told_at(&self, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError> {
        told::payments(&self.pool, wanted).await
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Postgres(self.pool.clone()), Arc::new(SystemClock))
    }

    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        let row: Option<RecordRow> =
            sqlx::query_as("SELECT * FROM mutations WHERE caller = $1 AND idempotency_key = $2")
                .bind(key.caller.as_str())
                .bind(key.key.as_str())
                .fetch_optional(&self.pool)
                .traced(sql("SELECT mutations"))
                .await?;
        row.map(RecordRow::into_domain).transpose()
    }

    async fn mutations(&self, after: Option<&MutationKey>, limit: u32) -> Result<Vec<Record>, StoreError> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT *
             FROM mutations
             WHERE (caller, idempotency_key) > ($1, $2)
             ORDER BY caller, idempotency_key
             LIMIT $3",
        )
        .bind(after.map_or("", |key| key.caller.as_str()))
        .bind(after.map_or("", |key| key.key.as_str()))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT mutations"))
        .await?;
        rows.into_iter().map(RecordRow::into_domain).collect()
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<KeptHold>, StoreError> {
        let row: Option<HoldDbRow> = sqlx::query_as("SELECT * FROM answered_holds WHERE hold_id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .traced(sql("SELECT holds"))
            .await?;
        row.map(HoldDbRow::into_kept).transpose()
    }

    async fn holds(&self, query: &HoldsQuery) -> Result<Vec<KeptHold>, StoreError> {
        let rows: Vec<HoldDbRow> = sqlx::query_as(
            "SELECT *
             FROM answered_holds
             WHERE state = 'held'
               AND hold_id > $1
               AND ($2::text IS NULL OR caller = $2)
               AND ($3::text IS NULL OR player_id = $3 OR hold_id IN (SELECT hold_id FROM hold_players WHERE player_id = $3))
               AND created_at <= clock_timestamp() - $4 * interval '1 microsecond'
             ORDER BY hold_id
             LIMIT $5",
        )
        .bind(query.after.as_ref().map_or("", HoldId::as_str))
        .bind(query.caller.as_ref().map(CallerId::as_str))
        .bind(query.player.as_ref().map(PlayerId::as_str))
        .bind(bigint(query.age_micros_min))
        .bind(i64::from(query.limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT holds"))
        .await?;
        rows.into_iter().map(HoldDbRow::into_kept).collect()
    }

    async fn lapsed(&self, after: Option<&Lapsed>, limit: u32) -> Result<Vec<Lapsed>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT player_id, hold_id
             FROM holds
             WHERE state = 'held'
               AND (player_id, hold_id) > ($1, $2)
               AND expires_at <= clock_timestamp()
             ORDER BY player_id, hold_id
             LIMIT $3",
        )
        .bind(after.map_or("", |lapsed| lapsed.player.as_str()))
        .bind(after.map_or("", |lapsed| lapsed.hold.as_str()))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT holds"))
        .await?;
        rows.into_iter().map(|(player, hold)| Ok(Lapsed { player: id(player)?, hold: id(hold)? })).collect()
    }

    async fn payments(&self, after: Option<&PaymentKey>, limit: u32) -> Result<Vec<KeptPayment>, StoreError> {
        paid::payments(&self.pool, after, limit).await
    }

    async fn retail_token(&self, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
        paid::token(&self.pool, id).await
    }

    async fn generations(&self, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError> {
        paid::generations(&self.pool, query).await
    }

    async fn flows(&self, query: &FlowsQuery) -> Result<Vec<FlowLine>, StoreError> {
        let rows: Vec<FlowRow> = sqlx::query_as(
            "SELECT asset_id, reason, day, sum(issued)::bigint AS issued, sum(burned)::bigint AS burned
             FROM flows
             WHERE ($1::text IS NULL OR asset_id = $1)
               AND day BETWEEN $2 AND $3
             GROUP BY asset_id, reason, day
             ORDER BY asset_id, reason, day",
        )
        .bind(query.asset.as_ref().map(AssetId::as_str))
        .bind(query.from_day)
        .bind(query.to_day)
        .fetch_all(&self.pool)
        .traced(sql("SELECT flows"))
        .await?;
        rows.into_iter().map(FlowRow::into_domain).collect()
    }

    async fn players(&self, after: Option<&PlayerId>, limit: u32) -> Result<Vec<PlayerId>, StoreError> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT player_id FROM players WHERE player_id > $1 ORDER BY player_id LIMIT $2")
                .bind(after.map_or("", PlayerId::as_str))
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .traced(sql("SELECT players"))
                .await?;
        names.into_iter().map(id).collect()
    }

    async fn player_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM players")
            .fetch_one(&self.pool)
            .traced(sql("SELECT players"))
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
        let name = player.as_str();
        let found = load::heads(&mut snapshot, &[name]).await?;
        let rows: Vec<BalanceRow> =
            sqlx::query_as("SELECT * FROM balances WHERE player_id = $1 ORDER BY asset_id, pool_id")
                .bind(name)
                .fetch_all(&mut *snapshot)
                .traced(sql("SELECT balances"))
                .await?;
        let holds: Vec<HoldDbRow> = sqlx::query_as(
            "SELECT *
             FROM answered_holds
             WHERE state = 'held'
               AND (player_id = $1 OR hold_id IN (SELECT hold_id FROM hold_players WHERE player_id = $1))",
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
        self.batches.close().await;
        self.pool.close().await;
    }
}

/// Nothing was begun, so that a broken connection leaves nothing in doubt.
fn unavailable(error: impl Into<StoreError>) -> StoreError {
    match error.into() {
        StoreError::Lost(error) => StoreError::Unavailable(error),
        other => other,
    }
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}

/// A point in time as a parameter.
fn db_time(time: Timestamp) -> DbTime {
    DbTime(time)
}
