//! Summons in PostgreSQL, shared by every copy of the service.
//!
//! A batch takes these round trips, whatever its size: BEGIN; lock players; read clock and players; read keys; read operations; read pity and uses when
//! it decides some; write keys, operations, pulls, pity, uses, players, what else was asked for under a key, and what happened; COMMIT. Locks are taken in ascending player order, keys are inserted in
//! ascending order.

mod read;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Database, DbTime, Statement, StoreError, Traced as _};
use auric_events::Outbox;
use auric_events::store::{Batch, postgres as outbox};
use auric_ids::{BannerId, PityGroupId, PlayerId};
use auric_time::{SystemClock, Timestamp};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row as _, Transaction};

use super::rows::{PityDbRow, PlayerRow, UseDbRow};
use super::{PullRange, PullsWanted, SeedsView, SummonStore, SummonTx, View};
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
        opened.records = read::records(&mut transaction, &keys.mutations).await?;
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

    async fn pulls(&self, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError> {
        read::pulls(&self.pool, wanted, limit).await
    }

    async fn pulls_at(&self, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError> {
        read::pulls_at(&self.pool, ranges).await
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(Database::Postgres(self.pool.clone()), Arc::new(SystemClock))
    }

    async fn seeds(&self, player: &PlayerId, before: Option<u64>, limit: u32) -> Result<SeedsView, StoreError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
        let mut opened = Opened::default();
        clock_and_players(&mut snapshot, &[player.as_str()], &mut opened).await?;
        let ended = read::ended(&mut snapshot, player, before, limit).await?;
        snapshot.rollback().traced(sql("ROLLBACK")).await?;
        Ok(SeedsView { player: opened.players.into_iter().next().map(|(_, player)| player), ended })
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
        write::write(&mut self.transaction, &journal).await?;
        if let Some(batch) = Batch::of(&journal.news)? {
            outbox::write(&mut self.transaction, journal.lane, &batch).await?;
        }
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

const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}
