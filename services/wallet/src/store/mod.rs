//! Where the ledger is kept. The only folder of the wallet that knows SQL.
//!
//! A batch is one transaction: [`open`](WalletStore::open) locks its players and loads what it may touch, [`commit`](WalletTx::commit)
//! writes what was decided. The same laws hold on both stores (`tests/laws`).

mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_ids::{AssetId, PlayerId};
use auric_time::{Clock, SystemClock};
use sqlx::migrate::Migrator;

use crate::domain::{Balance, BalanceKey, BatchKeys, Book, Entry, Journal, MutationKey, Record};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The ledger's transactions and reads.
#[async_trait]
pub trait WalletStore: Send + Sync + std::fmt::Debug {
    /// Locks every player that `keys` names until the transaction ends, then reads what a batch may touch.
    ///
    /// Two steps, never one: a read that is joined with its lock sees the state from before the wait. Rows are locked in ascending
    /// player order, so overlapping batches queue instead of deadlocking.
    ///
    /// # Shape
    ///
    /// The book has every named player; one never seen before is made, empty, and locked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a lock is not granted in time: run the batch again.
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError>;

    /// Reads what `players` have of `assets`, as of now.
    ///
    /// # Shape
    ///
    /// Only balances that were ever written, in ascending order.
    async fn balances(
        &self,
        players: &[PlayerId],
        assets: &[AssetId],
    ) -> Result<Vec<(BalanceKey, Balance)>, StoreError>;

    /// Reads a player's entries, newest first.
    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError>;

    /// Reads the answer that a key got.
    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError>;

    /// Asks the database for nothing, to see that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for what is under way, and lets go of the database.
    async fn close(&self);
}

/// One transaction that holds its players. Dropping it without [`commit`](Self::commit) undoes everything.
#[async_trait]
pub trait WalletTx: Send {
    /// Writes everything that was decided, and makes it durable at once. An empty journal writes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when another copy used a key or wrote a row first: nothing was written, run the batch again.
    /// [`StoreError::Lost`] when the outcome is unknown: look it up by key.
    async fn commit(self: Box<Self>, journal: Journal) -> Result<(), StoreError>;
}

/// Which entries to read.
#[derive(Clone, Debug)]
pub struct EntriesQuery {
    /// Whose.
    pub player: PlayerId,
    /// Only of this asset.
    pub asset: Option<AssetId>,
    /// Only with a smaller number.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: u32,
}

/// Connects to the database that `url` names.
///
/// # Errors
///
/// [`StoreError`] when it cannot be reached.
pub async fn connect(url: &str, settings: PostgresSettings) -> Result<Arc<dyn WalletStore>, StoreError> {
    Ok(on(Database::connect(url, settings).await?, Arc::new(SystemClock)))
}

/// The store on a connected database. `clock` is SQLite's: PostgreSQL has its own.
#[must_use]
pub fn on(database: Database, clock: Arc<dyn Clock>) -> Arc<dyn WalletStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool)),
        Database::Sqlite(sqlite) => Arc::new(SqliteStore::new(sqlite, clock)),
    }
}

/// The wallet's migrations for that kind of database.
#[must_use]
pub fn migrator(database: &Database) -> &'static Migrator {
    static SQLITE: Migrator = sqlx::migrate!("../../migrations/wallet/sqlite");
    match database {
        Database::Postgres(_) => postgres_migrator(),
        Database::Sqlite(_) => &SQLITE,
    }
}

/// The wallet's migrations for PostgreSQL.
#[must_use]
pub fn postgres_migrator() -> &'static Migrator {
    static POSTGRES: Migrator = sqlx::migrate!("../../migrations/wallet/postgres");
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
