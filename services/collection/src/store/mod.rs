//! Where the collection is kept. The only folder of the service that knows SQL.
//!
//! A batch is one transaction: [`open`](CollectionStore::open) locks its players and loads what it may touch,
//! [`commit`](CollectionTx::commit) writes what was decided. The same laws hold on both stores (`tests/collection/laws`).

mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_events::Outbox;
use auric_ids::{CallerId, EspritId, OperationId, PlayerId};
use auric_time::{Clock, SystemClock, Timestamp};
use auric_twophase::Participation;
use sqlx::migrate::Migrator;

use crate::catalog::{Kept, Kind};
use crate::domain::{BatchKeys, Book, Esprit, Journal, Part, Portrait, StateTag};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The collection's transactions and reads.
#[async_trait]
pub trait CollectionStore: Send + Sync + std::fmt::Debug {
    /// Locks every player that `keys` names until the transaction ends, then reads what a batch may touch.
    ///
    /// Two steps, never one: a read that is joined with its lock sees the state from before the wait. Rows are locked in ascending
    /// player order, so overlapping batches queue instead of deadlocking.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a lock is not granted in time: run the batch again.
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn CollectionTx>), StoreError>;

    /// Reads how a player's state is told from every other; nothing for a player who was never seen.
    async fn stamp(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError>;

    /// Reads those of several players, by one statement where the database gains by that; who was never seen is left out.
    ///
    /// # Shape
    ///
    /// Each player once at most, in no order.
    async fn stamps(&self, players: &[PlayerId]) -> Result<Vec<(PlayerId, Stamp)>, StoreError> {
        let mut found = Vec::with_capacity(players.len());
        for player in players {
            found.extend(self.stamp(player).await?.map(|stamp| (player.clone(), stamp)));
        }
        Ok(found)
    }

    /// Reads all that a player has, as it was at one moment.
    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError>;

    /// Reads one esprit of a player, dissolved or not.
    async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError>;

    /// Reads the part in an operation.
    async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError>;

    /// Reads parts, in the order of operations.
    async fn parts(&self, query: &PartsQuery) -> Result<Vec<Part>, StoreError>;

    /// The events that its batches tell.
    fn outbox(&self) -> Outbox;

    /// Keeps a catalog under its hash; one that is kept already stays.
    async fn keep_catalog(&self, kept: &Kept) -> Result<(), StoreError>;

    /// Reads the newest catalog of a kind that was put into force.
    async fn newest_catalog(&self, kind: Kind) -> Result<Option<String>, StoreError>;

    /// Asks the database for nothing, to see that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for what is under way, and lets go of the database.
    async fn close(&self);
}

/// One transaction that holds its players. Dropping it without [`commit`](Self::commit) undoes everything.
#[async_trait]
pub trait CollectionTx: Send {
    /// Writes everything that was decided, and makes it durable at once. An empty journal writes nothing.
    ///
    /// Every player who changed gets the state tag `tag`, which nobody had before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when another copy wrote a row first: nothing was written, run the batch again.
    /// [`StoreError::Lost`] when the outcome is unknown: ask again.
    async fn commit(self: Box<Self>, journal: Journal, tag: StateTag) -> Result<(), StoreError>;
}

/// How a player's state is told from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Drawn anew by every change.
    pub tag: StateTag,
    /// Counts all changes.
    pub version: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Which parts to read.
#[derive(Clone, Debug)]
pub struct PartsQuery {
    /// Only in operations that this service coordinates.
    pub coordinator: Option<CallerId>,
    /// Only in this state.
    pub state: Option<Participation>,
    /// Only those made so many microseconds ago, or longer.
    pub age_micros_min: u64,
    /// Only in operations with a larger name.
    pub after: Option<OperationId>,
    /// At most this many.
    pub limit: u32,
}

/// Connects to the database that `url` names.
///
/// # Errors
///
/// [`StoreError`] when it cannot be reached.
pub async fn connect(url: &str, settings: PostgresSettings) -> Result<Arc<dyn CollectionStore>, StoreError> {
    Ok(on(Database::connect(url, settings).await?, Arc::new(SystemClock)))
}

/// The store on a connected database. `clock` is SQLite's: PostgreSQL has its own.
#[must_use]
pub fn on(database: Database, clock: Arc<dyn Clock>) -> Arc<dyn CollectionStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool)),
        Database::Sqlite(sqlite) => Arc::new(SqliteStore::new(sqlite, clock)),
    }
}

/// The collection's migrations for that kind of database.
#[must_use]
pub fn migrator(database: &Database) -> &'static Migrator {
    static SQLITE: Migrator = sqlx::migrate!("../../migrations/collection/sqlite");
    match database {
        Database::Postgres(_) => postgres_migrator(),
        Database::Sqlite(_) => &SQLITE,
    }
}

/// The collection's migrations for PostgreSQL.
#[must_use]
pub fn postgres_migrator() -> &'static Migrator {
    static POSTGRES: Migrator = sqlx::migrate!("../../migrations/collection/postgres");
    &POSTGRES
}

/// Brings the database that `url` names up to this version's schema.
///
/// # Errors
///
/// [`StoreError`] when it cannot be reached or a migration fails; what was applied before stays.
pub async fn migrate(url: &str) -> Result<Migrated, StoreError> {
    let database = Database::connect(url, PostgresSettings { connections_max: 1, ..Default::default() }).await?;
    let migrated = auric_db::migrate(&database, migrator(&database)).await;
    database.close().await;
    migrated
}
