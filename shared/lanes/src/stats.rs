//! What a lane counts: relaxed atomics that its task writes once a batch, and that anybody may read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::metrics::Histogram as Instrument;
use opentelemetry::{KeyValue, global};

use crate::part::Withdrawn;
use crate::recovery::{Failure, Next};
use crate::{BatchError, LaneId, Refused};

/// What one lane has done since its start. Counters only grow; they are read one after another, not at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStats {
    /// Whose lane it is.
    pub service: &'static str,
    /// The lane.
    pub lane: LaneId,
    /// The submissions that wait now.
    pub depth: usize,
    /// The submissions taken from the queue.
    pub taken: u64,
    /// The submissions that got an answer.
    pub answered: u64,
    /// The works of each run, runs again included.
    pub batch_size: Histogram,
    /// The microseconds of each run, runs again included.
    pub batch_time_us: Histogram,
    /// The failed runs that met another transaction and were run again.
    pub retries_contended: u64,
    /// The failed runs whose connection was lost, or that took too long, and were run again.
    pub retries_lost: u64,
    /// The failed runs that were cut in two.
    pub halvings: u64,
    /// The runs in which the batcher panicked, or gave the wrong number of answers.
    pub bugs: u64,
    /// The submissions whose caller had gone before they were run.
    pub withdrawn: u64,
    /// The submissions that were refused.
    pub refused: Refusals,
}

/// The refused submissions by reason, as in [`Refused`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a variant of `Refused`, which says what it means")]
pub struct Refusals {
    pub queue_full: u64,
    pub deadline_passed: u64,
    pub draining: u64,
    pub contended: u64,
    pub unavailable: u64,
    pub fault: u64,
    pub unknown: u64,
}

/// How many observed values were how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// The inclusive upper bound of each bucket, ascending, and the values in it that are in none before.
    pub buckets: Vec<(u64, u64)>,
    /// The values above every bucket.
    pub above: u64,
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// Returns how many values were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.above
    }
}

/// Buckets whose bounds are powers of two.
struct Cells {
    smallest_log2: u32,
    counts: Box<[AtomicU64]>,
    above: AtomicU64,
    sum: AtomicU64,
}

