//! Where summons are kept. The only folder of the service that knows SQL, with that of `shared/twophase`.
//!
//! A batch is one transaction: [`open`](SummonStore::open) locks its players and loads what it may touch, [`commit`](SummonTx::commit) writes what was
//! begun, decided and drawn. The same laws hold on both stores.

mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_events::Outbox;
use auric_ids::{BannerId, PityGroupId, PlayerId, RarityId, SpeciesId};
use auric_time::{Clock, Timestamp};
use sqlx::migrate::Migrator;

use crate::domain::{BatchKeys, Book, EndedSeeds, Journal, LoggedPull, PityRow, Player, UseKey, UseRow};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The transactions and reads of summons.
#[async_trait]
pub trait SummonStore: Send + Sync + std::fmt::Debug {
    /// Locks every player that `keys` names until the transaction ends, then reads what a batch may touch.
    ///
    /// Two steps, never one: a read that is joined with its lock sees the state from before the wait. Rows are locked in ascending player order, so
    /// overlapping batches queue instead of deadlocking.
    ///
    /// # Shape
    ///
    /// The book has every named player; one never seen before is made, empty, and locked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a lock is not granted in time: run the batch again.
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn SummonTx>), StoreError>;

    /// Reads a player's pity in one group, the uses at one banner, and the database's clock, as they were at one moment.
    async fn view(&self, player: &PlayerId, group: &PityGroupId, banner: &BannerId) -> Result<View, StoreError>;

    /// Reads the database's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Reads the pulls that are wanted, `limit` at most.
    async fn pulls(&self, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError>;

    /// Reads the pulls of these ranges, in no order; one that is not there is left out.
    async fn pulls_at(&self, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError>;

    /// The events that its batches tell.
    fn outbox(&self) -> Outbox;

    /// Reads a player, and the seeds that went out of use: newest first, only those before the pair `before`.
    async fn seeds(&self, player: &PlayerId, before: Option<u64>, limit: u32) -> Result<SeedsView, StoreError>;

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
pub trait SummonTx: Send {
    /// Writes everything that was decided, and makes it durable at once. An empty journal writes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when another copy used a key or wrote a row first: nothing was written, run the batch again.
    /// [`StoreError::Lost`] when the outcome is unknown: look it up by key.
    async fn commit(self: Box<Self>, journal: Journal) -> Result<(), StoreError>;
}

/// Some pulls of one player in one group, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRange {
    /// Whose.
    pub player: PlayerId,
    /// In which group.
    pub group: PityGroupId,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// Which pulls to read: those of one player in one group that fit everything that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullsWanted {
    /// Whose.
    pub player: PlayerId,
    /// In which group.
    pub group: PityGroupId,
    /// From which banner.
    pub banner: Option<BannerId>,
    /// Of which rarity.
    pub rarity: Option<RarityId>,
    /// Of which species.
    pub species: Option<SpeciesId>,
    /// Featured or not; what nothing of its rarity can be is neither.
    pub featured: Option<bool>,
    /// Drawn then or later.
    pub from: Option<Timestamp>,
    /// Drawn before then.
    pub until: Option<Timestamp>,
    /// Oldest first, or newest.
    pub oldest_first: bool,
    /// Only behind this number, in that order.
    pub behind: Option<u64>,
}

impl PullsWanted {
    /// All of a player's pulls in a group, newest first.
    #[must_use]
    pub const fn all(player: PlayerId, group: PityGroupId) -> Self {
        Self {
            player,
            group,
            banner: None,
            rarity: None,
            species: None,
            featured: None,
            from: None,
            until: None,
            oldest_first: false,
            behind: None,
        }
    }

    /// The numbers that the page can have: the first and the last of them.
    fn numbers(&self) -> (i64, i64) {
        match (self.behind.map(rows::bigint), self.oldest_first) {
            (None, _) => (1, i64::MAX),
            (Some(behind), true) => (behind.saturating_add(1), i64::MAX),
            (Some(behind), false) => (1, behind.saturating_sub(1)),
        }
    }
}

/// What a player's draws come and came from.
#[derive(Clone, Debug, Default)]
pub struct SeedsView {
    /// The player; nothing of one never seen.
    pub player: Option<Player>,
    /// Seeds out of use.
    pub ended: Vec<EndedSeeds>,
}

/// What a player's next pull depends on.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The database's clock, or the player's time if that is later.
    pub now: Timestamp,
    /// The pity.
    pub pity: PityRow,
    /// What was used of the banner.
    pub uses: Vec<(UseKey, UseRow)>,
}

/// The store on a connected database. `clock` is SQLite's: PostgreSQL has its own.
#[must_use]
pub fn on(database: Database, clock: Arc<dyn Clock>) -> Arc<dyn SummonStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool)),
        Database::Sqlite(sqlite) => Arc::new(SqliteStore::new(sqlite, clock)),
    }
}

/// The migrations for that kind of database.
#[must_use]
pub fn migrator(database: &Database) -> &'static Migrator {
    static SQLITE: Migrator = sqlx::migrate!("../../migrations/summon/sqlite");
    static POSTGRES: Migrator = sqlx::migrate!("../../migrations/summon/postgres");
    match database {
        Database::Postgres(_) => &POSTGRES,
        Database::Sqlite(_) => &SQLITE,
    }
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

/// What was read of one player.
fn view_of(opened: crate::domain::Opened) -> View {
    let last_time = opened.players.first().map_or(opened.now, |(_, player)| player.last_time);
    let pity = opened.pity.into_iter().next().map(|(_, row)| row).unwrap_or_default();
    View { now: opened.now.max(last_time), pity, uses: opened.uses }
}
