//! Where jobs and firings are kept. The only folder of the service that knows SQL.
//!
//! Changes go by [`open`](SchedulerStore::open) and [`commit`](SchedulerTx::commit), a transaction a batch. Firing goes by a few statements that take
//! hundreds of rows each, and every one of them may be run by any number of copies at once:
//!
//! - [`plan`](SchedulerStore::plan) moves a job on by compare-and-set FIRST, and only what it moved gets its firings. A copy that wakes up late moves nothing.
//! - [`lease`](SchedulerStore::lease) takes what is ready, which is what is due or whose lease has run out: nobody needs to clean up behind the dead.
//! - [`take_turns`](SchedulerStore::take_turns) does the same for firings that allow no other beside them, behind the lock of their job.
//! - [`settle`](SchedulerStore::settle) ends or puts off what it holds the lease of, and leaves the rest alone.
//!
//! An open firing is in one of `firings` and `waiting`, and one that is not open in one of `dead_letters` and `history`: never in two.

mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use auric_ids::{JobGroupId, JobId, TargetId};
use auric_time::{Clock, Timestamp};
use sqlx::migrate::Migrator;

use crate::domain::{
    BatchKeys, Book, DeadLetter, Definition, End, Ended, Firing, FiringKey, Incarnation, Job, JobRow, Journal, Life,
    NewFiring,
};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// How long one call of the database may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// The scheduler's transactions and reads.
#[async_trait]
pub trait SchedulerStore: Send + Sync + std::fmt::Debug {
    /// Locks every job that `keys` names until the transaction ends, then reads what a batch may touch.
    ///
    /// Two steps, never one: a read that is joined with its lock sees the state from before the wait. Rows are locked in ascending order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a lock is not granted in time: run the batch again.
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn SchedulerTx>), StoreError>;

    /// Reads jobs whose next time comes within `within`, the earliest first, and when the next of the others does.
    async fn due_jobs(&self, ask: &DueAsk) -> Result<DueJobs, StoreError>;

    /// Moves jobs on, each only if nobody has since; those that were moved get their firings and their skips, the others nothing. One transaction.
    ///
    /// # Shape
    ///
    /// The jobs that were moved.
    async fn plan(&self, planned: &[PlannedJob], now: Timestamp) -> Result<Vec<JobId>, StoreError>;

    /// Looks at jobs again after a while, whose next time stays as it is: each only if nobody has moved it since.
    async fn put_off(&self, jobs: &[(JobId, u64)], by: Duration) -> Result<(), StoreError>;

    /// Leases firings that are ready and allow others beside them, the oldest first.
    async fn lease(&self, ask: &LeaseAsk) -> Result<Vec<Leased>, StoreError>;

    /// Tells when something will be ready, and whether something that allows no other beside it is.
    async fn peek(&self, since: Option<Timestamp>) -> Result<Peek, StoreError>;

    /// Leases firings that are ready and allow no other beside them, each only if no other one of its job has begun, and skips those that may not wait.
    ///
    /// Jobs are locked first, in ascending order; what of them is open is read in a new statement.
    async fn take_turns(&self, ask: &LeaseAsk) -> Result<Turned, StoreError>;

    /// Ends or puts off attempts, each only if its lease is still the last one. One transaction.
    ///
    /// # Shape
    ///
    /// The keys of those that were.
    async fn settle(&self, settled: &[Settled]) -> Result<Vec<FiringKey>, StoreError>;

    /// Tells which of these attempts were settled, by the fences that went into the history.
    async fn were_settled(&self, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError>;

    /// Extends leases, each only if it is still the last one.
    ///
    /// # Shape
    ///
    /// The keys of those that were.
    async fn extend(&self, held: &[(FiringKey, u64)], lease: Duration) -> Result<Vec<FiringKey>, StoreError>;

    /// Gives leases back: their firings are ready at once. Of those that never began the attempt does not count.
    async fn give_back(&self, held: &[(FiringKey, u64)], has_begun: bool) -> Result<(), StoreError>;

    /// Reads definitions.
    async fn definitions(&self, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError>;

    /// Brings firings that waited, and will soon be due, to where they are leased from.
    async fn wake_waiting(&self, limit: u32) -> Result<u64, StoreError>;

    /// Gives back the space of firings that are gone, where that is needed: it never waits for anyone.
    async fn rotate(&self) -> Result<u64, StoreError>;

    /// Removes what is older than `age`, in one bounded batch: history, ended jobs, definitions that nothing needs, records.
    ///
    /// # Shape
    ///
    /// How many rows; there may be more when it is `limit` or larger.
    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, StoreError>;

    /// Keeps what the handler `record` was told, once by key.
    async fn record(&self, recorded: &[Recorded]) -> Result<(), StoreError>;

    /// Reads a job, with its next firing and its last.
    async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError>;

    /// Reads jobs in the order of names, each with its next firing and its last.
    async fn jobs(&self, query: &JobsQuery) -> Result<Vec<Job>, StoreError>;

    /// Reads the firings of a job, the newest scheduled time first.
    async fn firings(&self, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError>;

    /// Reads dead letters, the oldest scheduled time first.
    async fn dead_letters(&self, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError>;

    /// Counts what there is.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Asks the database for nothing, to see that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for what is under way, and lets go of the database.
    async fn close(&self);
}

/// One transaction that holds its jobs. Dropping it without [`commit`](Self::commit) undoes everything.
#[async_trait]
pub trait SchedulerTx: Send {
    /// Writes everything that was decided, and makes it durable at once. An empty journal writes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when another copy wrote a row first: nothing was written, run the batch again.
    /// [`StoreError::Lost`] when the outcome is unknown: ask again.
    async fn commit(self: Box<Self>, journal: Journal) -> Result<(), StoreError>;
}

/// Which jobs to plan.
#[derive(Clone, Copy, Debug)]
pub struct DueAsk {
    /// Nothing before this is looked at: it was, and nothing is ever written there.
    pub since: Option<Timestamp>,
    /// How far ahead.
    pub within: Duration,
    /// At most this many.
    pub limit: u32,
}

/// Jobs to plan.
#[derive(Clone, Debug)]
pub struct DueJobs {
    /// The database's clock.
    pub now: Timestamp,
    /// The jobs.
    pub jobs: Vec<JobRow>,
    /// When the next one of the others is to be looked at.
    pub next_at: Option<Timestamp>,
}

/// A job that is moved on.
#[derive(Clone, Debug)]
pub struct PlannedJob {
    /// Which.
    pub job: JobId,
    /// The number by which it was read.
    pub plan: u64,
    /// The first of its times that is not planned.
    pub next_at: Option<Timestamp>,
    /// Its firings.
    pub firings: Vec<NewFiring>,
    /// What of it is skipped.
    pub skipped: Vec<Ended>,
}

/// What to lease.
#[derive(Clone, Debug)]
pub struct LeaseAsk {
    /// For which copy.
    pub copy: String,
    /// For how long.
    pub lease: Duration,
    /// At most this many firings, or jobs.
    pub limit: u32,
    /// Nothing before this is looked at: it was, and nothing is ever written there.
    pub since: Option<Timestamp>,
    /// Targets that can take no more now.
    pub busy: Vec<TargetId>,
}

/// A firing that this copy has to itself, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Its name.
    pub key: FiringKey,
    /// What is to be done.
    pub revision: u64,
    /// By whom.
    pub target: TargetId,
    /// The number of the lease.
    pub fence: u64,
    /// How often it was begun, this time included.
    pub attempts: u32,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was leased.
    pub started_at: Timestamp,
    /// What its handler said last.
    pub message: String,
}

/// What became of firings that allow no other beside them.
#[derive(Clone, Debug, Default)]
pub struct Turned {
    /// Those that were leased.
    pub leased: Vec<Leased>,
    /// Those that never run.
    pub skipped: Vec<Ended>,
}

/// What is coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The database's clock.
    pub now: Timestamp,
    /// When the next firing will be ready that is not.
    pub next_ready: Option<Timestamp>,
    /// Whether a firing is ready that allows no other beside it.
    pub has_turns: bool,
}

/// How one attempt came out.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Which firing.
    pub key: FiringKey,
    /// The number of its lease.
    pub fence: u64,
    /// How it came out.
    pub end: End,
    /// What its handler said.
    pub message: String,
}

