//! The scheduler in PostgreSQL, shared by every copy of the service.
//!
//! Planning takes BEGIN, one statement that moves the jobs, one each for firings and skips, COMMIT, however many jobs there are. A lease is one statement.
//! Turns take BEGIN, find, lock, read, one statement each to lease, skip and put off, COMMIT. Settling takes BEGIN, one statement for each way to end, COMMIT.
//! Jobs are locked in ascending order, before any firing.

mod change;
mod fire;
mod keep;
mod read;
mod settle;
mod turns;

use std::time::Duration;

use async_trait::async_trait;
use auric_db::{DbTime, Statement, StoreError, Traced as _};
use auric_ids::JobId;
use auric_time::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

use super::{
    Counts, DeadQuery, DueAsk, DueJobs, FiringsQuery, JobsQuery, LeaseAsk, Leased, Peek, PlannedJob, Recorded,
    Revision, SchedulerStore, SchedulerTx, Settled, Turned,
};
use crate::domain::{BatchKeys, Book, DeadLetter, Definition, Firing, FiringKey, Job, Journal};

/// The scheduler in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
}

struct PostgresTx {
    transaction: Tx,
}

type Tx = Transaction<'static, Postgres>;

impl PostgresStore {
    /// The store on a connected, migrated database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin().traced(sql("BEGIN")).await.map_err(unavailable)
    }
}

#[async_trait]
impl SchedulerStore for PostgresStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn SchedulerTx>), StoreError> {
        let mut transaction = self.begin().await?;
        let opened = change::open(&mut transaction, &keys).await?;
        Ok((Book::new(opened), Box::new(PostgresTx { transaction })))
    }

    async fn due_jobs(&self, ask: &DueAsk) -> Result<DueJobs, StoreError> {
        fire::due_jobs(&self.pool, ask).await
    }

    async fn plan(&self, planned: &[PlannedJob], now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let mut transaction = self.begin().await?;
        let moved = fire::plan(&mut transaction, planned, now).await?;
        commit(transaction).await?;
        Ok(moved)
    }

    async fn put_off(&self, jobs: &[(JobId, u64)], by: Duration) -> Result<(), StoreError> {
        fire::put_off(&self.pool, jobs, by).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> Result<Vec<Leased>, StoreError> {
        fire::lease(&self.pool, ask).await
    }

    async fn peek(&self, since: Option<Timestamp>) -> Result<Peek, StoreError> {
        fire::peek(&self.pool, since).await
    }

    async fn take_turns(&self, ask: &LeaseAsk) -> Result<Turned, StoreError> {
        let mut transaction = self.begin().await?;
        let turned = turns::take(&mut transaction, ask).await?;
        commit(transaction).await?;
        Ok(turned)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<Vec<FiringKey>, StoreError> {
        let mut transaction = self.begin().await?;
        let written = settle::settle(&mut transaction, settled).await?;
        commit(transaction).await?;
        Ok(written)
    }

    async fn were_settled(&self, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError> {
        settle::were_settled(&self.pool, settled).await
    }

    async fn extend(&self, held: &[(FiringKey, u64)], lease: Duration) -> Result<Vec<FiringKey>, StoreError> {
        settle::extend(&self.pool, held, lease).await
    }

    async fn give_back(&self, held: &[(FiringKey, u64)], has_begun: bool) -> Result<(), StoreError> {
        settle::give_back(&self.pool, held, has_begun).await
    }

    async fn definitions(&self, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError> {
        read::definitions(&self.pool, wanted).await
    }

    async fn wake_waiting(&self, limit: u32) -> Result<u64, StoreError> {
        keep::wake_waiting(&self.pool, limit).await
    }

    async fn rotate(&self) -> Result<u64, StoreError> {
        keep::rotate(&self.pool).await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        keep::prune(&self.pool, age, limit).await
    }

    async fn record(&self, recorded: &[Recorded]) -> Result<(), StoreError> {
        keep::record(&self.pool, recorded).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        read::job(&self.pool, id).await
    }

    async fn jobs(&self, query: &JobsQuery) -> Result<Vec<Job>, StoreError> {
        read::jobs(&self.pool, query).await
    }

    async fn firings(&self, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError> {
        read::firings(&self.pool, query).await
    }

    async fn dead_letters(&self, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError> {
        read::dead_letters(&self.pool, query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        read::counts(&self.pool).await
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
impl SchedulerTx for PostgresTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        change::write(&mut self.transaction, &journal).await?;
        commit(self.transaction).await
    }
}

/// From here on a failure says nothing about the outcome.
async fn commit(transaction: Tx) -> Result<(), StoreError> {
    transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
}

/// Nothing was begun, so that a broken connection leaves nothing in doubt.
fn unavailable(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Lost(error) => StoreError::Unavailable(error),
        other => other,
    }
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}

/// A point in time as a parameter.
fn db_time(time: Timestamp) -> DbTime {
    DbTime(time)
}

/// From where on to look; no row has a time before the epoch.
fn since(time: Option<Timestamp>) -> DbTime {
    DbTime(time.unwrap_or(Timestamp::EPOCH))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// One column of many rows.
fn column<'a, T, V>(rows: &'a [T], of: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(of).collect()
}

/// Tests that every row was as it was loaded.
fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if u64::try_from(expected) == Ok(written) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}

/// Keys of firings, and a number each, as columns.
struct Keys<'a> {
    slots: Vec<i16>,
    jobs: Vec<&'a str>,
    times: Vec<DbTime>,
    incarnations: Vec<i64>,
}

impl<'a> Keys<'a> {
    fn of(keys: impl IntoIterator<Item = &'a FiringKey>) -> Self {
        let mut columns = Self { slots: Vec::new(), jobs: Vec::new(), times: Vec::new(), incarnations: Vec::new() };
        for key in keys {
            columns.slots.push(super::rows::slot_of(key.scheduled_for));
            columns.jobs.push(key.job.as_str());
            columns.times.push(DbTime(key.scheduled_for));
            columns.incarnations.push(key.incarnation.number());
        }
        columns
    }
}
