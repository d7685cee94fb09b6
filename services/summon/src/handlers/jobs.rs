//! What the service does when the scheduler's jobs fire: it deletes old events, and is reminded of operations that somebody left.
//!
//! Recovery goes on by itself in every copy; the job is an alarm clock beside it, and never the only one.

use std::sync::Arc;

use async_trait::async_trait;
use auric_jobs::{Firing, Handler, Outcome, Roster};
use serde::Deserialize;

use super::Handlers;

/// The job that has operations taken up that nobody drives any more.
pub const RECOVER: &str = "recover";

/// The job that deletes events which are older than they are kept.
pub const PRUNE_EVENTS: &str = "prune_events";

/// Batches of events that one transaction deletes.
const PRUNED_ROWS: u32 = 1_000;

/// Batches of events that one firing deletes at most: the next one goes on.
const PRUNED_ROWS_MAX: u64 = 1_000_000;

/// The service's handlers.
#[must_use]
pub fn roster(handlers: &Arc<Handlers>) -> Roster {
    let (recover, prune) = (Recover(Arc::clone(handlers)), PruneEvents(Arc::clone(handlers)));
    Roster::new("summon", vec![(RECOVER, Box::new(recover)), (PRUNE_EVENTS, Box::new(prune))])
}

/// There is nothing to be said to these jobs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

struct Recover(Arc<Handlers>);

#[async_trait]
impl Handler for Recover {
    async fn run(&self, firing: &Firing) -> Outcome {
        if let Err(rejected) = firing.options::<Nothing>() {
            return rejected;
        }
        match self.0.recover().await {
            Ok(operations) => Outcome::Done(format!("operations taken up: {operations}")),
            Err(why) => Outcome::Failed(why),
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
                    if !pruned.more || rows >= PRUNED_ROWS_MAX {
                        return Outcome::Done(format!("batches of events deleted: {rows}"));
                    }
                }
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
    }
}
