//! Where operations are kept: two tables in the coordinator's own database, the same in each (`migrations/<service>/*_operations.sql`).
//!
//! [`postgres`] and [`sqlite`] load and write the [`Log`](crate::Log) of a batch inside the coordinator's transaction. [`Operations`] is what needs no
//! batch: leases, DONE, and what operators look at.

pub mod postgres;
mod rows;
pub mod sqlite;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auric_db::{Database, StoreError};
use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Clock;

use crate::Operation;

/// What a batch reads of the log.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Keys, with the newest attempt of each.
    pub keys: BTreeSet<MutationKey>,
    /// Single operations.
    pub operations: BTreeSet<(PlayerId, OperationId)>,
    /// Players whose undecided operations are read, all of them.
    pub undecided: BTreeSet<PlayerId>,
}

/// The operations of one coordinator, outside of its batches.
#[derive(Clone, Debug)]
pub struct Operations {
    database: Database,
    /// SQLite's: PostgreSQL has its own.
    clock: Arc<dyn Clock>,
}

/// Which operations to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Those that are not done, oldest first, after this one.
    Open(Option<OpenCursor>),
    /// All, in the order of players and ids, after this one.
    All(Option<(PlayerId, OperationId)>),
}

/// A place in the list of what is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCursor {
    /// When the last one was begun.
    pub begun_at: auric_time::Timestamp,
    /// Its id.
    pub id: OperationId,
}

/// A lease: which operation, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose operation it is.
    pub player: PlayerId,
    /// Its id.
    pub id: OperationId,
    /// The number of the lease.
    pub fence: u64,
}

impl Operation {
    /// The lease that it was read with.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { player: self.player.clone(), id: self.id.clone(), fence: self.fence }
    }
}

impl Operations {
    /// The operations in a connected, migrated database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Takes up to `limit` operations that are not done and whose lease has run out, for `lease`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn lease(&self, limit: u32, lease: Duration) -> Result<Vec<Operation>, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::lease(pool, limit, lease).await,
            Database::Sqlite(sqlite) => sqlite::lease(sqlite, self.clock.now(), limit, lease).await,
        }
    }

    /// Makes leases last for `lease` from now on; those whose number is another's now, or that are done, stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<(), StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::renew(pool, leases, lease).await,
            Database::Sqlite(sqlite) => sqlite::renew(sqlite, self.clock.now(), leases, lease).await,
        }
    }

    /// Notes what kept an operation from being done, and when it may be taken up again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn put_off(&self, lease: &Lease, error: &str, wait: Duration) -> Result<(), StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::put_off(pool, lease, error, wait).await,
            Database::Sqlite(sqlite) => sqlite::put_off(sqlite, self.clock.now(), lease, error, wait).await,
        }
    }

    /// Writes that operations are done; those that are already stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn done(&self, operations: &[(PlayerId, OperationId)]) -> Result<(), StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::done(pool, operations).await,
            Database::Sqlite(sqlite) => sqlite::done(sqlite, self.clock.now(), operations).await,
        }
    }

    /// Makes an operation due at once; tells whether it was there and not done.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn hasten(&self, player: &PlayerId, id: &OperationId) -> Result<bool, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::hasten(pool, player, id).await,
            Database::Sqlite(sqlite) => sqlite::hasten(sqlite, self.clock.now(), player, id).await,
        }
    }

    /// Reads one operation.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn get(&self, player: &PlayerId, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::get(pool, player, id).await,
            Database::Sqlite(sqlite) => sqlite::get(sqlite, player, id).await,
        }
    }

    /// Reads the newest attempt under a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_key(&self, key: &MutationKey) -> Result<Option<Operation>, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::of_key(pool, key).await,
            Database::Sqlite(sqlite) => sqlite::of_key(sqlite, key).await,
        }
    }

    /// Reads up to `limit` operations.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list(&self, listing: &Listing, limit: u32) -> Result<Vec<Operation>, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::list(pool, listing, limit).await,
            Database::Sqlite(sqlite) => sqlite::list(sqlite, listing, limit).await,
        }
    }

    /// Counts what is not done, and tells how many seconds the oldest of it is old.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count_open(&self) -> Result<(u64, u64), StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::count_open(pool).await,
            Database::Sqlite(sqlite) => sqlite::count_open(sqlite, self.clock.now()).await,
        }
    }

    /// Of these, reads those that are in the log.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn known(&self, wanted: &[(PlayerId, OperationId)]) -> Result<BTreeSet<OperationId>, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::known(pool, wanted).await,
            Database::Sqlite(sqlite) => sqlite::known(sqlite, wanted).await,
        }
    }
}

/// A wait in microseconds, as both databases take it.
fn micros(wait: Duration) -> i64 {
    i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
}

/// A write that must touch as many rows as it names.
fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}
