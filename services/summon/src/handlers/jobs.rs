//! What the service does when the scheduler's jobs fire: it is reminded of operations that somebody left.
//!
//! Recovery goes on by itself in every copy; the job is an alarm clock beside it, and never the only one.

use std::sync::Arc;

use async_trait::async_trait;
use auric_jobs::{Firing, Handler, Outcome, Roster};
use serde::Deserialize;

use super::Handlers;

/// The job that has operations taken up that nobody drives any more.
pub const RECOVER: &str = "recover";

/// The service's handlers.
#[must_use]
pub fn roster(handlers: &Arc<Handlers>) -> Roster {
    Roster::new("summon", vec![(RECOVER, Box::new(Recover(Arc::clone(handlers))))])
}

/// There is nothing to be said to this job.
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
