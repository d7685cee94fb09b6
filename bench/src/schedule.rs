//! When each call is due.

use std::time::Duration;

/// How calls follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A caller sends its next call as soon as it has its answer.
    Closed,
    /// Calls are due at a constant rate, whether or not earlier ones are answered. A call's latency counts from the moment at which it was due,
    /// so that a stall is charged to all the calls that it held up.
    Open {
        /// Calls a second, in all.
        per_second: f64,
    },
}

impl Pace {
    /// Returns when call `number`, counted from zero, is due after the start; [`None`] when that is as soon as somebody can send it.
    pub fn due(self, number: u64) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::Open { per_second } => {
                Some(Duration::try_from_secs_f64(crate::float(number) / per_second).unwrap_or(Duration::MAX))
            }
        }
    }
}

/// The stretch of a run that counts: after the warm-up, before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What is done before and does not count.
    pub warm_up: Duration,
    /// How long is measured.
    pub length: Duration,
}

impl Window {
    /// Returns when nothing more is sent.
    pub fn end(self) -> Duration {
        self.warm_up.saturating_add(self.length)
    }

    /// Returns a window that is so many times longer, warm-up included.
    pub fn times(self, factor: u32) -> Self {
        Self { warm_up: self.warm_up.saturating_mul(factor), length: self.length.saturating_mul(factor) }
    }

    /// Whether something that happened at `moment` after the start counts.
    pub fn holds(self, moment: Duration) -> bool {
        self.warm_up <= moment && moment < self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_an_open_loop_are_due_at_a_constant_rate() {
        let pace = Pace::Open { per_second: 2_000.0 };
        let due_us: Vec<u128> = [0, 1, 2, 2_000].map(|number| pace.due(number).unwrap().as_micros()).into();
        assert_eq!(due_us, [0, 500, 1_000, 1_000_000]);
    }

    #[test]
    fn a_call_that_is_never_due_overflows_nothing() {
        assert_eq!(Pace::Open { per_second: 0.0 }.due(1), Some(Duration::MAX));
        assert_eq!(Pace::Closed.due(7), None);
    }

    #[test]
    fn the_warm_up_does_not_count_and_neither_does_the_end() {
        let window = Window { warm_up: Duration::from_secs(1), length: Duration::from_secs(2) };
        let counts = [0, 999, 1_000, 2_999, 3_000].map(|ms| window.holds(Duration::from_millis(ms)));
        assert_eq!(counts, [false, false, true, true, false]);
    }
}
