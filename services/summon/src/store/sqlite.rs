//! Summons in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one. A batch is passed
//! as one JSON array a table and walked by `json_each`: a statement a table, whatever the batch's size.

mod read;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Database, SqliteDatabase, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_events::store::{Batch, sqlite as outbox};
use auric_ids::{BannerId, PityGroupId, PlayerId};
use auric_time::{Clock, Timestamp};
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::rows::{PityDbRow, PlayerRow, UseDbRow};
use super::{PullRange, PullsWanted, SeedsView, SummonStore, SummonTx, View};
use crate::domain::{BatchKeys, Book, Journal, LoggedPull, Opened};

type Tx = Transaction<'static, Sqlite>;

/// Summons in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: SqliteDatabase,
    clock: Arc<dyn Clock>,
}

struct SqliteTx {
    transaction: Tx,
}

impl SqliteStore {
    /// The store on an opened, migrated file.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }
}

async fn load(transaction: &mut Tx, keys: &BatchKeys, now: Timestamp) -> Result<Opened, StoreError> {
    let mut opened = Opened { now, ..Opened::default() };
    let players: Vec<PlayerRow> = sqlx::query_as(
        "SELECT players.*
         FROM json_each(?1) AS wanted
         CROSS JOIN players ON player_id = wanted.value",
    )
    .bind(array(&keys.players, |player| json!(player)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT players"))
    .await?;
    opened.players = players.into_iter().map(PlayerRow::into_domain).collect::<Result<_, _>>()?;
    let pity: Vec<PityDbRow> = sqlx::query_as(
        "SELECT pity.*
         FROM json_each(?1) AS wanted
         CROSS JOIN pity ON player_id = wanted.value ->> 0 AND pity_group_id = wanted.value ->> 1",
    )
    .bind(array(&keys.groups, |name| json!(name)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT pity"))
    .await?;
    opened.pity = pity.into_iter().map(PityDbRow::into_domain).collect::<Result<_, _>>()?;
    let uses: Vec<UseDbRow> = sqlx::query_as(
        "SELECT uses.*
         FROM json_each(?1) AS wanted
         CROSS JOIN uses ON player_id = wanted.value ->> 0 AND banner_id = wanted.value ->> 1",
    )
    .bind(array(&keys.banners, |name| json!(name)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT uses"))
    .await?;
    opened.uses = uses.into_iter().map(UseDbRow::into_domain).collect::<Result<_, _>>()?;
    Ok(opened)
}

#[async_trait]
impl SummonStore for SqliteStore {
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn SummonTx>), StoreError> {
        let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").traced(sql("BEGIN")).await?;
        let now = self.clock.now();
        sqlx::query(
            "INSERT INTO players (player_id, created_at, updated_at)
             SELECT value, ?2, ?2
             FROM json_each(?1)
             WHERE true
             ON CONFLICT (player_id) DO NOTHING",
        )
        .bind(array(&keys.players, |player| json!(player)))
        .bind(now.micros())
        .execute(&mut *transaction)
        .traced(sql("INSERT players"))
        .await?;
        let mut opened = load(&mut transaction, keys, now).await?;
        opened.log = auric_twophase::store::sqlite::load(&mut transaction, &keys.log).await?;
        opened.records = read::records(&mut transaction, &keys.mutations).await?;
        Ok((Book::new(opened), Box::new(SqliteTx { transaction })))
    }

    async fn view(&self, player: &PlayerId, group: &PityGroupId, banner: &BannerId) -> Result<View, StoreError> {
        let mut snapshot = self.database.readers.begin().traced(sql("BEGIN")).await?;
        let mut keys = BatchKeys::default();
        keys.players.insert(player.clone());
        keys.groups.insert((player.clone(), group.clone()));
        keys.banners.insert((player.clone(), banner.clone()));
        let opened = load(&mut snapshot, &keys, self.clock.now()).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(super::view_of(opened))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }

    async fn pulls(&self, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError> {
        read::pulls(&self.database.readers, wanted, limit).await
    }

    async fn pulls_at(&self, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError> {
        read::pulls_at(&self.database.readers, ranges).await
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Sqlite(self.database.clone()), Arc::clone(&self.clock))
    }

    async fn seeds(&self, player: &PlayerId, before: Option<u64>, limit: u32) -> Result<SeedsView, StoreError> {
        let mut snapshot = self.database.readers.begin().traced(sql("BEGIN")).await?;
        let mut keys = BatchKeys::default();
        keys.players.insert(player.clone());
        let opened = load(&mut snapshot, &keys, self.clock.now()).await?;
        let ended = read::ended(&mut snapshot, player, before, limit).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(SeedsView { player: opened.players.into_iter().next().map(|(_, player)| player), ended })
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
        let found = found.bind(hash.as_bytes().as_slice()).fetch_optional(&self.database.readers);
        Ok(found.traced(sql("SELECT catalogs")).await?)
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
        self.database.writer.close().await;
        self.database.readers.close().await;
    }
}

#[async_trait]
impl SummonTx for SqliteTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        auric_twophase::store::sqlite::write(&mut self.transaction, &journal.log, journal.time).await?;
        write::write(&mut self.transaction, &journal).await?;
        if let Some(batch) = Batch::of(&journal.news)? {
            outbox::write(&mut self.transaction, journal.lane, journal.time, &batch).await?;
        }
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }
}

fn array<T>(rows: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> String {
    Value::Array(rows.into_iter().map(value).collect()).to_string()
}

const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}
