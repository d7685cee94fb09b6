//! The scheduler in a SQLite file, owned by this process.
//!
//! Every write is `BEGIN IMMEDIATE` on the one writer connection: there is nobody to contend with, so that nothing is locked one by one. A batch is
//! passed as one JSON array and walked by `json_each`: a statement a table, whatever the batch's size.

mod change;
mod fire;
mod keep;
mod read;
mod settle;
mod steady;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::{SqliteDatabase, Statement, StoreError, Traced as _};
use auric_ids::JobId;
use auric_time::{Clock, Timestamp};
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::{
    Counts, DeadQuery, DueAsk, DueJobs, FiringsQuery, JobsQuery, LeaseAsk, Leased, Peek, PlannedJob, Recorded,
    Revision, SchedulerStore, SchedulerTx, Settled, Turned,
};
use crate::domain::{BatchKeys, Book, DeadLetter, Definition, Firing, FiringKey, Job, Journal};

/// The scheduler in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: SqliteDatabase,
    clock: Arc<steady::SteadyClock>,
}

struct SqliteTx {
    transaction: Tx,
}

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// The store on an opened, migrated file.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock: Arc::new(steady::SteadyClock::new(clock)) }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.database.writer.begin_with("BEGIN IMMEDIATE").traced(sql("BEGIN")).await?)
    }
}

#[async_trait]
impl SchedulerStore for SqliteStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn SchedulerTx>), StoreError> {
        let mut transaction = self.begin().await?;
        let opened = change::open(&mut transaction, &keys, self.clock.now()).await?;
        Ok((Book::new(opened), Box::new(SqliteTx { transaction })))
    }

    async fn due_jobs(&self, ask: &DueAsk) -> Result<DueJobs, StoreError> {
        fire::due_jobs(&self.database.readers, ask, self.clock.now()).await
    }

    async fn plan(&self, planned: &[PlannedJob], now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let mut transaction = self.begin().await?;
        let moved = fire::plan(&mut transaction, planned, now, self.clock.now()).await?;
        commit(transaction).await?;
        Ok(moved)
    }

    async fn put_off(&self, jobs: &[(JobId, u64)], by: Duration) -> Result<(), StoreError> {
        let until = self.clock.now().plus_micros(micros(by));
        sqlx::query(
            "UPDATE jobs
             SET wake_at = ?2
             FROM json_each(?1) AS wanted
             WHERE jobs.job_id = wanted.value ->> 0
               AND jobs.plan = wanted.value ->> 1",
        )
        .bind(array(jobs, |(id, plan)| json!([id, plan])))
        .bind(until.micros())
        .execute(&self.database.writer)
        .traced(sql("UPDATE jobs"))
        .await?;
        Ok(())
    }

    async fn lease(&self, ask: &LeaseAsk) -> Result<Vec<Leased>, StoreError> {
        fire::lease(&self.database.writer, ask, self.clock.now()).await
    }

    async fn peek(&self, since: Option<Timestamp>) -> Result<Peek, StoreError> {
        fire::peek(&self.database.readers, since, self.clock.now()).await
    }

    async fn take_turns(&self, ask: &LeaseAsk) -> Result<Turned, StoreError> {
        let mut transaction = self.begin().await?;
        let turned = turns::take(&mut transaction, ask, self.clock.now()).await?;
        commit(transaction).await?;
        Ok(turned)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<Vec<FiringKey>, StoreError> {
        let mut transaction = self.begin().await?;
        let written = settle::settle(&mut transaction, settled, self.clock.now()).await?;
        commit(transaction).await?;
        Ok(written)
    }

    async fn were_settled(&self, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError> {
        settle::were_settled(&self.database.readers, settled).await
    }

    async fn extend(&self, held: &[(FiringKey, u64)], lease: Duration) -> Result<Vec<FiringKey>, StoreError> {
        settle::extend(&self.database.writer, held, self.clock.now().plus_micros(micros(lease))).await
    }

    async fn give_back(&self, held: &[(FiringKey, u64)], has_begun: bool) -> Result<(), StoreError> {
        settle::give_back(&self.database.writer, held, has_begun, self.clock.now()).await
    }

    async fn definitions(&self, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError> {
        read::definitions(&self.database.readers, wanted).await
    }

    async fn wake_waiting(&self, limit: u32) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let woken = keep::wake_waiting(&mut transaction, limit, self.clock.now()).await?;
        commit(transaction).await?;
        Ok(woken)
    }

    /// A file gives pages back by itself: there is nothing to rotate.
    async fn rotate(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        let before = self.clock.now().plus_micros(micros(age).saturating_neg());
        keep::prune(&self.database.writer, before, limit).await
    }

    async fn record(&self, recorded: &[Recorded]) -> Result<(), StoreError> {
        keep::record(&self.database.writer, recorded, self.clock.now()).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        read::job(&self.database.readers, id).await
    }

    async fn jobs(&self, query: &JobsQuery) -> Result<Vec<Job>, StoreError> {
        read::jobs(&self.database.readers, query).await
    }

    async fn firings(&self, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError> {
        read::firings(&self.database.readers, query).await
    }

    async fn dead_letters(&self, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError> {
        read::dead_letters(&self.database.readers, query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        read::counts(&self.database.readers, self.clock.now()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.database.readers).traced(sql("SELECT")).await?;
        Ok(())
    }

    async fn close(&self) {
        self.database.readers.close().await;
        self.database.writer.close().await;
    }
}

#[async_trait]
impl SchedulerTx for SqliteTx {
    async fn commit(mut self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        change::write(&mut self.transaction, &journal).await?;
        commit(self.transaction).await
    }
}

async fn commit(transaction: Tx) -> Result<(), StoreError> {
    transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}

/// Many rows as one JSON array.
fn array<T>(items: impl IntoIterator<Item = T>, of: impl Fn(T) -> Value) -> String {
    Value::Array(items.into_iter().map(of).collect()).to_string()
}

/// Keys of firings as one JSON array.
fn keys<'a>(keys: impl IntoIterator<Item = &'a FiringKey>) -> String {
    array(keys, |key| json!([key.job, key.scheduled_for, key.incarnation]))
}

/// Leases as one JSON array.
fn held(held: &[(FiringKey, u64)]) -> String {
    array(held, |(key, fence)| json!([key.job, key.scheduled_for, key.incarnation, fence]))
}

/// From where on to look; no row has a time before the epoch.
fn since(time: Option<Timestamp>) -> i64 {
    time.unwrap_or(Timestamp::EPOCH).micros()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Tests that every row was as it was loaded.
fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if u64::try_from(expected) == Ok(written) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}
