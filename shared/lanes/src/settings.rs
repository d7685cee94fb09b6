use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use serde::Deserialize;

/// Works in one transaction of a database with one writer, where each transaction waits for the disk and nobody else writes meanwhile.
const ONE_WRITER_BATCH_MAX: NonZeroU16 = NonZeroU16::new(1_024).unwrap();

/// The bounds of every lane. The defaults suit a small server; `lanes` and `batch_max` are worth measuring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// Whose lanes they are, for metrics: several services may share a process.
    pub service: &'static str,

    /// How many lanes there are. Fewer lanes make larger batches; more of them keep more of the database's cores busy.
    pub lanes: NonZeroU16,

    /// The submissions that may wait in one lane; the next is refused with [`Refused::QueueFull`](crate::Refused::QueueFull).
    pub queue_max: NonZeroU16,

    /// The submissions that one transaction may take.
    pub batch_max: NonZeroU16,

    /// The runs of a work that is alone and meets another transaction each time.
    pub contended_runs_max: NonZeroU32,

    /// The pause before work that met another transaction is run again.
    pub contended_backoff: Backoff,

    /// The runs of a batch whose connection is lost each time.
    pub lost_runs_max: NonZeroU32,

    /// The pause before a batch whose connection was lost is run again.
    pub lost_backoff: Backoff,

    /// The longest that one run may take; it is dropped then, and counts as lost. Longer than the database's own timeouts.
    pub run_time_max: Duration,

    /// The longest that a batch, with all that is run again of it, may hold up its lane: no run of it begins later.
    pub settle_time_max: Duration,

    /// The longest that [`Lanes::drain`](crate::Lanes::drain) waits for what is queued and in flight.
    pub drain_time_max: Duration,

    /// The shortest delay that a full queue asks for.
    pub retry_after_min: Duration,

    /// The longest delay that a full queue asks for.
    pub retry_after_max: Duration,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            service: "",
            lanes: const { NonZeroU16::new(2).unwrap() },
            queue_max: const { NonZeroU16::new(8_192).unwrap() },
            batch_max: const { NonZeroU16::new(128).unwrap() },
            contended_runs_max: const { NonZeroU32::new(3).unwrap() },
            contended_backoff: Backoff { first: Duration::from_millis(4), max: Duration::from_millis(100) },
            lost_runs_max: const { NonZeroU32::new(6).unwrap() },
            lost_backoff: Backoff { first: Duration::from_millis(50), max: Duration::from_secs(2) },
            run_time_max: Duration::from_secs(15),
            settle_time_max: Duration::from_secs(20),
            drain_time_max: Duration::from_secs(20),
            retry_after_min: Duration::from_millis(10),
            retry_after_max: Duration::from_secs(5),
        }
    }
}

/// What a deployment says about its lanes; where it says nothing, the defaults hold.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanesConfig {
    /// How many: while one writes, another decides. A database with one writer has one lane.
    pub count: Option<NonZeroU16>,
    /// Works in one transaction at most.
    pub batch_max: Option<NonZeroU16>,
    /// Works that may wait in one lane.
    pub queue_max: Option<NonZeroU16>,
}

impl LanesConfig {
    /// The bounds of every lane of `service`, over a database that has `one_writer` or several.
    #[must_use]
    pub fn settings(self, service: &'static str, one_writer: bool) -> LaneSettings {
        let defaults = LaneSettings::default();
        let (lanes, batch_max) = if one_writer {
            (NonZeroU16::MIN, ONE_WRITER_BATCH_MAX)
        } else {
            (self.count.unwrap_or(defaults.lanes), defaults.batch_max)
        };
        LaneSettings {
            service,
            lanes,
            batch_max: self.batch_max.unwrap_or(batch_max),
            queue_max: self.queue_max.unwrap_or(defaults.queue_max),
            ..defaults
        }
    }
}

/// A pause that doubles with every try, up to a bound. The lane takes a random part of it, at least a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause after the first failure.
    pub first: Duration,

    /// The longest pause after any failure.
    pub max: Duration,
}

impl Backoff {
    /// Returns the longest pause after the `nth` failure, counted from one.
    pub(crate) fn ceiling(self, nth: u32) -> Duration {
        let doublings = nth.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_bound() {
        let backoff = Backoff { first: Duration::from_millis(4), max: Duration::from_millis(100) };

        let ceilings_ms: Vec<u128> =
            [1, 2, 3, 4, 5, 6, 33, u32::MAX].map(|nth| backoff.ceiling(nth).as_millis()).into();

        assert_eq!(ceilings_ms, [4, 8, 16, 32, 64, 100, 100, 100]);
    }
}
