//! A store that fails by chance: before a call has its effect, or after, so that nobody knows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auric_db::{Contention, StoreError};
use auric_ids::JobId;
use auric_scheduler::domain::{BatchKeys, Book, DeadLetter, Definition, Firing, FiringKey, Job, Journal};
use auric_scheduler::store::{
    Counts, DeadQuery, DueAsk, DueJobs, FiringsQuery, JobsQuery, LeaseAsk, Leased, Peek, PlannedJob, Recorded,
    Revision, SchedulerStore, SchedulerTx, Settled, Turned,
};
use auric_time::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The real store, of whose calls one in so many fails.
#[derive(Debug)]
pub struct FaultyStore {
    store: Arc<dyn SchedulerStore>,
    chance: Arc<Chance>,
}

/// By which a call fails.
#[derive(Debug)]
pub struct Chance {
    rng: Mutex<StdRng>,
    one_in: AtomicU64,
    /// Calls that failed.
    pub failed: AtomicU64,
}

#[derive(Clone, Copy)]
enum Fault {
    Before,
    Contended,
    After,
}

impl Chance {
    pub fn new(seed: u64, one_in: u64) -> Arc<Self> {
        let rng = Mutex::new(StdRng::seed_from_u64(seed));
        Arc::new(Self { rng, one_in: AtomicU64::new(one_in), failed: AtomicU64::new(0) })
    }

    /// From now on nothing fails.
    pub fn stop(&self) {
        self.one_in.store(u64::MAX, Relaxed);
    }

    fn draw(&self) -> Option<Fault> {
        let mut rng = self.rng.lock().unwrap();
        if rng.random_range(0..self.one_in.load(Relaxed)) != 0 {
            return None;
        }
        self.failed.fetch_add(1, Relaxed);
        Some([Fault::Before, Fault::Contended, Fault::After][rng.random_range(0..3)])
    }

    async fn of<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let broken = || sqlx::Error::Io(std::io::Error::other("injected"));
        match self.draw() {
            None => call.await,
            Some(Fault::Before) => Err(StoreError::Lost(broken())),
            Some(Fault::Contended) => Err(StoreError::Contended(Contention::Deadlock, broken())),
            Some(Fault::After) => {
                call.await?;
                Err(StoreError::Lost(broken()))
            }
        }
    }
}

impl FaultyStore {
    pub fn over(store: Arc<dyn SchedulerStore>, chance: Arc<Chance>) -> Arc<dyn SchedulerStore> {
        Arc::new(Self { store, chance })
    }
}

struct FaultyTx {
    transaction: Box<dyn SchedulerTx>,
    chance: Arc<Chance>,
}

#[async_trait]
impl SchedulerTx for FaultyTx {
    async fn commit(self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        self.chance.of(self.transaction.commit(journal)).await
    }
}

#[async_trait]
impl SchedulerStore for FaultyStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn SchedulerTx>), StoreError> {
        let (book, transaction) = self.store.open(keys).await?;
        Ok((book, Box::new(FaultyTx { transaction, chance: Arc::clone(&self.chance) })))
    }

    async fn due_jobs(&self, ask: &DueAsk) -> Result<DueJobs, StoreError> {
        self.chance.of(self.store.due_jobs(ask)).await
    }

    async fn plan(&self, planned: &[PlannedJob], now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        self.chance.of(self.store.plan(planned, now)).await
    }

    async fn put_off(&self, jobs: &[(JobId, u64)], by: Duration) -> Result<(), StoreError> {
        self.chance.of(self.store.put_off(jobs, by)).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> Result<Vec<Leased>, StoreError> {
        self.chance.of(self.store.lease(ask)).await
    }

    async fn peek(&self, since: Option<Timestamp>) -> Result<Peek, StoreError> {
        self.chance.of(self.store.peek(since)).await
    }

    async fn take_turns(&self, ask: &LeaseAsk) -> Result<Turned, StoreError> {
        self.chance.of(self.store.take_turns(ask)).await
    }

    async fn settle(&self, settled: &[Settled]) -> Result<Vec<FiringKey>, StoreError> {
        self.chance.of(self.store.settle(settled)).await
    }

    async fn were_settled(&self, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError> {
        self.chance.of(self.store.were_settled(settled)).await
    }

    async fn extend(&self, held: &[(FiringKey, u64)], lease: Duration) -> Result<Vec<FiringKey>, StoreError> {
        self.chance.of(self.store.extend(held, lease)).await
    }

    async fn give_back(&self, held: &[(FiringKey, u64)], has_begun: bool) -> Result<(), StoreError> {
        self.chance.of(self.store.give_back(held, has_begun)).await
    }

    async fn definitions(&self, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError> {
        self.chance.of(self.store.definitions(wanted)).await
    }

    async fn wake_waiting(&self, limit: u32) -> Result<u64, StoreError> {
        self.chance.of(self.store.wake_waiting(limit)).await
    }

    async fn rotate(&self) -> Result<u64, StoreError> {
        self.chance.of(self.store.rotate()).await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        self.store.prune(age, limit).await
    }

    async fn record(&self, recorded: &[Recorded]) -> Result<(), StoreError> {
        self.store.record(recorded).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        self.store.job(id).await
    }

    async fn jobs(&self, query: &JobsQuery) -> Result<Vec<Job>, StoreError> {
        self.store.jobs(query).await
    }

    async fn firings(&self, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError> {
        self.store.firings(query).await
    }

    async fn dead_letters(&self, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.store.counts().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
