//! What the scheduler does: changes of jobs go through lanes, firings through loops that every copy runs beside the others.
//!
//! The planner turns times into firings a little ahead of them; the runner leases what is ready and calls targets; the settler writes what came of it, many
//! at once; the heartbeat keeps leases; the keeper wakes, truncates and prunes; the reconciler sees to desired sets. None of them is a leader, and no
//! one of them ends because something failed: it says so, and looks again.

mod attempt;
mod definitions;
mod figures;
mod held;
mod keeper;
mod line;
mod mutate;
mod planner;
mod reconcile;
mod reload;
mod runner;
mod settler;
mod targets;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use auric_db::StoreError;
use auric_ids::{JobId, TargetId};
use auric_lanes::{LaneSettings, LaneStats, Lanes};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Pace;
use crate::domain::{Ask, DeadLetter, Firing, Job, JobSpec, Verdict};
use crate::store::{Counts, DeadQuery, FiringsQuery, JobsQuery, Recorded, Revision, SchedulerStore, bounded};

pub(crate) use line::log_malformed;
pub use reconcile::DesiredSet;
pub use targets::{Ran, RunEnd, Target, TargetSet, TargetStanding, ToRun};

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

/// How the scheduler stands, as one copy sees it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The copy.
    pub copy: String,
    /// What there is.
    pub counts: Counts,
    /// Calls that the copy has in flight.
    pub calls: usize,
    /// Calls that it may have.
    pub calls_max: usize,
    /// Its targets.
    pub targets: Vec<TargetStanding>,
}

/// Everything that one copy of the scheduler does.
pub struct Handlers {
    store: Arc<dyn SchedulerStore>,
    lanes: Lanes<Ask, Verdict>,
    pace: Pace,
    /// What this copy's leases are called.
    copy: String,
    targets: TargetSet,
    /// Calls that may still be begun.
    free: Arc<Semaphore>,
    definitions: definitions::Definitions,
    held: held::Held,
    settler: settler::Settler,
    desired: ArcSwap<Vec<DesiredSet>>,
    counts: ArcSwap<Counts>,
    wakes: Arc<Wakes>,
    closing: CancellationToken,
    /// The calls that are still in flight are given up.
    cut: CancellationToken,
    tasks: TaskTracker,
}

/// Who is told of what.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// A job may have to be planned.
    planner: Notify,
    /// A firing may be ready, or a call may be begun.
    runner: Notify,
    /// A desired set has changed.
    reconciler: Notify,
}

impl Handlers {
    /// Starts the lanes on an open store; nothing fires before [`Self::begin_to_work`].
    #[must_use]
    pub fn start(store: Arc<dyn SchedulerStore>, targets: TargetSet, pace: Pace, settings: LaneSettings) -> Self {
        let wakes = Arc::new(Wakes::default());
        let names: BTreeSet<TargetId> = targets.names();
        let desk = mutate::Desk { store: Arc::clone(&store), targets: names, pace, wakes: Arc::clone(&wakes) };
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self {
            lanes: Lanes::start(desk, settings, &mut rand::rng()),
            pace,
            copy: format!("{:016x}", rand::random::<u64>()),
            targets,
            free: Arc::new(Semaphore::new(usize::from(pace.parallel_max.get()))),
            definitions: definitions::Definitions::default(),
            held: held::Held::default(),
            settler: settler::Settler::start(Arc::clone(&store), &tasks),
            desired: ArcSwap::default(),
            counts: ArcSwap::default(),
            wakes,
            closing,
            cut: CancellationToken::new(),
            tasks,
            store,
        }
    }

    /// Begins to plan, to run and to keep house, until the scheduler closes.
    pub fn begin_to_work(self: &Arc<Self>) {
        figures::observe(self);
        let (planner, runner, heart) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        let (keeper, reconciler) = (Arc::clone(self), Arc::clone(self));
        self.tasks.spawn(async move { planner.plan_jobs().await });
        self.tasks.spawn(async move { runner.run_firings().await });
        self.tasks.spawn(async move { heart.keep_leases().await });
        self.tasks.spawn(async move { keeper.keep_house().await });
        self.tasks.spawn(async move { reconciler.reconcile().await });
    }

    /// What each lane has done since the start.
    #[must_use]
    pub fn lane_stats(&self) -> Vec<LaneStats> {
        self.lanes.stats()
    }

    /// Reads a job.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        bounded(self.store.job(id)).await
    }

    /// Reads a page of jobs, in the order of names.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn jobs(&self, query: JobsQuery) -> Result<Page<Job>, StoreError> {
        let beyond = JobsQuery { limit: query.limit.saturating_add(1), ..query };
        Ok(page(bounded(self.store.jobs(&beyond)).await?, query.limit))
    }

    /// Reads a page of a job's firings, the newest scheduled time first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn firings(&self, query: FiringsQuery) -> Result<Page<Firing>, StoreError> {
        let beyond = FiringsQuery { limit: query.limit.saturating_add(1), ..query };
        Ok(page(bounded(self.store.firings(&beyond)).await?, query.limit))
    }

    /// Reads a page of dead letters, the oldest scheduled time first, each with what it was to do where that can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn dead_letters(&self, query: DeadQuery) -> Result<Page<(DeadLetter, Option<Arc<JobSpec>>)>, StoreError> {
        let beyond = DeadQuery { limit: query.limit.saturating_add(1), ..query };
        let Page { items, more } = page(bounded(self.store.dead_letters(&beyond)).await?, query.limit);
        let revision = |letter: &DeadLetter| -> Revision {
            (letter.firing.key.job.clone(), letter.firing.key.incarnation, letter.revision)
        };
        let wanted: Vec<Revision> = items.iter().map(revision).collect();
        let specs = self.definitions.read(self.store.as_ref(), &wanted).await?;
        let items = items.into_iter().map(|letter| {
            let spec = specs.get(&revision(&letter)).cloned();
            (letter, spec)
        });
        Ok(Page { items: items.collect(), more })
    }

    /// Tells how the scheduler stands.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let counts = bounded(self.store.counts()).await?;
        let calls_max = usize::from(self.pace.parallel_max.get());
        let calls = calls_max.saturating_sub(self.free.available_permits());
        Ok(Standing { copy: self.copy.clone(), counts, calls, calls_max, targets: self.targets.standing() })
    }

    /// Keeps what the handler `record` was told, once by key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record(&self, recorded: &[Recorded]) -> Result<(), StoreError> {
        bounded(self.store.record(recorded)).await
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        bounded(self.store.ping()).await
    }

    /// Leases nothing any more, gives back at once what has not begun, waits for calls in flight up to the bound and gives back the rest, and lets go of
    /// the database.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.pace.drain_max, self.free.acquire_many(u32::from(self.pace.parallel_max.get())))
            .await
            .is_err()
        {
            tracing::warn!("calls in flight are given up; other copies take their firings over");
        }
        self.cut.cancel();
        if let Err(late) = self.lanes.drain().await {
            tracing::warn!(error = %late, "requests in flight were given up; their callers ask again");
        }
        self.settler.close();
        self.tasks.wait().await;
        self.store.close().await;
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handlers").field("copy", &self.copy).field("store", &self.store).finish_non_exhaustive()
    }
}

/// Cuts off the one that tells whether there are more.
fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    Page { items, more }
}