impl Cells {
    fn new(smallest_log2: u32, largest_log2: u32) -> Self {
        let counts = (smallest_log2..=largest_log2).map(|_| AtomicU64::new(0)).collect();
        Self { smallest_log2, counts, above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    fn observe(&self, value: u64) {
        let log2 = value.checked_next_power_of_two().map_or(u64::BITS, u64::trailing_zeros);
        let index = usize::try_from(log2.saturating_sub(self.smallest_log2)).unwrap_or(usize::MAX);
        self.counts.get(index).unwrap_or(&self.above).fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn snapshot(&self) -> Histogram {
        let bounds = (self.smallest_log2..).map(|log2| 1 << log2);
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        Histogram {
            buckets: bounds.zip(counts).collect(),
            above: self.above.load(Relaxed),
            sum: self.sum.load(Relaxed),
        }
    }
}

/// The instruments that every run of a lane is measured with; they are silent until telemetry is set up.
struct Runs {
    size: Instrument<u64>,
    duration: Instrument<f64>,
    of: [KeyValue; 2],
}

impl Runs {
    fn new(service: &'static str, lane: LaneId) -> Self {
        let meter = global::meter("auric");
        let size = meter.u64_histogram("auric.lane.batch.size").with_unit("{mutation}");
        let duration = meter.f64_histogram("auric.lane.batch.duration").with_unit("s");
        Self {
            size: size
                .with_description("The mutations of each run of a batch, runs again included")
                .with_boundaries(SIZE_BOUNDS.to_vec())
                .build(),
            duration: duration
                .with_description("How long each run of a batch took, runs again included")
                .with_boundaries(DURATION_BOUNDS_S.to_vec())
                .build(),
            of: crate::observe::attributes(service, lane),
        }
    }

    fn observe(&self, works: usize, time: Duration) {
        let lane = &self.of;
        self.size.record(works.try_into().unwrap_or(u64::MAX), lane);
        self.duration.record(time.as_secs_f64(), lane);
    }
}

/// The bounds of the buckets of a batch's size.
const SIZE_BOUNDS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];

/// The bounds of the buckets of a batch's duration, in seconds.
const DURATION_BOUNDS_S: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// The counters of one lane.
pub(crate) struct Counters {
    service: &'static str,
    lane: LaneId,
    taken: AtomicU64,
    answered: AtomicU64,
    batch_size: Cells,
    batch_time_us: Cells,
    runs: Runs,
    /// A moving average of the time from taking a batch to answering all of it.
    settle_time_us: AtomicU64,
    retries_contended: AtomicU64,
    retries_lost: AtomicU64,
    halvings: AtomicU64,
    bugs: AtomicU64,
    withdrawn: AtomicU64,
    queue_full: AtomicU64,
    deadline_passed: AtomicU64,
    draining: AtomicU64,
    contended: AtomicU64,
    unavailable: AtomicU64,
    fault: AtomicU64,
    unknown: AtomicU64,
}

impl Counters {
    pub(crate) fn new(service: &'static str, lane: LaneId) -> Self {
        Self {
            service,
            lane,
            taken: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            // One to the largest batch that settings can ask for.
            batch_size: Cells::new(0, u16::BITS),
            // 64 µs to 34 s.
            batch_time_us: Cells::new(6, 25),
            runs: Runs::new(service, lane),
            settle_time_us: AtomicU64::new(0),
            retries_contended: AtomicU64::new(0),
            retries_lost: AtomicU64::new(0),
            halvings: AtomicU64::new(0),
            bugs: AtomicU64::new(0),
            withdrawn: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
            deadline_passed: AtomicU64::new(0),
            draining: AtomicU64::new(0),
            contended: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            fault: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
        }
    }

    pub(crate) fn taken(&self, works: usize) {
        add(&self.taken, works);
    }

    pub(crate) fn answered(&self, works: usize) {
        add(&self.answered, works);
    }

    pub(crate) fn withdrawn(&self, withdrawn: Withdrawn) {
        self.withdrawn.fetch_add(withdrawn.caller_gone, Relaxed);
        self.deadline_passed.fetch_add(withdrawn.deadline_passed, Relaxed);
    }

    pub(crate) fn ran(&self, works: usize, time: Duration) {
        self.batch_size.observe(works.try_into().unwrap_or(u64::MAX));
        self.batch_time_us.observe(micros(time));
        self.runs.observe(works, time);
    }

    /// Notes how long a whole batch took. Only the lane's own task may call this.
    pub(crate) fn settled(&self, time: Duration) {
        let before = self.settle_time_us.load(Relaxed);
        let now = micros(time);
        let average = if before == 0 { now } else { before - before / 8 + now / 8 };
        self.settle_time_us.store(average, Relaxed);
    }

    /// Returns how long a batch has taken lately, with all that was run again of it; zero before the first.
    pub(crate) fn recent_settle_time(&self) -> Duration {
        Duration::from_micros(self.settle_time_us.load(Relaxed))
    }

    pub(crate) fn failed(&self, failure: &Failure, next: &Next) {
        match (failure, next) {
            (_, Next::Halves) => add(&self.halvings, 1),
            (Failure::Batch(BatchError::Contended(_)), Next::Together(_) | Next::Singly(_)) => {
                add(&self.retries_contended, 1);
            }
            (_, Next::Together(_) | Next::Singly(_)) => add(&self.retries_lost, 1),
            (_, Next::Refuse(_)) => {}
        }
        if matches!(failure, Failure::Panicked { .. } | Failure::Miscounted { .. }) {
            add(&self.bugs, 1);
        }
    }

    pub(crate) fn refused(&self, refused: Refused, works: usize) {
        let counter = match refused {
            Refused::QueueFull { .. } => &self.queue_full,
            Refused::DeadlinePassed => &self.deadline_passed,
            Refused::Draining => &self.draining,
            Refused::Contended => &self.contended,
            Refused::Unavailable => &self.unavailable,
            Refused::Fault => &self.fault,
            Refused::Unknown => &self.unknown,
        };
        add(counter, works);
    }

    pub(crate) fn snapshot(&self, depth: usize) -> LaneStats {
        LaneStats {
            service: self.service,
            lane: self.lane,
            depth,
            taken: self.taken.load(Relaxed),
            answered: self.answered.load(Relaxed),
            batch_size: self.batch_size.snapshot(),
            batch_time_us: self.batch_time_us.snapshot(),
            retries_contended: self.retries_contended.load(Relaxed),
            retries_lost: self.retries_lost.load(Relaxed),
            halvings: self.halvings.load(Relaxed),
            bugs: self.bugs.load(Relaxed),
            withdrawn: self.withdrawn.load(Relaxed),
            refused: Refusals {
                queue_full: self.queue_full.load(Relaxed),
                deadline_passed: self.deadline_passed.load(Relaxed),
                draining: self.draining.load(Relaxed),
                contended: self.contended.load(Relaxed),
                unavailable: self.unavailable.load(Relaxed),
                fault: self.fault.load(Relaxed),
                unknown: self.unknown.load(Relaxed),
            },
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count.try_into().unwrap_or(u64::MAX), Relaxed);
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_smallest_bucket_that_holds_it() {
        let cells = Cells::new(2, 4);
        for value in [0, 4, 5, 8, 16, 17, u64::MAX - 50] {
            cells.observe(value);
        }

        let histogram = cells.snapshot();

        assert_eq!(histogram.buckets, [(4, 2), (8, 2), (16, 1)]);
        assert_eq!(histogram.above, 2);
        assert_eq!(histogram.count(), 7);
        assert_eq!(histogram.sum, u64::MAX);
    }

    #[test]
    fn the_recent_settle_time_follows_what_changes() {
        let counters = Counters::new("", LaneId::new(0));
        counters.settled(Duration::from_millis(8));
        assert_eq!(counters.recent_settle_time(), Duration::from_millis(8));

        counters.settled(Duration::from_millis(16));
        assert_eq!(counters.recent_settle_time(), Duration::from_millis(9));
    }
}
