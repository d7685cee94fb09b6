//! Summons in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one. A batch is passed
//! as one JSON array a table and walked by `json_each`: a statement a table, whatever the batch's size.

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{SqliteDatabase, Statement, StoreError, Traced as _};
use auric_ids::{BannerId, PityGroupId, PlayerId};
use auric_time::{Clock, Timestamp};
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::rows::{PityDbRow, PlayerRow, PullRow, UseDbRow, bigint, draws, expect_rows, pity};
use super::{SummonStore, SummonTx, View};
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
             WHERE player_id = ?1
               AND pity_group_id = ?2
               AND number < ?3
             ORDER BY number DESC
             LIMIT ?4",
        )
        .bind(player.as_str())
        .bind(group.as_str())
        .bind(before.map_or(i64::MAX, bigint))
        .bind(i64::from(limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT pulls"))
        .await?;
        rows.into_iter().map(PullRow::into_domain).collect()
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
        write(&mut self.transaction, &journal).await?;
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }
}

async fn write(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let now = journal.time;
    let pulls = journal.pulls.iter().map(|row| {
        let pull = &row.pull;
        json!([
            row.player,
            row.group,
            bigint(pull.number),
            row.banner,
            row.operation,
            pull.slot,
            pull.esprit,
            pull.species,
            pull.rarity,
            pull.featured,
            pull.before,
            pull.after,
            draws(pull),
            bigint(row.nonce),
            row.catalog.to_string(),
            row.time
        ])
    });
    put(transaction, ("INSERT pulls", INSERT_PULLS), pulls.collect()).await?;
    let rows = journal.pity.iter().map(|((player, group), row)| {
        Ok(json!([player, group, pity(row)?, bigint(row.pulls), bigint(row.version), now]))
    });
    put(transaction, ("INSERT pity", UPSERT_PITY), rows.collect::<Result<_, StoreError>>()?).await?;
    let uses = journal.uses.iter().map(|(key, row)| {
        json!([key.player, key.banner, key.what, row.period, bigint(row.used), bigint(row.version), now])
    });
    put(transaction, ("INSERT uses", UPSERT_USES), uses.collect()).await?;
    let players = journal.players.iter().map(|(id, row)| {
        let server = row.seeds.as_ref().map(|seeds| hex::encode(seeds.server.reveal()));
        let client = row.seeds.as_ref().map(|seeds| seeds.client.as_str());
        json!([id, server, client, bigint(row.nonce), row.last_time, bigint(row.version), now])
    });
    put(transaction, ("UPDATE players", UPDATE_PLAYERS), players.collect()).await
}

async fn put(
    transaction: &mut Tx,
    (summary, text): (&'static str, &'static str),
    rows: Vec<Value>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let query = sqlx::query(text).bind(Value::Array(rows).to_string());
    expect_rows(expected, query.execute(&mut **transaction).traced(sql(summary)).await?.rows_affected())
}

const INSERT_PULLS: &str = "
    INSERT INTO pulls (player_id, pity_group_id, number, banner_id, operation_id, slot, esprit_id, species_id, rarity, featured,
        pity_before, pity_after, draws, nonce, catalog_hash, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, unhex(value ->> 14), value ->> 15
    FROM json_each(?1)";

const UPSERT_PITY: &str = "
    INSERT INTO pity (player_id, pity_group_id, pity, pulls, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 5
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, pity_group_id) DO UPDATE
    SET pity = excluded.pity, pulls = excluded.pulls, version = excluded.version, updated_at = excluded.updated_at
    WHERE pity.version = excluded.version - 1";

const UPSERT_USES: &str = "
    INSERT INTO uses (player_id, banner_id, what, period, used, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 6
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, banner_id, what) DO UPDATE
    SET period = excluded.period, used = excluded.used, version = excluded.version, updated_at = excluded.updated_at
    WHERE uses.version = excluded.version - 1";

const UPDATE_PLAYERS: &str = "
    UPDATE players
    SET server_seed = unhex(moved.value ->> 1), client_seed = moved.value ->> 2, nonce = moved.value ->> 3,
        last_time = moved.value ->> 4, version = moved.value ->> 5, updated_at = moved.value ->> 6
    FROM json_each(?1) AS moved
    WHERE player_id = moved.value ->> 0
      AND version = (moved.value ->> 5) - 1";

fn array<T>(rows: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> String {
    Value::Array(rows.into_iter().map(value).collect()).to_string()
}

const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}
