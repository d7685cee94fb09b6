//! Three times what can be done, offered at a constant rate.

use crate::figures::Bound::{AtLeast, AtMost};
use crate::figures::{Figure, Unit};
use crate::scene::{Mix, Scene};
use crate::summary::Summary;

use super::parts::mebibytes;

/// How many times the capacity is offered.
const OFFERED: f64 = 3.0;

/// Calls in flight at most: more than a wallet takes in, so that it has to refuse.
const IN_FLIGHT: usize = 12_288;

/// Connections: each carries 1,024 calls at a time.
const CHANNELS: usize = 16;

/// Batches in flight at most.
const BATCHES_IN_FLIGHT: usize = 128;

/// Postings of one batch.
const BATCH_POSTS: f64 = 500.0;

/// One way of calling that is overloaded.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The scene that tells its capacity.
    pub of: &'static str,
    /// Its name.
    name: &'static str,
    /// Whether the load generator leaves the service enough of the machine to be held to anything.
    ///
    /// A refused unary call costs both sides what an empty one costs. Where the capacity is a good part of echo's, three times as much is more
    /// than the machine can send, and nothing is left for the work itself.
    is_held: bool,
}

/// What is overloaded: batches, whose refusals are cheap to send; and unary calls.
pub const WAYS: [Way; 3] = [
    Way { of: "batch", name: "overload by batches", is_held: true },
    Way { of: "sqlite", name: "overload, SQLite", is_held: true },
    Way { of: "post", name: "overload by unary Post", is_held: false },
];

/// More than can be done, and what came of it.
#[derive(Clone, Debug)]
pub struct Overload {
    /// What was overloaded.
    pub way: Way,
    /// What can be done, in units a second: the mean of a window before it and one after.
    pub peak: f64,
    /// Memory before.
    pub before_bytes: u64,
    /// What came of it.
    pub seen: Summary,
}

impl Way {
    /// The scene that offers too much, where `base` can do `peak` units a second.
    pub fn scene(self, base: &Scene, peak: f64) -> Scene {
        let (units, in_flight) = match base.mix {
            Mix::PostBatch => (BATCH_POSTS, BATCHES_IN_FLIGHT),
            _ => (1.0, IN_FLIGHT),
        };
        Scene { name: self.name, channels: CHANNELS, ..base.at_rate(peak * OFFERED / units, in_flight) }
    }
}

impl Overload {
    /// The figures.
    pub fn figures(&self) -> Vec<Figure> {
        let Self { way, peak, before_bytes, seen } = self;
        let name = way.name;
        let accepted = seen.per_second / peak;
        let growth = mebibytes(seen.memory_bytes.saturating_sub(*before_bytes));
        let figure = |of, unit, bound, reached| {
            if way.is_held {
                Figure::bound(name, of, unit, (bound, None), reached)
            } else {
                Figure::recorded(name, of, unit, reached)
            }
        };
        vec![
            Figure::recorded(
                name,
                "answered or refused, × peak",
                Unit::Times,
                accepted + seen.refused_per_second / peak,
            ),
            figure("accepted, × peak", Unit::Times, AtLeast(0.9), accepted),
            figure("refusals that say when", Unit::Percent, AtLeast(1.0), seen.refused_with_delay),
            Figure::recorded(name, "p99 of a refusal", Unit::Milliseconds, seen.refusal.p99_ms),
            figure("p99 of the accepted", Unit::Milliseconds, AtMost(5_000.0), seen.service.p99_ms),
            figure("memory added", Unit::Mebibytes, AtMost(150.0), growth),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Verdict;
    use crate::measure::Tally;
    use crate::scene::Kind;
    use crate::schedule::Pace;
    use crate::summary::CpuTimes;

    fn overload(way: Way) -> Vec<Figure> {
        let tally = Tally { units: 700, refused: 2_300, refused_with_delay: 2_299, ..Tally::default() };
        let seen = Summary::of(&tally, Duration::from_secs(1), &CpuTimes::default(), 80 << 20);
        Overload { way, peak: 1_000.0, before_bytes: 80 << 20, seen }.figures()
    }

    #[test]
    fn an_overload_that_starves_the_accepted_is_missed() {
        let verdicts: Vec<Verdict> = overload(WAYS[0]).iter().map(|figure| figure.verdict).collect();
        assert_eq!(verdicts[1..3], [Verdict::Missed, Verdict::Missed]);
        assert_eq!(verdicts[5], Verdict::Reached);
        assert!((overload(WAYS[0])[0].reached - 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_the_load_generator_cannot_send_is_recorded() {
        assert!(overload(WAYS[2]).iter().all(|figure| figure.verdict == Verdict::Recorded));
    }

    #[test]
    fn batches_are_offered_at_the_rate_of_calls() {
        let base = Scene { mix: Mix::PostBatch, ..Scene::closed("batch", Kind::Lanes { copies: 1 }, 8, 10) };
        assert_eq!(WAYS[0].scene(&base, 10_000.0).pace, Pace::Open { per_second: 60.0 });
    }
}
