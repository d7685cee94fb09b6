//! The collection in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one.
//! A batch is passed as one JSON array a table and walked by `json_each`: a statement a table, whatever the batch's size.

mod load;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{Database, SqliteDatabase, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_ids::{CallerId, EspritId, OperationId, PlayerId};
use auric_time::Clock;
use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use super::rows::{EspritDbRow, PartDbRow, PieceDbRow, PortraitRow, StampRow, portrait};
use super::{CollectionStore, CollectionTx, PartsQuery, Stamp};
use crate::catalog::{Kept, Kind};
use crate::domain::{BatchKeys, Book, Esprit, Journal, Part, Portrait, StateTag, word_of};

/// The collection in a SQLite file.
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
impl CollectionStore for SqliteStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn CollectionTx>), StoreError> {
        let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").traced(sql("BEGIN")).await?;
        let opened = load::book(&mut transaction, &keys, self.clock.now()).await?;
        Ok((Book::new(opened), Box::new(SqliteTx { transaction })))
    }

    async fn stamp(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError> {
        let row: Option<StampRow> =
            sqlx::query_as("SELECT state_tag, version, updated_at FROM players WHERE player_id = ?1")
                .bind(player.as_str())
                .fetch_optional(&self.database.readers)
                .traced(sql("SELECT players"))
                .await?;
        row.map(StampRow::into_domain).transpose()
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        let mut snapshot = self.database.readers.begin().traced(sql("BEGIN")).await?;
        let row: Option<PortraitRow> = sqlx::query_as("SELECT * FROM players WHERE player_id = ?1")
            .bind(player.as_str())
            .fetch_optional(&mut *snapshot)
            .traced(sql("SELECT players"))
            .await?;
        let esprits: Vec<EspritDbRow> = sqlx::query_as(
            "SELECT *
             FROM esprits
             WHERE player_id = ?1
               AND dissolved_at IS NULL
             ORDER BY number DESC",
        )
        .bind(player.as_str())
        .fetch_all(&mut *snapshot)
        .traced(sql("SELECT esprits"))
        .await?;
        let pieces: Vec<PieceDbRow> =
            sqlx::query_as("SELECT * FROM equipment WHERE player_id = ?1 ORDER BY equipment_id")
                .bind(player.as_str())
                .fetch_all(&mut *snapshot)
                .traced(sql("SELECT equipment"))
                .await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        portrait(row, esprits, pieces)
    }

    async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError> {
        let row: Option<EspritDbRow> = sqlx::query_as("SELECT * FROM esprits WHERE player_id = ?1 AND esprit_id = ?2")
            .bind(player.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.database.readers)
            .traced(sql("SELECT esprits"))
            .await?;
        row.map(EspritDbRow::into_domain).transpose()
    }

    async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError> {
        let row: Option<PartDbRow> = sqlx::query_as("SELECT * FROM participations WHERE operation_id = ?1")
            .bind(operation.as_str())
            .fetch_optional(&self.database.readers)
            .traced(sql("SELECT participations"))
            .await?;
        row.map(PartDbRow::into_domain).transpose()
    }

    async fn parts(&self, query: &PartsQuery) -> Result<Vec<Part>, StoreError> {
        let rows: Vec<PartDbRow> = sqlx::query_as(
            "SELECT *
             FROM participations
             WHERE operation_id > ?1
               AND (?2 IS NULL OR coordinator = ?2)
               AND (?3 IS NULL OR state = ?3)
               AND created_at <= ?4
             ORDER BY operation_id
             LIMIT ?5",
        )
        .bind(query.after.as_ref().map_or("", OperationId::as_str))
        .bind(query.coordinator.as_ref().map(CallerId::as_str))
        .bind(query.state.map(word_of))
        .bind(
            self.clock
                .now()
                .plus_micros(i64::try_from(query.age_micros_min).map_or(i64::MIN, i64::wrapping_neg))
                .micros(),
        )
        .bind(i64::from(query.limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT participations"))
        .await?;
        rows.into_iter().map(PartDbRow::into_domain).collect()
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Sqlite(self.database.clone()), Arc::clone(&self.clock))
    }

    async fn keep_catalog(&self, kept: &Kept) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO catalogs (hash, kind, content, created_at)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hash) DO NOTHING",
        )
        .bind(kept.hash.as_bytes().as_slice())
        .bind(kept.kind.as_str())
        .bind(&kept.content)
        .bind(self.clock.now().micros())
        .execute(&self.database.writer)
        .traced(sql("INSERT catalogs"))
        .await?;
        Ok(())
    }

    async fn newest_catalog(&self, kind: Kind) -> Result<Option<String>, StoreError> {
        let newest =
            sqlx::query_scalar("SELECT content FROM catalogs WHERE kind = ?1 ORDER BY created_at DESC LIMIT 1");
        Ok(newest.bind(kind.as_str()).fetch_optional(&self.database.readers).traced(sql("SELECT catalogs")).await?)
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

#[async_trait]
impl CollectionTx for SqliteTx {
    async fn commit(mut self: Box<Self>, journal: Journal, tag: StateTag) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        write::journal(&mut self.transaction, &journal, tag).await?;
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
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
