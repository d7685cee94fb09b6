//! Sends calls, closed loop or open loop, and notes what becomes of them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::measure::{Outcome, Recorder, Tally, Times};
use crate::schedule::{Pace, Window};

/// How long an answer is waited for; more is a failure.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// Calls that one run sends at most, unless fewer are asked for.
pub const CALLS_MAX: u64 = 20_000_000;

/// Something that is done again and again.
pub trait Operation: Send + Sync + 'static {
    /// Does it for the `number`th time, counted from zero over all workers.
    fn run(&self, number: u64) -> impl Future<Output = Outcome> + Send;
}

/// How an operation is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// When calls are due.
    pub pace: Pace,
    /// Calls in flight: exactly, in a closed loop; at most, in an open one.
    pub in_flight: usize,
    /// What counts.
    pub window: Window,
    /// Calls to send at most.
    pub calls_max: u64,
}

/// Runs `operation` as `plan` says, and returns what was seen in the window.
///
/// # Errors
///
/// A call failed: what is measured would not be what it seems to be.
pub async fn drive<O: Operation>(operation: Arc<O>, plan: Plan) -> Result<Tally> {
    let recorder = Arc::new(Recorder::new(plan.window));
    let numbers = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for index in 0..plan.in_flight {
        let worker = Worker { index, plan, begun, numbers: Arc::clone(&numbers), recorder: Arc::clone(&recorder) };
        workers.spawn(worker.live(Arc::clone(&operation)));
    }
    while let Some(ended) = workers.join_next().await {
        ended.context("a worker of the load generator panicked")?;
    }
    checked(recorder.tally())
}

/// Refuses a tally with failures.
pub(crate) fn checked(tally: Tally) -> Result<Tally> {
    if let Some((what, count)) = tally.failed.first_key_value() {
        let calls: u64 = tally.failed.values().sum();
        bail!("{calls} calls failed, {count} of them with: {what}");
    }
    Ok(tally)
}

struct Worker {
    index: usize,
    plan: Plan,
    begun: Instant,
    numbers: Arc<AtomicU64>,
    recorder: Arc<Recorder>,
}

impl Worker {
    async fn live<O: Operation>(self, operation: Arc<O>) {
        let Plan { pace, window, calls_max, .. } = self.plan;
        loop {
            let number = self.numbers.fetch_add(1, Relaxed);
            let due = pace.due(number).unwrap_or_else(|| self.begun.elapsed());
            if due >= window.end() || number >= calls_max {
                return;
            }
            if due > self.begun.elapsed() {
                tokio::time::sleep_until(self.begun + due).await;
            }
            let sent = self.begun.elapsed();
            let answer = tokio::time::timeout(ANSWER_WAIT_MAX, operation.run(number)).await;
            let outcome = answer.unwrap_or_else(|_| Outcome::Failed(format!("no answer in {ANSWER_WAIT_MAX:?}")));
            self.recorder.record(self.index, outcome, Times { due, sent, answered: self.begun.elapsed() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers at once, and refuses every third.
    struct Answers;

    impl Operation for Answers {
        async fn run(&self, number: u64) -> Outcome {
            if number % 3 == 2 { Outcome::Refused { says_when: true } } else { Outcome::Done { units: 1 } }
        }
    }

    struct Fails;

    impl Operation for Fails {
        async fn run(&self, _: u64) -> Outcome {
            Outcome::Failed("INTERNAL: no".to_owned())
        }
    }

    fn plan(pace: Pace) -> Plan {
        let window = Window { warm_up: Duration::from_secs(1), length: Duration::from_secs(3) };
        Plan { pace, in_flight: 7, window, calls_max: CALLS_MAX }
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_sends_what_is_due_in_the_window() {
        let tally = drive(Arc::new(Answers), plan(Pace::Open { per_second: 100.0 })).await.unwrap();
        assert_eq!(tally.done + tally.refused, 300);
        assert_eq!(tally.done, 200);
        assert_eq!(tally.units, 200);
        assert_eq!(tally.refused_with_delay, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_sent_than_is_allowed() {
        let plan = Plan { calls_max: 20, ..plan(Pace::Open { per_second: 10.0 }) };
        let tally = drive(Arc::new(Answers), plan).await.unwrap();
        assert_eq!(tally.done + tally.refused, 10, "the first ten are warm-up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_call_spoils_the_run() {
        let error = drive(Arc::new(Fails), plan(Pace::Open { per_second: 10.0 })).await.unwrap_err();
        assert_eq!(error.to_string(), "40 calls failed, 40 of them with: INTERNAL: no");
    }
}
