//! By how much a firing is put off: by the same each time it is asked, or, after a failure, by chance.

use auric_time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{FiringKey, JobSpec, Retry};

/// By how much a firing is put off: the same for every copy and every time it is asked.
#[must_use]
pub fn jitter_micros(spec: &JobSpec, key: &FiringKey) -> i64 {
    let bound = spec.jitter_ms.saturating_mul(1_000);
    if bound == 0 {
        return 0;
    }
    let digest = Sha256::digest(key.to_string().as_bytes());
    let drawn = digest.iter().take(8).fold(0_u64, |drawn, byte| (drawn << 8) | u64::from(*byte));
    let drawn = drawn.checked_rem(bound.saturating_add(1)).unwrap_or(0);
    i64::try_from(drawn).unwrap_or(0)
}

/// How long to wait after the `attempt`th attempt, the first being 1: anything from nothing to base × 2^(attempt − 1), up to the maximum, as `chance`
/// will have it, which is drawn evenly.
#[must_use]
pub fn backoff_micros(retry: Retry, attempt: u32, chance: u64) -> i64 {
    let doublings = attempt.saturating_sub(1).min(63);
    let ceiling_ms = retry.base_ms.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(retry.max_ms);
    let ceiling = u128::from(ceiling_ms).saturating_mul(1_000).saturating_add(1);
    // The high half of the product is spread evenly over 0 to the ceiling.
    let share = u128::from(chance).saturating_mul(ceiling) >> 64;
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// When a firing is due.
#[must_use]
pub fn due(spec: &JobSpec, key: &FiringKey) -> Timestamp {
    key.scheduled_for.plus_micros(jitter_micros(spec, key))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use auric_time::Timestamp;
    use proptest::prelude::*;

    use super::{backoff_micros, jitter_micros};
    use crate::domain::{FiringKey, Incarnation, JobSpec, Retry, Schedule};

    fn key(scheduled_for: i64) -> FiringKey {
        FiringKey {
            job: "nightly".parse().unwrap(),
            scheduled_for: Timestamp::from_micros(scheduled_for),
            incarnation: Incarnation::from_number(7),
        }
    }

    proptest! {
        #[test]
        fn jitter_is_the_same_each_time_and_bounded(jitter_ms in 0_u64..3_600_000, scheduled_for in 0_i64..1 << 50) {
            let every = Schedule::Interval { every_ms: 1_000, anchor: Timestamp::EPOCH };
            let spec = JobSpec { jitter_ms, ..JobSpec::new(every, "t".parse().unwrap(), "h".parse().unwrap()) };
            let put_off = jitter_micros(&spec, &key(scheduled_for));
            prop_assert_eq!(put_off, jitter_micros(&spec, &key(scheduled_for)));
            prop_assert!((0..=i64::try_from(jitter_ms).unwrap() * 1_000).contains(&put_off));
        }

        #[test]
        fn a_pause_is_anything_up_to_its_ceiling(base_ms in 1_u64..10_000, attempt in 1_u32..200, chance: u64) {
            let retry = Retry { attempts_max: 100, base_ms, max_ms: 60_000 };
            let ceiling = i64::try_from(base_ms.saturating_mul(1_u64.checked_shl(attempt - 1).unwrap_or(u64::MAX)).min(60_000)).unwrap() * 1_000;
            prop_assert!((0..=ceiling).contains(&backoff_micros(retry, attempt, chance)));
            prop_assert_eq!(backoff_micros(retry, attempt, 0), 0);
            prop_assert_eq!(backoff_micros(retry, attempt, u64::MAX), ceiling);
        }
    }

    #[test]
    fn jitter_spreads_the_firings() {
        let every = Schedule::Interval { every_ms: 1_000, anchor: Timestamp::EPOCH };
        let spec = JobSpec { jitter_ms: 1_000, ..JobSpec::new(every, "t".parse().unwrap(), "h".parse().unwrap()) };
        let mut tenths = [0_u32; 10];
        for number in 0..10_000 {
            let put_off = jitter_micros(&spec, &key(number * 1_000_000));
            tenths[usize::try_from(put_off / 100_001).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|tenth| (850..1_150).contains(tenth)), "{tenths:?}");
    }
}
