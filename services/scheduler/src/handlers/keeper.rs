//! Keeping house: what waits is woken, space is given back, what is old is removed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::{Handlers, figures};
use crate::store::bounded;

/// How often waiting firings are woken, which are in time for longer than that.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// Firings that one statement wakes.
const WAKE_MAX: u32 = 1_000;

/// How often parts of the hot table are looked at.
const ROTATE_EVERY: Duration = Duration::from_secs(2);

/// How often what is old is removed.
const PRUNE_EVERY: Duration = Duration::from_mins(1);

/// Rows of one table that one statement removes, and statements of one round.
const PRUNE_MAX: u32 = 2_000;
const PRUNES_MAX: u32 = 100;

/// How often the counts that metrics show are read anew.
const COUNT_EVERY: Duration = Duration::from_secs(10);

impl Handlers {
    /// Keeps house until the scheduler closes.
    pub(super) async fn keep_house(self: Arc<Self>) {
        let mut tick = tokio::time::interval(WAKE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut rotated, mut pruned, mut counted) = (None, Some(Instant::now()), None);
        while self.closing.run_until_cancelled(tick.tick()).await.is_some() {
            self.wake().await;
            if is_time(&mut rotated, ROTATE_EVERY) {
                said("rotate", bounded(self.store.rotate()).await);
            }
            if is_time(&mut counted, COUNT_EVERY)
                && let Some(counts) = said("count", bounded(self.store.counts()).await)
            {
                self.counts.store(Arc::new(counts));
            }
            if is_time(&mut pruned, PRUNE_EVERY) {
                self.prune().await;
            }
        }
    }

    async fn wake(&self) {
        while let Some(woken) = said("wake", bounded(self.store.wake_waiting(WAKE_MAX)).await) {
            if woken > 0 {
                self.wakes.runner.notify_one();
            }
            if woken < u64::from(WAKE_MAX) || self.closing.is_cancelled() {
                return;
            }
        }
    }

    async fn prune(&self) {
        for _ in 0..PRUNES_MAX {
            let pruned = said("prune", bounded(self.store.prune(self.pace.keep_for, PRUNE_MAX)).await);
            if pruned.is_none_or(|pruned| pruned < u64::from(PRUNE_MAX)) || self.closing.is_cancelled() {
                return;
            }
        }
    }
}

/// Whether the time has come again, and notes that it has.
fn is_time(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_time = last.is_none_or(|at| at.elapsed() >= every);
    if is_time {
        *last = Some(Instant::now());
    }
    is_time
}

fn said<T>(what: &'static str, done: Result<T, auric_db::StoreError>) -> Option<T> {
    done.inspect_err(|error| {
        figures::count_fault(what);
        tracing::warn!(%error, what, "the scheduler's house is not kept now, the next round tries again: {error}");
    })
    .ok()
}
