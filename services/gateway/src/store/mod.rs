//! Where the inbox is kept. The only folder of the gateway that knows SQL.
//!
//! An event is a row: it is written once, before its sender is told that it was taken, and moves on under a lease. A lease is the row's due time, moved
//! into the future, and a fence: whoever lost it is refused, and whoever died needs nobody to clean up. The same laws hold on both stores (`tests/laws`).

mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_ids::{EventId, ObjectId, PlayerId, ProviderId};
use auric_time::{Clock, Timestamp};
use sqlx::migrate::Migrator;

use crate::domain::{Ignored, Park, Payment};

pub use postgres::PostgresInbox;
pub use sqlite::SqliteInbox;

/// The longest text about one event that is kept.
const DETAIL_BYTES_MAX: usize = 1_000;

/// The inbox's statements: each is one transaction.
#[async_trait]
pub trait Inbox: Send + Sync + std::fmt::Debug {
    /// Keeps an event. Once this has answered, it is durable.
    async fn accept(&self, arrival: &Arrival) -> Result<Accepted, StoreError>;

    /// Takes up to `limit` events that are due, for `lease` long.
    async fn lease(&self, limit: u16, lease: Duration) -> Result<Vec<Leased>, StoreError>;

    /// Writes what became of a leased event; `false` when the lease is another's by now, and nothing was written.
    async fn write(&self, lease: &Lease, step: &Step) -> Result<bool, StoreError>;

    /// Reads what is known of how `object` was paid.
    async fn sale(&self, provider: &ProviderId, object: &str) -> Result<Option<Payment>, StoreError>;

    /// Sends what waited for a payment that has arrived on its way again; tells how many.
    async fn wake(&self) -> Result<u64, StoreError>;

    /// Sends parked events on their way again, at most `limit`; tells how many. What was resolved of them is forgotten.
    async fn replay(&self, which: &Replay, limit: u32) -> Result<u64, StoreError>;

    /// Reads events, oldest first.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Kept>, StoreError>;

    /// Reads one event, and its bytes.
    async fn get(&self, name: &EventName) -> Result<Option<(Kept, Vec<u8>)>, StoreError>;

    /// Counts what is received and not applied, and what is parked, by reason.
    async fn counts(&self) -> Result<Vec<Count>, StoreError>;

    /// Asks the database for nothing, to see that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for what is under way, and lets go of the database.
    async fn close(&self);
}

/// An event's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// Whose.
    pub provider: ProviderId,
    /// The provider's name for it.
    pub event: EventId,
}

/// An event as it comes.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Which.
    pub name: EventName,
    /// Byte by byte.
    pub body: Vec<u8>,
    /// The trace context that it came with.
    pub traceparent: String,
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept now.
    New,
    /// It was kept before, and stays as it is.
    Repeat,
}

/// The right to work on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// On which.
    pub name: EventName,
    /// The number of the lease.
    pub fence: i64,
}

/// An event to work on.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The right to.
    pub lease: Lease,
    /// What the provider sent.
    pub body: Vec<u8>,
    /// The trace context that it came with.
    pub traceparent: String,
    /// What the wallet is told, where that is decided.
    pub payment: Option<Payment>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// What becomes of a leased event.
#[derive(Clone, Debug)]
pub enum Step {
    /// What the wallet will be told, from now on the same each time. The lease stays.
    Resolved(Payment),
    /// The wallet has it.
    Applied,
    /// The wallet need not know.
    Ignored(Ignored),
    /// It is set aside.
    Parked(Park),
    /// It is tried again.
    Later {
        /// After how long.
        after: Duration,
        /// What went wrong.
        detail: String,
    },
}

/// An event's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Kept, and not yet applied.
    Received,
    /// The wallet has it.
    Applied,
    /// The wallet need not know.
    Ignored,
    /// Set aside.
    Parked,
}

impl State {
    /// Names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Received, Self::Applied, Self::Ignored, Self::Parked]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt(format!("{text:?} is no state of an event")))
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub name: EventName,
    /// What has become of it.
    pub state: State,
    /// Why it is ignored or parked.
    pub reason: String,
    /// The same for a person, or what went wrong last.
    pub detail: String,
    /// What was paid, once that is known.
    pub object: Option<ObjectId>,
    /// Who paid, once that is known.
    pub player: Option<PlayerId>,
    /// What the wallet is told, as JSON, once that is known.
    pub payment: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// The trace context that it came with.
    pub traceparent: String,
    /// When it was kept.
    pub received_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Which events to read.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this provider.
    pub provider: Option<ProviderId>,
    /// Only for this reason.
    pub reason: Option<String>,
    /// Only behind this one.
    pub after: Option<(Timestamp, EventName)>,
    /// At most this many.
    pub limit: u32,
}

/// Which parked events to replay.
#[derive(Clone, Debug)]
pub enum Replay {
    /// One.
    One(EventName),
    /// All that are let through.
    All {
        /// Only of this provider.
        provider: Option<ProviderId>,
        /// Only parked for this reason.
        reason: Option<String>,
    },
}

/// How many events there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Received or parked.
    pub state: State,
    /// Why they are parked.
    pub reason: String,
    /// How many.
    pub events: u64,
}

/// The inbox on a connected database. `clock` is SQLite's: PostgreSQL has its own.
#[must_use]
pub fn on(database: Database, clock: Arc<dyn Clock>) -> Arc<dyn Inbox> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresInbox::new(pool)),
        Database::Sqlite(sqlite) => Arc::new(SqliteInbox::new(sqlite, clock)),
    }
}

/// The gateway's migrations for that kind of database.
#[must_use]
pub fn migrator(database: &Database) -> &'static Migrator {
    static SQLITE: Migrator = sqlx::migrate!("../../migrations/gateway/sqlite");
    match database {
        Database::Postgres(_) => postgres_migrator(),
        Database::Sqlite(_) => &SQLITE,
    }
}

/// The gateway's migrations for PostgreSQL.
#[must_use]
pub fn postgres_migrator() -> &'static Migrator {
    static POSTGRES: Migrator = sqlx::migrate!("../../migrations/gateway/postgres");
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
