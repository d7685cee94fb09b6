//! What the wallet does when the scheduler's jobs fire: sweeps lapsed holds, and verifies the audit by night.

use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use auric_jobs::{Firing, Handler, Outcome, Roster};
use futures::StreamExt as _;
use serde::Deserialize;

use super::{AuditFault, Handlers, Progress, Swept, figures};

/// The job that writes the ends of lapsed holds.
pub const SWEEP_HOLDS: &str = "sweep_holds";

/// The job that verifies the audit.
pub const VERIFY_AUDIT: &str = "verify_audit";

/// The job that deletes events which are older than they are kept.
pub const PRUNE_EVENTS: &str = "prune_events";

/// Batches of events that one transaction deletes.
const PRUNED_ROWS: u32 = 1_000;

/// Batches of events that one firing deletes at most: the next one goes on.
const PRUNED_ROWS_MAX: u64 = 1_000_000;

/// Faults that have a line of their own; `auric audit verify` tells all.
const FAULT_LINES_MAX: usize = 20;

/// The wallet's handlers.
#[must_use]
pub fn roster(handlers: &Arc<Handlers>) -> Roster {
    let sweep = SweepHolds(Arc::clone(handlers));
    let verify = VerifyAudit(Arc::clone(handlers));
    let prune = PruneEvents(Arc::clone(handlers));
    let all: Vec<(&'static str, Box<dyn Handler>)> =
        vec![(SWEEP_HOLDS, Box::new(sweep)), (VERIFY_AUDIT, Box::new(verify)), (PRUNE_EVENTS, Box::new(prune))];
    Roster::new("wallet", all)
}

/// There is nothing to be said to these jobs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

struct SweepHolds(Arc<Handlers>);

#[async_trait]
impl Handler for SweepHolds {
    async fn run(&self, firing: &Firing) -> Outcome {
        if let Err(rejected) = firing.options::<Nothing>() {
            return rejected;
        }
        match self.0.sweep_holds().await {
            Ok(Swept { holds, more: false }) => Outcome::Done(format!("lapsed holds ended: {holds}")),
            Ok(Swept { holds, more: true }) => {
                Outcome::Done(format!("lapsed holds ended: {holds}, and there are more"))
            }
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

struct PruneEvents(Arc<Handlers>);

#[async_trait]
impl Handler for PruneEvents {
    async fn run(&self, firing: &Firing) -> Outcome {
        if let Err(rejected) = firing.options::<Nothing>() {
            return rejected;
        }
        let mut rows: u64 = 0;
        loop {
            match self.0.prune_events(PRUNED_ROWS).await {
                Ok(pruned) => {
                    rows = rows.saturating_add(pruned.rows);
                    if !pruned.more || rows >= PRUNED_ROWS_MAX || self.0.is_closing() {
                        return Outcome::Done(format!("batches of events deleted: {rows}"));
                    }
                }
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
    }
}

struct VerifyAudit(Arc<Handlers>);

#[async_trait]
impl Handler for VerifyAudit {
    async fn run(&self, firing: &Firing) -> Outcome {
        if let Err(rejected) = firing.options::<Nothing>() {
            return rejected;
        }
        let mut reports = pin!(Arc::clone(&self.0).verify_audit(None));
        let (mut faults, mut first) = (0_usize, None);
        let mut last = Progress::default();
        let mut closed = pin!(self.0.closed());
        loop {
            let report = tokio::select! {
                report = reports.next() => report,
                // Another copy begins anew: a stop does not wait for it.
                () = &mut closed => return Outcome::Failed("this copy is about to stop".to_owned()),
            };
            let Some(report) = report else { break };
            match report {
                Ok(mut progress) => {
                    for fault in progress.faults.drain(..) {
                        tell(&fault, faults);
                        faults = faults.saturating_add(1);
                        first.get_or_insert(fault);
                    }
                    last = progress;
                }
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
        let Progress { players_verified, entries_verified, mutations_verified, done, .. } = last;
        let verified = format!("players {players_verified}, entries {entries_verified}, answers {mutations_verified}");
        match first {
            // Nothing of a verification that was cut says that the rest is whole.
            None if !done => Outcome::Failed(format!("it was cut off; verified: {verified}")),
            None => Outcome::Done(format!("the audit is whole; verified: {verified}")),
            Some(AuditFault { kind, message, .. }) => {
                let kind = kind.as_str();
                Outcome::Rejected(format!(
                    "the audit is NOT WHOLE; faults: {faults}, the first {kind}: {message}; verified: {verified}"
                ))
            }
        }
    }
}

/// Writes a line of each of the first faults, and counts all.
fn tell(fault: &AuditFault, before: usize) {
    let AuditFault { player, number, kind, message } = fault;
    figures::count_audit_fault(*kind);
    if before < FAULT_LINES_MAX {
        let player_id = player.as_ref().map(tracing::field::display);
        tracing::error!(player_id, number, kind = kind.as_str(), "the audit is not whole: {message}");
    }
}
