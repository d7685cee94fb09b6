//! Points in time, and the clock as an argument.
//!
//! PostgreSQL's own clock decides there; SQLite runs inside the process and is given a [`Clock`].

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A point in time, in whole microseconds since 1970-01-01 UTC: what both databases keep exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The beginning of 1970, UTC.
    pub const EPOCH: Self = Self(0);

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The point `micros` later, or earlier when negative; stops at the ends of the range.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this; 0 when `earlier` is not earlier.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// The day in UTC, counted from 1970-01-01.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::try_from(self.0.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
    }

    /// Whole seconds since the epoch, and the nanoseconds beyond them: the parts of a `google.protobuf.Timestamp`.
    #[must_use]
    pub fn seconds_and_nanos(self) -> (i64, i32) {
        let micros = self.0.rem_euclid(1_000_000).saturating_mul(1_000);
        (self.0.div_euclid(1_000_000), i32::try_from(micros).unwrap_or(0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    /// Stops at the ends of chrono's range, some 262,000 years away.
    fn from(time: Timestamp) -> Self {
        DateTime::from_timestamp_micros(time.0).unwrap_or(if time.0 < 0 { Self::MIN_UTC } else { Self::MAX_UTC })
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339 with microseconds.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = DateTime::<Utc>::from(*self);
        formatter.write_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
    }
}

/// Tells the time to a store that has no clock of its own.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now. It may step backwards: whoever keeps it must not rely on its order.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the ambient clock is read")]
    fn now(&self) -> Timestamp {
        Utc::now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn a_time_before_the_epoch_has_positive_nanos() {
        assert_eq!(Timestamp::from_micros(-1).seconds_and_nanos(), (-1, 999_999_000));
        assert_eq!(Timestamp::from_micros(-1).day(), -1);
        assert_eq!(Timestamp::from_micros(1_500_000).seconds_and_nanos(), (1, 500_000_000));
    }

    #[test]
    fn a_time_reads_as_rfc_3339() {
        assert_eq!(Timestamp::from_micros(1_000_001).to_string(), "1970-01-01T00:00:01.000001Z");
    }

    #[test]
    fn time_that_ran_backwards_is_no_time() {
        assert_eq!(Timestamp::from_micros(5).micros_since(Timestamp::from_micros(9)), 0);
        assert_eq!(Timestamp::from_micros(i64::MAX).plus_micros(1), Timestamp::from_micros(i64::MAX));
    }
}
