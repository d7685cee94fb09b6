//! Where events are kept: two tables in the service's own database, the same in each (`migrations/<service>/*_outbox.sql`).
//!
//! [`postgres`] and [`sqlite`] write the events of a batch inside the service's transaction. [`Outbox`] is what needs no batch: reading and pruning.

pub mod consumed;
pub mod postgres;
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use auric_db::{Database, DbTime, StoreError};
use auric_time::{Clock, Timestamp};
use serde::Serialize;

use crate::{Cursor, Noted, Place};

/// What a batch tells: one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    events: i32,
    body: String,
}

/// The outbox of one service.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    /// SQLite's: PostgreSQL has its own.
    clock: Arc<dyn Clock>,
}

/// What one read found: one snapshot.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The database's clock.
    pub now: Timestamp,
    /// Every lane in which the reader is not where the lane is.
    pub lanes: Vec<LaneState>,
    /// The next rows of those lanes, by position; not all of them, when there are more than were asked for.
    pub rows: Vec<OutboxRow>,
}

/// How a lane stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    /// Which.
    pub lane: i16,
    /// Its newest row; 0 where there is no such lane.
    pub last_seq: u64,
    /// When that was written.
    pub last_time: Timestamp,
    /// When the row was written that the reader read last, where it is still kept.
    pub read_time: Option<Timestamp>,
    /// Whether the lane has rows behind that.
    pub has_more: bool,
}

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The lane.
    pub lane: i16,
    /// Its number there.
    pub seq: u64,
    /// Larger than that of every row before it of which a player is the same.
    pub position: i64,
    /// When it was written.
    pub time: Timestamp,
    /// Its events, as text.
    pub body: String,
}

/// What a pruning came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Batches of events that were deleted.
    pub rows: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Lanes of one source that are written: copies that share one wait for each other's commits.
const LANES: u16 = 32;

/// The lane that a batch of `lane` tells in, at a copy that adds `offset` to the numbers of its lanes, so that copies seldom write into the same.
#[must_use]
pub fn outbox_lane(offset: u16, lane: u16) -> i16 {
    i16::try_from(offset.wrapping_add(lane) % LANES).unwrap_or_default()
}

impl Batch {
    /// The row that tells of `events`; nothing when nothing happened.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when an event cannot be written as text.
    pub fn of<T: Serialize>(events: &[Noted<T>]) -> Result<Option<Self>, StoreError> {
        if events.is_empty() {
            return Ok(None);
        }
        let body = serde_json::to_string(events)
            .map_err(|error| StoreError::Corrupt(format!("an event cannot be written: {error}")))?;
        Ok(Some(Self { events: i32::try_from(events.len()).unwrap_or(i32::MAX), body }))
    }
}

impl Outbox {
    /// The outbox in a connected, migrated database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Reads up to `rows_max` rows behind `cursor`, in one snapshot.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read(&self, cursor: &Cursor, rows_max: u32) -> Result<Found, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::read(pool, cursor, rows_max).await,
            Database::Sqlite(sqlite) => sqlite::read(sqlite, self.clock.now(), cursor, rows_max).await,
        }
    }

    /// Reads the cursor before everything that is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn start(&self) -> Result<Cursor, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::start(pool).await,
            Database::Sqlite(sqlite) => sqlite::start(sqlite).await,
        }
    }

    /// Reads the cursor behind everything that is committed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end(&self) -> Result<Cursor, StoreError> {
        match &self.database {
            Database::Postgres(pool) => postgres::end(pool).await,
            Database::Sqlite(sqlite) => sqlite::end(sqlite).await,
        }
    }

    /// Deletes rows that are older than `keep`, oldest first: `rows_max` at most, in one short transaction.
    ///
    /// The function to call from time to time, until [`Pruned::more`] is false. Nobody else deletes events. A reader whose next event was deleted is
    /// told so.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was deleted before stays so.
    pub async fn prune(&self, keep: Duration, rows_max: u32) -> Result<Pruned, StoreError> {
        let rows = match &self.database {
            Database::Postgres(pool) => postgres::prune(pool, keep, rows_max).await?,
            Database::Sqlite(sqlite) => sqlite::prune(sqlite, self.clock.now(), keep, rows_max).await?,
        };
        Ok(Pruned { rows, more: rows >= u64::from(rows_max) })
    }
}

fn cursor(lanes: Vec<(i16, i64, DbTime)>) -> Result<Cursor, StoreError> {
    let place = |(lane, seq, time): (i16, i64, DbTime)| Ok((lane, Place { seq: number(seq)?, time: time.0, part: 0 }));
    Ok(Cursor::at(lanes.into_iter().map(place).collect::<Result<Vec<_>, StoreError>>()?))
}

/// A time span in microseconds, as both databases take it.
fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(bigint: i64) -> Result<u64, StoreError> {
    u64::try_from(bigint).map_err(|_| StoreError::Corrupt(format!("a number of the outbox is {bigint}")))
}
