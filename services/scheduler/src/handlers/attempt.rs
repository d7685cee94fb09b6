//! One call of a target, and what becomes of its firings.

use std::collections::HashMap;
use std::sync::Arc;

use rand::RngExt as _;
use tracing::Instrument as _;

use super::runner::{Call, Permits};
use super::targets::{Ran, RunEnd, ToRun};
use super::{Handlers, figures, line};
use crate::domain::{End, JobSpec, backoff_micros};
use crate::store::{Leased, Settled};

/// Characters of a message that are kept.
const MESSAGE_MAX: usize = 1_000;

impl Handlers {
    /// Has a call's firings done, and writes what came of each. Its permits are free again when that is written.
    pub(super) async fn attempt(self: Arc<Self>, call: Call, permits: Permits) {
        let leases = call.leases();
        figures::begun(&call.target, &call.firings);
        let span = tracing::info_span!(
            parent: None,
            "firings",
            auric.target = %call.target,
            auric.handler = %call.handler,
            auric.batch.size = call.firings.len(),
        );
        let trace_id = span.in_scope(auric_telemetry::context::trace_id);
        match self.cut.run_until_cancelled(self.run(&call).instrument(span)).await {
            Some(ran) => {
                let settled = settle(&call, ran);
                let written = self.settler.settle(settled.clone()).await;
                for ((leased, _), settled) in call.firings.iter().zip(&settled) {
                    line::ended(leased, settled, &trace_id, written.contains(&settled.key));
                }
                self.held.remove(&leases);
            }
            None => self.give_back(&leases, true).await,
        }
        drop(permits);
        self.wakes.runner.notify_one();
    }

    /// Calls the target. Its own deadline is the call's; a target that does not keep to it is left alone.
    async fn run(&self, call: &Call) -> Result<Vec<Ran>, String> {
        let Some(target) = self.targets.get(&call.target) else {
            return Err(format!("{} is no target of the scheduler's settings", call.target));
        };
        let firings: Vec<ToRun> = call.firings.iter().map(|(leased, spec)| to_run(leased, spec)).collect();
        let ran = tokio::time::timeout(call.deadline, target.run(&call.handler, &firings, call.deadline)).await;
        ran.unwrap_or_else(|_| Err(format!("{} did not answer within {} ms", call.target, call.deadline.as_millis())))
    }
}

fn to_run(leased: &Leased, spec: &Arc<JobSpec>) -> ToRun {
    ToRun { key: leased.key.clone(), attempt: leased.attempts, spec: Arc::clone(spec) }
}

/// Says of each firing how its attempt came out. One that the target does not speak of failed.
fn settle(call: &Call, ran: Result<Vec<Ran>, String>) -> Vec<Settled> {
    let (mut said, fault) = match ran {
        Ok(ran) => (ran.into_iter().map(|ran| (ran.key.clone(), ran)).collect::<HashMap<_, _>>(), None),
        Err(fault) => (HashMap::new(), Some(fault)),
    };
    let mut rng = rand::rng();
    let mut one = |leased: &Leased, spec: &JobSpec| {
        let ran = said.remove(&leased.key.to_string());
        let (end, message) = match ran {
            Some(Ran { end, message, .. }) => (end, message),
            None => (RunEnd::Failed, fault.clone().unwrap_or_else(|| "the target said nothing of it".to_owned())),
        };
        let end = match end {
            RunEnd::Done => End::Done,
            RunEnd::Rejected => End::Dead("PERMANENT"),
            RunEnd::Failed if leased.attempts >= spec.retry.attempts_max => End::Dead("ATTEMPTS_SPENT"),
            RunEnd::Failed => End::Retry { after_micros: backoff_micros(spec.retry, leased.attempts, rng.random()) },
        };
        // NUL is no text for PostgreSQL.
        let message = message.chars().filter(|character| *character != '\0').take(MESSAGE_MAX).collect();
        Settled { key: leased.key.clone(), fence: leased.fence, end, message }
    };
    call.firings.iter().map(|(leased, spec)| one(leased, spec)).collect()
}
