//! A line a minute about the lanes, for whoever has nothing but the log.

use std::sync::Arc;
use std::time::Duration;

use auric_lanes::LaneStats;

use super::Handlers;

/// How often a line is written, when there was anything to do.
const EVERY: Duration = Duration::from_mins(1);

impl Handlers {
    /// Writes a line about each lane that did something, every minute until the wallet closes.
    pub fn report_lanes(self: &Arc<Self>) {
        let handlers = Arc::downgrade(self);
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            let mut taken_before = 0;
            loop {
                tokio::select! {
                    () = closing.cancelled() => return,
                    () = tokio::time::sleep(EVERY) => {}
                }
                let Some(handlers) = handlers.upgrade() else { return };
                let lanes = handlers.lane_stats();
                let taken: u64 = lanes.iter().map(|lane| lane.taken).sum();
                if taken != taken_before {
                    taken_before = taken;
                    handlers.report(&lanes);
                }
            }
        });
    }

    fn report(&self, lanes: &[LaneStats]) {
        let answers = self.answers();
        let refusals = answers.refusals.iter().map(|(reason, count)| format!("{reason}={count}")).collect::<Vec<_>>();
        tracing::info!(
            applied = answers.applied,
            replays = answers.replays,
            refusals = refusals.join(" "),
            "since the start: {} applied, {} replayed, {} refused by a rule",
            answers.applied,
            answers.replays,
            answers.refusals.values().sum::<u64>(),
        );
        for lane in lanes {
            let runs = lane.batch_size.count();
            let mean_of = |sum: u64| sum.checked_div(runs).unwrap_or(0);
            let (batch, time_us) = (mean_of(lane.batch_size.sum), mean_of(lane.batch_time_us.sum));
            tracing::info!(
                lane = lane.lane.number(),
                depth = lane.depth,
                taken = lane.taken,
                answered = lane.answered,
                runs,
                batch_size_mean = batch,
                batch_time_mean_us = time_us,
                retries_contended = lane.retries_contended,
                retries_lost = lane.retries_lost,
                halvings = lane.halvings,
                bugs = lane.bugs,
                withdrawn = lane.withdrawn,
                queue_full = lane.refused.queue_full,
                deadline_passed = lane.refused.deadline_passed,
                "lane {}: {} waiting, batches of {batch} in {time_us} us",
                lane.lane,
                lane.depth,
            );
        }
    }
}
