//! The machine's clock, for whom it must not stand still.
//!
//! A file has no clock of its own, and the machine's may be put back: by an hour, and nothing would be due for an hour. It is followed forward at once; while
//! it is behind, time goes on at half its pace until both are together again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auric_time::{Clock, Timestamp};
use tokio::time::Instant;

/// A clock that never goes back, and never stands still.
#[derive(Debug)]
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    last: Mutex<(Timestamp, Instant)>,
}

impl SteadyClock {
    /// Follows `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        Self { clock, last: Mutex::new((now, Instant::now())) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = follow(last.0, last.1.elapsed(), self.clock.now());
        *last = (now, Instant::now());
        now
    }
}

/// The time now, `elapsed` after it was `last`, where the machine says `machine`.
fn follow(last: Timestamp, elapsed: Duration, machine: Timestamp) -> Timestamp {
    let half = i64::try_from(elapsed.as_micros() / 2).unwrap_or(0);
    machine.max(last.plus_micros(half))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auric_time::Timestamp;

    use super::follow;

    #[test]
    fn it_follows_forward_and_goes_on_where_the_machine_went_back() {
        const HOUR: i64 = 3_600_000_000;
        let at = |last: i64, seconds: u64, machine: i64| {
            let (last, machine) = (Timestamp::from_micros(last), Timestamp::from_micros(machine));
            follow(last, Duration::from_secs(seconds), machine).micros()
        };
        assert_eq!(at(10 * HOUR, 1, 11 * HOUR), 11 * HOUR, "forward at once");
        assert_eq!(at(11 * HOUR, 0, 10 * HOUR), 11 * HOUR, "never back");
        assert_eq!(at(11 * HOUR, 60, 10 * HOUR), 11 * HOUR + 30_000_000, "never still");
        assert_eq!(at(11 * HOUR, 7_200, 12 * HOUR), 12 * HOUR, "together again");
    }
}
