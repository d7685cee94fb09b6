//! Drives one operation from its BEGIN to its end, whoever began it.
//!
//! Everything here may be repeated, and may end anywhere: what is durable is in the log and at the participants. A driver that dies leaves a lease that
//! runs out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auric_ids::{OperationId, PlayerId};
use futures::future::join_all;
use opentelemetry::trace::FutureExt as _;
use rand::RngExt as _;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::store::{Lease, Operations};
use crate::{Decision, Operation, Settings, State, Step, figures};

/// Operations whose end waits to be written; beyond them, drivers wait.
const DONE_QUEUE_MAX: usize = 4_096;

/// What a participant said to PREPARE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It promises that its commit will succeed.
    Yes,
    /// A rule says no, in the coordinator's own words: the key's answer for ever.
    No(String),
    /// It did not say, or what it said means nothing: a no that may be tried again. The reason is for a person.
    Unknown(String),
}

/// A participant has not done yet what was decided; the reason is for a person.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unfinished(pub String);

/// The coordinator's own database did not answer; the reason is for a person.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// One of the services that an operation is made of, as its coordinator calls it.
///
/// Each call may be repeated, by any copy: what it asks follows from the operation alone.
#[async_trait]
pub trait Participant: Send + Sync + 'static {
    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// Asks it to promise. A participant that this operation does not need says yes.
    async fn prepare(&self, operation: &Operation) -> Vote;

    /// Tells it the decision, which the operation has.
    ///
    /// # Errors
    ///
    /// [`Unfinished`]: it has not done it, or nobody knows.
    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished>;

    /// Lists what it has held for at least `age_min` for operations of this coordinator.
    ///
    /// # Errors
    ///
    /// [`Unfinished`]: it did not say.
    async fn orphans(&self, age_min: Duration) -> Result<Vec<(PlayerId, OperationId)>, Unfinished>;
}

/// The coordinator's own rules and database.
#[async_trait]
pub trait Coordinator: Send + Sync + 'static {
    /// Decides an undecided operation, in one transaction with all that follows from it; returns it as it stands then, decided by this call or before.
    ///
    /// With every yes in hand the `proposal` is nothing: its own rules have the last word. Else they say why not.
    ///
    /// # Errors
    ///
    /// [`Unanswered`]: it may be decided or not.
    async fn decide(&self, operation: &Operation, proposal: Option<Decision>) -> Result<Operation, Unanswered>;

    /// Makes an operation of what only a participant knows of, decided ABORT; one that is in the log stays as it is.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    async fn adopt(&self, player: PlayerId, id: OperationId) -> Result<(), Unanswered>;
}

/// What is known of an operation that this copy drives: how it stands once it has ended, or was given up by this copy.
pub(crate) type Progress = watch::Receiver<Option<Operation>>;

/// Drives the operations of one copy of a coordinator, and takes up those of others.
pub struct Driver {
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) participants: Vec<Arc<dyn Participant>>,
    pub(crate) operations: Operations,
    pub(crate) settings: Settings,
    running: Mutex<HashMap<OperationId, (Lease, Progress)>>,
    done: mpsc::Sender<(PlayerId, OperationId)>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Driver").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Takes an operation out of the running ones, however its driver ends.
struct Running<'a> {
    driver: &'a Driver,
    id: OperationId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.driver.running().remove(&self.id);
    }
}

