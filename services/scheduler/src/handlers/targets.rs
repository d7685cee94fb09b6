//! Who does what jobs set in motion.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_ids::{HandlerId, TargetId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::{FiringKey, JobSpec};

/// A service that does what jobs set in motion.
#[async_trait]
pub trait Target: Send + Sync + std::fmt::Debug {
    /// Has a batch of firings of one handler done, until the deadline.
    ///
    /// # Errors
    ///
    /// What went wrong, for a person: every one of them may or may not have been done.
    async fn run(&self, handler: &HandlerId, firings: &[ToRun], deadline: Duration) -> Result<Vec<Ran>, String>;
}

/// One firing that is to be done.
#[derive(Clone, Debug)]
pub struct ToRun {
    /// Its name, the same on every attempt.
    pub key: FiringKey,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What its job said when it was planned.
    pub spec: Arc<JobSpec>,
}

/// What a target said of one firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Which, in the target's words.
    pub key: String,
    /// How it came out.
    pub end: RunEnd,
    /// What is to be said about it.
    pub message: String,
}

/// How a target says that a firing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It is done.
    Done,
    /// It failed for a reason that may pass.
    Failed,
    /// It failed for a reason that will not.
    Rejected,
}

/// The targets in the settings.
#[derive(Clone, Debug, Default)]
pub struct TargetSet(BTreeMap<TargetId, Place>);

#[derive(Clone, Debug)]
struct Place {
    target: Arc<dyn Target>,
    free: Arc<Semaphore>,
    calls_max: usize,
}

/// A target can take no more calls now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy;

/// How busy a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStanding {
    /// Which.
    pub target: TargetId,
    /// Calls in flight.
    pub calls: usize,
    /// Calls that there may be.
    pub calls_max: usize,
}

impl TargetSet {
    /// Adds a target; a copy has at most `calls_max` calls in flight there.
    #[must_use]
    pub fn with(mut self, name: TargetId, target: Arc<dyn Target>, calls_max: NonZeroU16) -> Self {
        let calls_max = usize::from(calls_max.get());
        self.0.insert(name, Place { target, free: Arc::new(Semaphore::new(calls_max)), calls_max });
        self
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<TargetId> {
        self.0.keys().cloned().collect()
    }

    /// The target of that name.
    pub(super) fn get(&self, name: &TargetId) -> Option<Arc<dyn Target>> {
        self.0.get(name).map(|place| Arc::clone(&place.target))
    }

    /// The right to call a target once; one that the settings do not know needs none.
    ///
    /// # Errors
    ///
    /// [`Busy`] while it can take no more.
    pub(super) fn try_call(&self, name: &TargetId) -> Result<Option<OwnedSemaphorePermit>, Busy> {
        let Some(place) = self.0.get(name) else { return Ok(None) };
        Arc::clone(&place.free).try_acquire_owned().map(Some).map_err(|_| Busy)
    }

    /// Those that can take no call now.
    pub(super) fn busy(&self) -> Vec<TargetId> {
        let busy = self.0.iter().filter(|(_, place)| place.free.available_permits() == 0);
        busy.map(|(name, _)| name.clone()).collect()
    }

    /// How busy each is, in the order of names.
    pub(super) fn standing(&self) -> Vec<TargetStanding> {
        let one = |(name, place): (&TargetId, &Place)| TargetStanding {
            target: name.clone(),
            calls: place.calls_max.saturating_sub(place.free.available_permits()),
            calls_max: place.calls_max,
        };
        self.0.iter().map(one).collect()
    }
}
