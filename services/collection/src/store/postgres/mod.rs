//! The collection in PostgreSQL, shared by every copy of the service.
//!
//! A batch that writes takes these round trips, whatever its size: BEGIN; lock players; read clock and players; read parts; write parts, players
//! and what happened; COMMIT. Esprits and foreign catalogs add a read each, esprits a write, to the batches that have some. Locks are taken in
//! ascending player order, rows are inserted in ascending order.

mod keyed;
mod load;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{Database, DbTime, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_ids::{CallerId, EspritId, OperationId, PlayerId};
use auric_time::{SystemClock, Timestamp};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

use super::rows::{EspritDbRow, NamedStampRow, PartDbRow, PieceDbRow, PortraitRow, StampRow, portrait};
use super::{CollectionStore, CollectionTx, PartsQuery, Stamp};
use crate::catalog::{Kept, Kind};
use crate::domain::{BatchKeys, Book, Esprit, Journal, Part, Portrait, StateTag, word_of};

/// Several reads of one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The collection in PostgreSQL.
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
            let mut transaction = self.pool.begin().traced(sql("BEGIN")).await.map_err(unavailable)?;
            if load::lock(&mut transaction, players).await? == players.len() {
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

#[async_trait]
impl CollectionStore for PostgresStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn CollectionTx>), StoreError> {
        let players: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
        let mut transaction = self.begin_locked(&players).await?;
        let opened = load::book(&mut transaction, &keys).await?;
        Ok((Book::new(opened), Box::new(PostgresTx { transaction })))
    }

    async fn stamp(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError> {
        let row: Option<StampRow> =
            sqlx::query_as("SELECT state_tag, version, updated_at FROM players WHERE player_id = $1")
                .bind(player.as_str())
                .fetch_optional(&self.pool)
                .traced(sql("SELECT players"))
                .await?;
        row.map(StampRow::into_domain).transpose()
    }

    async fn stamps(&self, players: &[PlayerId]) -> Result<Vec<(PlayerId, Stamp)>, StoreError> {
        let names: Vec<&str> = players.iter().map(PlayerId::as_str).collect();
        let rows: Vec<NamedStampRow> =
            sqlx::query_as("SELECT player_id, state_tag, version, updated_at FROM players WHERE player_id = ANY($1)")
                .bind(names)
                .fetch_all(&self.pool)
                .traced(sql("SELECT players"))
                .await?;
        rows.into_iter().map(NamedStampRow::into_domain).collect()
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
        let row: Option<PortraitRow> = sqlx::query_as("SELECT * FROM players WHERE player_id = $1")
            .bind(player.as_str())
            .fetch_optional(&mut *snapshot)
            .traced(sql("SELECT players"))
            .await?;
        let esprits: Vec<EspritDbRow> = sqlx::query_as(
            "SELECT *
             FROM esprits
             WHERE player_id = $1
               AND dissolved_at IS NULL
             ORDER BY number DESC",
        )
        .bind(player.as_str())
        .fetch_all(&mut *snapshot)
        .traced(sql("SELECT esprits"))
        .await?;
        let pieces: Vec<PieceDbRow> =
            sqlx::query_as("SELECT * FROM equipment WHERE player_id = $1 ORDER BY equipment_id")
                .bind(player.as_str())
                .fetch_all(&mut *snapshot)
                .traced(sql("SELECT equipment"))
                .await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        portrait(row, esprits, pieces)
    }

    async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError> {
        let row: Option<EspritDbRow> = sqlx::query_as("SELECT * FROM esprits WHERE player_id = $1 AND esprit_id = $2")
            .bind(player.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .traced(sql("SELECT esprits"))
            .await?;
        row.map(EspritDbRow::into_domain).transpose()
    }

    async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError> {
        let row: Option<PartDbRow> = sqlx::query_as("SELECT * FROM participations WHERE operation_id = $1")
            .bind(operation.as_str())
            .fetch_optional(&self.pool)
            .traced(sql("SELECT participations"))
            .await?;
        row.map(PartDbRow::into_domain).transpose()
    }

    async fn parts(&self, query: &PartsQuery) -> Result<Vec<Part>, StoreError> {
        let rows: Vec<PartDbRow> = sqlx::query_as(
            "SELECT *
             FROM participations
             WHERE operation_id > $1
               AND ($2::text IS NULL OR coordinator = $2)
               AND ($3::text IS NULL OR state = $3)
               AND created_at <= clock_timestamp() - $4 * interval '1 microsecond'
             ORDER BY operation_id
             LIMIT $5",
        )
        .bind(query.after.as_ref().map_or("", OperationId::as_str))
        .bind(query.coordinator.as_ref().map(CallerId::as_str))
        .bind(query.state.map(word_of))
        .bind(i64::try_from(query.age_micros_min).unwrap_or(i64::MAX))
        .bind(i64::from(query.limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT participations"))
        .await?;
        rows.into_iter().map(PartDbRow::into_domain).collect()
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Postgres(self.pool.clone()), Arc::new(SystemClock))
    }

    async fn keep_catalog(&self, kept: &Kept) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO catalogs (hash, kind, content) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING")
            .bind(kept.hash.as_bytes().as_slice())
            .bind(kept.kind.as_str())
            .bind(&kept.content)
            .execute(&self.pool)
            .traced(sql("INSERT catalogs"))
            .await?;
        Ok(())
    }

    async fn newest_catalog(&self, kind: Kind) -> Result<Option<String>, StoreError> {
        let newest =
            sqlx::query_scalar("SELECT content FROM catalogs WHERE kind = $1 ORDER BY created_at DESC LIMIT 1");
        Ok(newest.bind(kind.as_str()).fetch_optional(&self.pool).traced(sql("SELECT catalogs")).await?)
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
impl CollectionTx for PostgresTx {
    async fn commit(mut self: Box<Self>, journal: Journal, tag: StateTag) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        write::journal(&mut self.transaction, &journal, tag).await?;
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }
}

/// Nothing was begun, so that a broken connection leaves nothing in doubt.
fn unavailable(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
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
