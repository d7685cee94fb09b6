//! Leases what is ready and calls targets, a bounded number of calls at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{HandlerId, TargetId};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::planner::Lookout;
use super::targets::Busy;
use super::{Handlers, figures, line};
use crate::domain::{End, FiringKey, JobSpec};
use crate::store::{LeaseAsk, Leased, Peek, Revision, Settled, bounded};

/// Bytes of payloads in one call.
const CALL_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// The least time between two looks at what is ready: what becomes ready meanwhile is leased together.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);

/// What a call is made of: firings, each with what it is to do.
type Firings = Vec<(Leased, Arc<JobSpec>)>;

/// Firings that are called together.
#[derive(Debug)]
pub struct Call {
    pub target: TargetId,
    pub handler: HandlerId,
    pub deadline: Duration,
    pub firings: Firings,
}

/// The right to have a call in flight.
#[derive(Debug)]
pub struct Permits {
    _of_all: OwnedSemaphorePermit,
    _of_target: Option<OwnedSemaphorePermit>,
}

impl Call {
    /// Its leases.
    pub fn leases(&self) -> Vec<(FiringKey, u64)> {
        self.firings.iter().map(|(leased, _)| (leased.key.clone(), leased.fence)).collect()
    }
}

impl Handlers {
    /// Runs what is ready until the scheduler closes; what it has not begun by then it gives back at once.
    pub(super) async fn run_firings(self: Arc<Self>) {
        let mut calls: VecDeque<Call> = VecDeque::new();
        let mut lookout = Lookout::default();
        while !self.closing.is_cancelled() {
            self.begin(&mut calls);
            let looked_at = Instant::now();
            let rest = if calls.is_empty() && self.free.available_permits() > 0 {
                match self.look(&mut lookout, &mut calls).await {
                    Ok(rest) => rest,
                    Err(error) => {
                        figures::count_fault("lease");
                        tracing::warn!(%error, "nothing can be leased now, the next look tries again: {error}");
                        self.pace.poll
                    }
                }
            } else {
                // Every call that ends wakes.
                self.pace.poll
            };
            if rest.is_zero() {
                continue;
            }
            tokio::select! {
                () = self.closing.cancelled() => {}
                () = self.wakes.runner.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
            if calls.is_empty() {
                let next_look = looked_at.checked_add(LOOK_EVERY_MIN).unwrap_or(looked_at);
                self.closing.run_until_cancelled(tokio::time::sleep_until(next_look)).await;
            }
        }
        let unbegun: Vec<(FiringKey, u64)> = calls.iter().flat_map(Call::leases).collect();
        self.give_back(&unbegun, false).await;
    }

    /// Begins as many calls as there may be, each target's in their order; a target that is busy holds up no other.
    fn begin(self: &Arc<Self>, calls: &mut VecDeque<Call>) {
        for _ in 0..calls.len() {
            let Ok(of_all) = Arc::clone(&self.free).try_acquire_owned() else { return };
            let Some(call) = calls.pop_front() else { return };
            match self.targets.try_call(&call.target) {
                Ok(of_target) => {
                    let permits = Permits { _of_all: of_all, _of_target: of_target };
                    let handlers = Arc::clone(self);
                    self.tasks.spawn(async move { handlers.attempt(call, permits).await });
                }
                Err(Busy) => calls.push_back(call),
            }
        }
    }

    /// Leases what is ready, and tells how long to wait before the next look.
    async fn look(self: &Arc<Self>, lookout: &mut Lookout, calls: &mut VecDeque<Call>) -> Result<Duration, StoreError> {
        let limit = self.pace.batch_max.get();
        let ask = LeaseAsk {
            copy: self.copy.clone(),
            lease: self.pace.lease,
            limit: limit.into(),
            since: lookout.since(),
            busy: self.targets.busy(),
        };
        let mut leased = bounded(self.store.lease(&ask)).await?;
        self.held.add(&leased);
        let is_whole = leased.len() < usize::from(limit);
        let mut rest = Duration::ZERO;
        if is_whole {
            let Peek { now, next_ready, has_turns } = match bounded(self.store.peek(ask.since)).await {
                Ok(peek) => peek,
                // What was leased is begun all the same.
                Err(_) if !leased.is_empty() => return self.queue(leased, calls).await.map(|()| self.pace.poll),
                Err(error) => return Err(error),
            };
            if has_turns {
                let turns = bounded(self.store.take_turns(&ask)).await;
                match turns {
                    Ok(turned) => {
                        line::skipped(&turned.skipped);
                        self.held.add(&turned.leased);
                        leased.extend(turned.leased);
                    }
                    Err(error) => {
                        figures::count_fault("turns");
                        tracing::warn!(%error, "no turns can be taken now, the next look tries again: {error}");
                    }
                }
            } else if ask.busy.is_empty() {
                lookout.seen_all(now);
            }
            let until_next = next_ready.map(|next| Duration::from_micros(next.micros_since(now)));
            rest = until_next.map_or(self.pace.poll, |until| until.min(self.pace.poll)).max(Duration::from_millis(1));
        }
        let found = !leased.is_empty();
        self.queue(leased, calls).await?;
        Ok(if found { Duration::ZERO } else { rest })
    }

    /// Puts what was leased together into calls. What can never be run comes to its end here.
    async fn queue(self: &Arc<Self>, leased: Vec<Leased>, calls: &mut VecDeque<Call>) -> Result<(), StoreError> {
        if leased.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Revision> = leased.iter().map(revision).collect();
        let specs = match self.definitions.read(self.store.as_ref(), &wanted).await {
            Ok(specs) => specs,
            Err(error) => {
                let leases: Vec<(FiringKey, u64)> = leased.iter().map(|one| (one.key.clone(), one.fence)).collect();
                self.give_back(&leases, false).await;
                return Err(error);
            }
        };
        let mut groups: BTreeMap<(TargetId, HandlerId, u64), Firings> = BTreeMap::new();
        let mut hopeless = Vec::new();
        for one in leased {
            match specs.get(&revision(&one)) {
                None => hopeless.push((one, "PERMANENT", "its definition cannot be read")),
                Some(spec) if one.attempts > spec.retry.attempts_max => {
                    hopeless.push((one, "ATTEMPTS_SPENT", "the lease of its last attempt ran out"));
                }
                Some(spec) => {
                    let group = (one.target.clone(), spec.handler.clone(), spec.deadline_ms);
                    groups.entry(group).or_default().push((one, Arc::clone(spec)));
                }
            }
        }
        for ((target, handler, deadline_ms), firings) in groups {
            let deadline = Duration::from_millis(deadline_ms);
            for firings in parts(firings, usize::from(self.pace.batch_max.get())) {
                calls.push_back(Call { target: target.clone(), handler: handler.clone(), deadline, firings });
            }
        }
        if !hopeless.is_empty() {
            let handlers = Arc::clone(self);
            self.tasks.spawn(async move { handlers.bury(hopeless).await });
        }
        Ok(())
    }

    async fn bury(&self, hopeless: Vec<(Leased, &'static str, &'static str)>) {
        let settled = hopeless.iter().map(|(one, reason, message)| Settled {
            key: one.key.clone(),
            fence: one.fence,
            end: End::Dead(reason),
            message: (*message).to_owned(),
        });
        let settled: Vec<Settled> = settled.collect();
        let written = self.settler.settle(settled.clone()).await;
        for ((leased, ..), settled) in hopeless.iter().zip(&settled) {
            line::ended(leased, settled, "", written.contains(&settled.key));
        }
        self.held.remove(&hopeless.iter().map(|(one, ..)| (one.key.clone(), one.fence)).collect::<Vec<_>>());
    }

    /// Gives leases back, so that any copy may take them at once; where that fails they run out.
    pub(super) async fn give_back(&self, leases: &[(FiringKey, u64)], has_begun: bool) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = bounded(self.store.give_back(leases, has_begun)).await {
            tracing::warn!(%error, leases = leases.len(), "leases could not be given back, they run out: {error}");
        }
        self.held.remove(leases);
    }
}

fn revision(leased: &Leased) -> Revision {
    (leased.key.job.clone(), leased.key.incarnation, leased.revision)
}

/// Cuts firings into parts that one call may carry.
fn parts(firings: Firings, firings_max: usize) -> Vec<Firings> {
    let mut parts: Vec<Firings> = Vec::new();
    let mut bytes = usize::MAX;
    for one in firings {
        let more = bytes.saturating_add(one.1.payload.len());
        match parts.last_mut() {
            Some(part) if more <= CALL_BYTES_MAX && part.len() < firings_max => {
                bytes = more;
                part.push(one);
            }
            _ => {
                bytes = one.1.payload.len();
                parts.push(vec![one]);
            }
        }
    }
    parts
}
