//! What a run saw: counts and latencies of the measured window.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::schedule::Window;

/// The longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 120_000_000;

/// Recorders that workers share among themselves: few enough for little memory, many enough for little waiting.
const SHARDS: usize = 8;

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done {
        /// Mutations, or pairs of them, that it made durable.
        units: u64,
    },
    /// It was refused for want of room, and nothing was done.
    Refused {
        /// Whether the refusal says when to try again.
        says_when: bool,
    },
    /// It was many in one, and some were refused for want of room.
    Mixed {
        /// How many were done.
        done: u64,
        /// How many were refused.
        refused: u64,
        /// Whether each refusal says when to try again.
        all_say_when: bool,
    },
    /// It failed; the measurement is worth nothing if that happens.
    Failed(String),
}

/// Three moments of one call, counted from the start of the run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it was to be sent.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When it was answered.
    pub answered: Duration,
}

/// Counts and latencies.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Units of the calls that were answered inside the window.
    pub units: u64,
    /// Calls that were due inside the window and done.
    pub done: u64,
    /// Units that were due inside the window and refused.
    pub refused: u64,
    /// Of these, the ones that say when to try again.
    pub refused_with_delay: u64,
    /// Calls that failed, by what was said.
    pub failed: BTreeMap<String, u64>,
    /// Microseconds from due to done.
    pub latency_us: Histogram<u64>,
    /// Microseconds from sent to done.
    pub service_us: Histogram<u64>,
    /// Microseconds from sent to refused.
    pub refusal_us: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            units: 0,
            done: 0,
            refused: 0,
            refused_with_delay: 0,
            failed: BTreeMap::new(),
            latency_us: histogram(),
            service_us: histogram(),
            refusal_us: histogram(),
        }
    }
}

impl Tally {
    /// Adds what another worker saw.
    pub fn merge(&mut self, other: &Self) {
        self.units += other.units;
        self.done += other.done;
        self.refused += other.refused;
        self.refused_with_delay += other.refused_with_delay;
        for (what, count) in &other.failed {
            *self.failed.entry(what.clone()).or_default() += count;
        }
        self.latency_us += &other.latency_us;
        self.service_us += &other.service_us;
        self.refusal_us += &other.refusal_us;
    }

    fn record(&mut self, outcome: Outcome, times: Times, window: Window) {
        let (done, refused, refused_with_delay) = match outcome {
            Outcome::Done { units } => (units, 0, 0),
            Outcome::Refused { says_when } => (0, 1, u64::from(says_when)),
            Outcome::Mixed { done, refused, all_say_when } => (done, refused, if all_say_when { refused } else { 0 }),
            Outcome::Failed(what) => {
                // A failure outside the window spoils the run as well.
                *self.failed.entry(what).or_default() += 1;
                return;
            }
        };
        if window.holds(times.answered) {
            self.units += done;
        }
        if !window.holds(times.due) {
            return;
        }
        let since = |begun: Duration| micros(times.answered.saturating_sub(begun));
        self.refused += refused;
        self.refused_with_delay += refused_with_delay;
        if done > 0 {
            self.done += 1;
            self.latency_us.saturating_record(since(times.due));
            self.service_us.saturating_record(since(times.sent));
        } else {
            self.refusal_us.saturating_record(since(times.sent));
        }
    }
}

/// Where many workers write what they see.
#[derive(Debug)]
pub struct Recorder {
    window: Window,
    shards: [Mutex<Tally>; SHARDS],
}

impl Recorder {
    /// Begins with nothing.
    pub fn new(window: Window) -> Self {
        Self { window, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Notes what became of one call of `worker`.
    pub fn record(&self, worker: usize, outcome: Outcome, times: Times) {
        self.shard(worker).record(outcome, times, self.window);
    }

    /// Sums up.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for shard in 0..SHARDS {
            sum.merge(&self.shard(shard));
        }
        sum
    }

    fn shard(&self, worker: usize) -> MutexGuard<'_, Tally> {
        // A tally is whole after every statement that changes it.
        self.shards[worker % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constants that make a histogram"))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { warm_up: Duration::from_millis(10), length: Duration::from_millis(100) };

    fn times(due: u64, sent: u64, answered: u64) -> Times {
        let [due, sent, answered] = [due, sent, answered].map(Duration::from_millis);
        Times { due, sent, answered }
    }

    #[test]
    fn a_stall_is_charged_to_every_call_that_was_due_during_it() {
        let recorder = Recorder::new(WINDOW);
        // One caller, a call due each 10 ms, and an answer that takes 50 ms: the next ones are sent late.
        for (worker, at) in
            [times(10, 10, 60), times(20, 60, 61), times(30, 61, 62), times(40, 62, 63)].into_iter().enumerate()
        {
            recorder.record(worker, Outcome::Done { units: 1 }, at);
        }
        let tally = recorder.tally();
        assert_eq!(tally.latency_us.len(), 4);
        assert!(tally.latency_us.min() >= 22_900, "{}", tally.latency_us.min());
        assert!(tally.service_us.value_at_quantile(0.75) <= 1_001);
    }

    #[test]
    fn throughput_counts_answers_and_latency_counts_what_was_due() {
        let recorder = Recorder::new(WINDOW);
        recorder.record(0, Outcome::Done { units: 3 }, times(5, 5, 20));
        recorder.record(1, Outcome::Done { units: 4 }, times(100, 100, 200));
        let tally = recorder.tally();
        assert_eq!(tally.units, 3, "answered inside the window");
        assert_eq!(tally.done, 1, "due inside the window");
        assert!(tally.latency_us.max() >= 99_900);
    }

    #[test]
    fn a_call_of_many_counts_what_was_refused_of_it() {
        let recorder = Recorder::new(WINDOW);
        recorder.record(0, Outcome::Mixed { done: 7, refused: 3, all_say_when: true }, times(10, 10, 20));
        recorder.record(0, Outcome::Mixed { done: 0, refused: 10, all_say_when: false }, times(10, 10, 11));
        let tally = recorder.tally();
        assert_eq!((tally.units, tally.done, tally.refused, tally.refused_with_delay), (7, 1, 13, 3));
        assert_eq!((tally.latency_us.len(), tally.refusal_us.len()), (1, 1));
    }

    #[test]
    fn tallies_of_all_workers_are_summed() {
        let recorder = Recorder::new(WINDOW);
        for worker in 0..100 {
            recorder.record(worker, Outcome::Done { units: 2 }, times(10, 10, 11));
            recorder.record(worker, Outcome::Refused { says_when: worker % 2 == 0 }, times(10, 10, 12));
            recorder.record(worker, Outcome::Refused { says_when: true }, times(0, 0, 1));
            recorder.record(worker, Outcome::Failed("INTERNAL".to_owned()), times(0, 0, 1));
        }
        let tally = recorder.tally();
        assert_eq!((tally.units, tally.done, tally.refused, tally.refused_with_delay), (200, 100, 100, 50));
        assert_eq!(tally.latency_us.len(), 100);
        assert_eq!(tally.refusal_us.len(), 100);
        assert_eq!(tally.failed["INTERNAL"], 100);
    }
}
