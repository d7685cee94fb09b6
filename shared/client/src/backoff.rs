//! How long to wait before asking again.

use std::time::Duration;

use rand::RngExt as _;

use crate::config::Policy;

/// Waits at least what the service asked for, and then some: callers that were refused together must not come back together.
///
/// # Source
///
/// *Exponential Backoff And Jitter*, full jitter: uniform between nothing and the bound, which doubles with every attempt.
pub(crate) fn wait(policy: &Policy, attempts: u32, retry_after: Duration) -> Duration {
    let bound = bound(policy, attempts);
    retry_after + rand::rng().random_range(Duration::ZERO..=bound)
}

fn bound(policy: &Policy, attempts: u32) -> Duration {
    let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
    policy.backoff_min.saturating_mul(factor).min(policy.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_until_its_maximum() {
        let policy =
            Policy { backoff_min: Duration::from_millis(20), backoff_max: Duration::from_secs(1), ..Policy::default() };
        let bounds: Vec<u128> = [1, 2, 3, 6, 7, 90].map(|attempts| bound(&policy, attempts).as_millis()).into();
        assert_eq!(bounds, [20, 40, 80, 640, 1_000, 1_000]);
    }

    #[test]
    fn what_the_service_asked_for_is_waited_out() {
        let policy = Policy::default();
        let retry_after = Duration::from_millis(300);
        for attempts in 1..20 {
            let wait = wait(&policy, attempts, retry_after);
            assert!(wait >= retry_after && wait <= retry_after + bound(&policy, attempts), "{wait:?}");
        }
    }
}