impl Driver {
    /// Starts to show signs of life, to take up what others left, and to look for what nobody knows of.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(
        coordinator: Arc<dyn Coordinator>,
        participants: Vec<Arc<dyn Participant>>,
        operations: Operations,
        settings: Settings,
    ) -> Arc<Self> {
        let (done, ended) = mpsc::channel(DONE_QUEUE_MAX);
        let driver = Arc::new(Self {
            coordinator,
            participants,
            operations,
            settings,
            running: Mutex::default(),
            done,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        driver.tasks.spawn(Arc::clone(&driver).write_ends(ended));
        driver.tasks.spawn(Arc::clone(&driver).keep_alive());
        driver.tasks.spawn(Arc::clone(&driver).recover());
        driver.tasks.spawn(Arc::clone(&driver).adopt_orphans());
        driver
    }

    /// Takes nothing up any more, and ends what is under way as far as it goes within its bounds; the rest is left to others.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The operations outside of batches.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Drives an operation in a task of its own, so that it goes on when its caller goes away.
    pub fn drive(self: &Arc<Self>, operation: Operation) {
        let (progress, seen) = watch::channel(None);
        self.running().insert(operation.id.clone(), (operation.lease(), seen));
        let driver = Arc::clone(self);
        let driving = async move {
            // Dropped last: whoever waits looks at the log when it finds nobody driving.
            let _running = Running { driver: &driver, id: operation.id.clone() };
            let ended = driver.to_the_end(operation).await;
            progress.send_replace(ended);
        };
        self.tasks.spawn(driving.instrument(Span::current()).with_current_context());
    }

    /// What this copy knows of an operation that it drives.
    pub(crate) fn progress(&self, id: &OperationId) -> Option<Progress> {
        self.running().get(id).map(|(_, progress)| progress.clone())
    }

    /// Goes on under a new lease with what this copy drives itself, and was only too slow to say so; tells whether it does.
    pub(crate) fn goes_on(&self, operation: &Operation) -> bool {
        let mut running = self.running();
        let Some((lease, _)) = running.get_mut(&operation.id) else { return false };
        *lease = operation.lease();
        true
    }

    /// The leases of all that this copy drives.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        self.running().values().map(|(lease, _)| lease.clone()).collect()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<OperationId, (Lease, Progress)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, decides and tells. Returns the operation as it ended; nothing when it is left to others.
    async fn to_the_end(&self, operation: Operation) -> Option<Operation> {
        let (lease, recoveries) = (operation.lease(), operation.recoveries);
        let decided = match operation.state {
            State::Preparing => self.decide(operation).await,
            _ => Ok(operation),
        };
        let finished = match decided {
            Ok(operation) => self.finish(operation).await,
            Err(Unanswered(why)) => Err((Step::Decide, why)),
        };
        match finished {
            Ok(operation) => {
                figures::ended(&operation);
                let name = (operation.player.clone(), operation.id.clone());
                // It is closed only when nobody drives any more.
                let _ = self.done.send(name).await;
                Some(operation)
            }
            Err((step, why)) => {
                self.put_off(&lease, recoveries, step, &why).await;
                None
            }
        }
    }

    async fn decide(&self, operation: Operation) -> Result<Operation, Unanswered> {
        let proposal = if operation.recoveries > 0 {
            Some(Decision::GiveUp("its coordinator went away before it was decided".to_owned()))
        } else {
            self.prepare(&operation).await
        };
        let begun = Instant::now();
        let decided = self.coordinator.decide(&operation, proposal).await;
        figures::step(Step::Decide, "coordinator", begun.elapsed(), decided.is_ok());
        decided
    }

    /// Asks all at once. Nothing when all said yes; else what follows from the noes: a rule's comes before what is not known.
    async fn prepare(&self, operation: &Operation) -> Option<Decision> {
        let ask = |participant: &Arc<dyn Participant>| {
            let participant = Arc::clone(participant);
            async move {
                let begun = Instant::now();
                let asked = timeout(self.settings.prepare_timeout, participant.prepare(operation)).await;
                let vote = asked.unwrap_or_else(|_| Vote::Unknown("it did not say in time".to_owned()));
                figures::step(Step::Prepare, participant.name(), begun.elapsed(), vote == Vote::Yes);
                match vote {
                    Vote::Yes => None,
                    Vote::No(refusal) => Some(Decision::Refuse(refusal)),
                    Vote::Unknown(why) => Some(Decision::GiveUp(format!("{}: {why}", participant.name()))),
                }
            }
        };
        let noes: Vec<Decision> = join_all(self.participants.iter().map(ask)).await.into_iter().flatten().collect();
        let refusal = noes.iter().position(|no| matches!(no, Decision::Refuse(_))).unwrap_or(0);
        noes.into_iter().nth(refusal)
    }

    /// Tells all at once, and those again that have not done it.
    async fn finish(&self, operation: Operation) -> Result<Operation, (Step, String)> {
        let mut left: Vec<&Arc<dyn Participant>> = self.participants.iter().collect();
        let mut faults = Vec::new();
        for attempt in 0..self.settings.finish_attempts {
            if attempt > 0 {
                sleep(self.pause(attempt)).await;
            }
            let told = join_all(left.iter().map(|participant| self.tell(participant.as_ref(), &operation))).await;
            (left, faults) = left.into_iter().zip(told).filter_map(|(one, told)| Some((one, told.err()?))).unzip();
            if left.is_empty() {
                return Ok(ended(operation));
            }
        }
        let said = left.iter().zip(faults).map(|(participant, fault)| format!("{}: {fault}", participant.name()));
        Err((Step::Finish, said.collect::<Vec<_>>().join("; ")))
    }

    async fn tell(&self, participant: &dyn Participant, operation: &Operation) -> Result<(), Unfinished> {
        let begun = Instant::now();
        let told = timeout(self.settings.finish_timeout, participant.finish(operation)).await;
        let told = told.unwrap_or_else(|_| Err(Unfinished("it did not answer in time".to_owned())));
        figures::step(Step::Finish, participant.name(), begun.elapsed(), told.is_ok());
        told
    }

    /// Leaves an operation to whoever takes it up next, this copy perhaps.
    async fn put_off(&self, lease: &Lease, recoveries: u32, step: Step, why: &str) {
        let Lease { player, id, .. } = lease;
        let step = step.as_str();
        figures::put_off(step);
        tracing::warn!(
            player_id = %player,
            operation_id = %id,
            step,
            error = why,
            "operation {id} is put off at {step}: {why}"
        );
        // Longer each time: what cannot be done for hours must not keep everybody busy.
        let wait = self.settings.lease.saturating_mul(recoveries.saturating_add(1)).min(self.settings.backoff_max);
        if let Err(error) = self.operations.put_off(lease, why, wait).await {
            // Its lease runs out by itself.
            tracing::warn!(%error, operation_id = %id, "that could not be noted: {error}");
        }
    }

    /// A pause that doubles with each attempt, at least half of it, so that copies that met once do not meet again.
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let bound = self.settings.backoff_min.saturating_mul(doubled).min(self.settings.backoff_max);
        bound.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// The operation as it stands when all have done what was decided, which is written later.
fn ended(operation: Operation) -> Operation {
    let state = if operation.state.is_commit() { State::Committed } else { State::Aborted };
    Operation { state, ..operation }
}
