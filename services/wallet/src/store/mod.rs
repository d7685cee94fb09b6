//! Where the ledger is kept. The only folder of the wallet that knows SQL.
//!
//! A batch is one transaction: [`open`](WalletStore::open) loads what it may touch, behind the locks of its players or as it is remembered,
//! [`commit`](WalletTx::commit) tests what was remembered and writes what was decided. The same laws hold on both stores (`tests/laws`).

mod batch;
mod paid_rows;
mod postgres;
mod recent;
mod rows;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_events::Outbox;
use auric_ids::{AssetId, CallerId, HoldId, PlayerId, Reason, RetailTokenId};
use auric_time::{Clock, SystemClock, Timestamp};
use sqlx::migrate::Migrator;

use crate::domain::{
    BalanceKey, BatchKeys, Book, Entry, EventKey, EventRow, Flow, Hold, Journal, MutationKey, Payment, PaymentKey,
    Player, Posted, Record, RetailToken, Row,
};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The ledger's transactions and reads.
#[async_trait]
pub trait WalletStore: Send + Sync + std::fmt::Debug {
    /// Locks every player that `keys` names until the transaction ends, then reads what a batch may touch. Where all of it is remembered nothing is
    /// locked, and the commit finds out whether it is still so.
    ///
    /// Two steps, never one: a read that is joined with its lock sees the state from before the wait. Rows are locked in ascending
    /// player order, so overlapping batches queue instead of deadlocking. The players of a named hold are looked up before, for they
    /// never change; a hold that comes up between the two is left out, as if it came later.
    ///
    /// # Shape
    ///
    /// The book has every named player; one never seen before is made, empty, and locked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a lock is not granted in time: run the batch again.
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError>;

    /// Reads the same as [`open`](Self::open) would, as it was at one moment, and locks nothing.
    async fn view(&self, keys: &BatchKeys) -> Result<Book, StoreError>;

    /// Reads the database's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Reads a player's entries.
    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError>;

    /// Reads single entries, in no order; one that is not there is left out.
    async fn entries_at(&self, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError>;

    /// Reads single holds, in no order; one that is not there is left out.
    async fn holds_at(&self, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError>;

    /// Reads what providers told, in no order; what is not there is left out.
    async fn told_at(&self, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError>;

    /// The events that its batches tell.
    fn outbox(&self) -> Outbox;

    /// Reads the answer that a key got.
    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError>;

    /// Reads up to `limit` answers, in the order of their keys.
    async fn mutations(&self, after: Option<&MutationKey>, limit: u32) -> Result<Vec<Record>, StoreError>;

    /// Reads a hold.
    async fn hold(&self, id: &HoldId) -> Result<Option<KeptHold>, StoreError>;

    /// Reads open holds, in the order of their names.
    async fn holds(&self, query: &HoldsQuery) -> Result<Vec<KeptHold>, StoreError>;

    /// Reads the names of up to `limit` open holds whose time is up, with the first player of each, in the order of players and holds.
    async fn lapsed(&self, after: Option<&Lapsed>, limit: u32) -> Result<Vec<Lapsed>, StoreError>;

    /// Reads up to `limit` payments, in the order of their names, as they were at one moment.
    async fn payments(&self, after: Option<&PaymentKey>, limit: u32) -> Result<Vec<KeptPayment>, StoreError>;

    /// Reads a retail token.
    async fn retail_token(&self, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError>;

    /// Reads used retail tokens, in the order of their names.
    async fn generations(&self, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError>;

    /// Reads the counters, summed over their slots, in the order of asset, reason and day.
    async fn flows(&self, query: &FlowsQuery) -> Result<Vec<FlowLine>, StoreError>;

    /// Reads up to `limit` players' names, in ascending order.
    async fn players(&self, after: Option<&PlayerId>, limit: u32) -> Result<Vec<PlayerId>, StoreError>;

    /// Counts the players.
    async fn player_count(&self) -> Result<u64, StoreError>;

    /// Reads one player's head, balances and open holds as they were at one moment.
    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError>;

    /// Keeps a catalog under its hash; one that is kept already stays.
    async fn keep_catalog(&self, hash: CatalogHash, content: &str) -> Result<(), StoreError>;

    /// Reads a catalog that was in force.
    async fn catalog(&self, hash: CatalogHash) -> Result<Option<String>, StoreError>;

    /// Reads the newest catalog that was put into force.
    async fn newest_catalog(&self) -> Result<Option<String>, StoreError>;

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
    /// `slot` says which line of the counters, and which lane of the outbox, is written: lanes and copies with different ones do not wait for each
    /// other.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when another copy used a key or wrote a row first, or what was remembered is not so: nothing was written, run the batch again.
    /// [`StoreError::Lost`] when the outcome is unknown: look it up by key.
    async fn commit(self: Box<Self>, journal: Journal, slot: i16) -> Result<(), StoreError>;
}

/// Which entries to read.
#[derive(Clone, Debug)]
pub struct EntriesQuery {
    /// Whose.
    pub player: PlayerId,
    /// Only of this asset.
    pub asset: Option<AssetId>,
    /// From which end, and from where on.
    pub order: EntriesOrder,
    /// At most this many.
    pub limit: u32,
}

/// From which end entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntriesOrder {
    /// Newest first, only those with a smaller number.
    Before(Option<u64>),
    /// Oldest first, only those with a larger number.
    After(u64),
}

/// Which open holds to read.
#[derive(Clone, Debug)]
pub struct HoldsQuery {
    /// Only those that touch this player.
    pub player: Option<PlayerId>,
    /// Only those that this caller made.
    pub caller: Option<CallerId>,
    /// Only those made so many microseconds ago, or longer.
    pub age_micros_min: u64,
    /// Only those with a larger name.
    pub after: Option<HoldId>,
    /// At most this many.
    pub limit: u32,
}

/// The name of an open hold whose time is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapsed {
    /// Whose: a hold that lapses is of one player alone.
    pub player: PlayerId,
    /// Which.
    pub hold: HoldId,
}

/// Which used retail tokens to read.
#[derive(Clone, Debug)]
pub struct GenerationsQuery {
    /// Only this player's.
    pub player: Option<PlayerId>,
    /// Only those with a larger name.
    pub after: Option<RetailTokenId>,
    /// At most this many.
    pub limit: u32,
}

/// Which counters to read.
#[derive(Clone, Debug)]
pub struct FlowsQuery {
    /// Only of this asset.
    pub asset: Option<AssetId>,
    /// From this day on, counted from 1970-01-01.
    pub from_day: i32,
    /// Up to this day, which is included.
    pub to_day: i32,
}

/// A line of the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLine {
    /// Of what.
    pub asset: AssetId,
    /// Why.
    pub reason: Reason,
    /// On which day, counted from 1970-01-01.
    pub day: i32,
    /// How much.
    pub flow: Flow,
}

/// A hold, and when it was made and changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHold {
    /// The hold.
    pub hold: Hold,
    /// When it was made, or voided.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// A payment, and what each event of it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPayment {
    /// The payment.
    pub payment: Payment,
    /// One for each event that was acted on, in no order.
    pub answers: Vec<Posted>,
}

/// What the ledger says of one player, at one moment.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The end of the audit; nothing when the player was never seen.
    pub player: Option<Player>,
    /// Every balance.
    pub rows: Vec<(BalanceKey, Row)>,
    /// Every open hold that touches the player.
    pub holds: Vec<Hold>,
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
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool, clock)),
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