/// Which definition.
pub type Revision = (JobId, Incarnation, u64);

/// What the handler `record` was told.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The firing's key.
    pub key: String,
    /// The job.
    pub job: String,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Which jobs to read.
#[derive(Clone, Debug)]
pub struct JobsQuery {
    /// Only of this group.
    pub group: Option<JobGroupId>,
    /// Only those that are paused, or are not.
    pub paused: Option<bool>,
    /// Only those with a larger name.
    pub after: Option<JobId>,
    /// At most this many.
    pub limit: u32,
}

/// Which firings to read.
#[derive(Clone, Debug)]
pub struct FiringsQuery {
    /// Of which job.
    pub job: JobId,
    /// Only in this state.
    pub life: Option<Life>,
    /// Only those before this one.
    pub before: Option<(Timestamp, Incarnation)>,
    /// At most this many.
    pub limit: u32,
}

/// Which dead letters to read.
#[derive(Clone, Debug)]
pub struct DeadQuery {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only of this target.
    pub target: Option<TargetId>,
    /// Only those behind this one.
    pub after: Option<FiringKey>,
    /// At most this many.
    pub limit: u32,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The database's clock.
    pub now: Timestamp,
    /// Jobs that have not ended.
    pub jobs: u64,
    /// Those of them that are paused.
    pub paused: u64,
    /// Firings that are ready.
    pub due: u64,
    /// Since when the oldest of these is.
    pub due_since: Option<Timestamp>,
    /// Firings that some copy has.
    pub running: u64,
    /// Firings that are tried again.
    pub retrying: u64,
    /// Dead letters.
    pub dead: u64,
}

/// The store on a connected database. `clock` is SQLite's: PostgreSQL has its own.
#[must_use]
pub fn on(database: Database, clock: Arc<dyn Clock>) -> Arc<dyn SchedulerStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool)),
        Database::Sqlite(sqlite) => Arc::new(SqliteStore::new(sqlite, clock)),
    }
}

/// The scheduler's migrations for that kind of database.
#[must_use]
pub fn migrator(database: &Database) -> &'static Migrator {
    static SQLITE: Migrator = sqlx::migrate!("../../migrations/scheduler/sqlite");
    match database {
        Database::Postgres(_) => postgres_migrator(),
        Database::Sqlite(_) => &SQLITE,
    }
}

/// The scheduler's migrations for PostgreSQL.
#[must_use]
pub fn postgres_migrator() -> &'static Migrator {
    static POSTGRES: Migrator = sqlx::migrate!("../../migrations/scheduler/postgres");
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

/// Waits for the database no longer than it may take: what hangs holds up nobody, and its outcome is unknown.
///
/// # Errors
///
/// What the call says; [`StoreError::Lost`] when it says nothing in time.
pub async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(CALL_MAX, call).await.unwrap_or_else(|_| {
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer in {CALL_MAX:?}"));
        Err(StoreError::Lost(sqlx::Error::Io(late)))
    })
}
