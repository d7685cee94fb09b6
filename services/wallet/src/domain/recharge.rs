//! What the clock gives back: exact at any moment, without a job that ticks.

use auric_time::Timestamp;

use super::{Balance, Recharging};

/// Under which terms a recharging balance was settled last, and when its running interval began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When the running interval began.
    pub at: Timestamp,
    /// What comes back at the end of each interval.
    pub regen_units: u64,
    /// The interval; never 0.
    pub interval_micros: u64,
    /// Where it stops.
    pub capacity_units: u64,
}

impl Settled {
    /// The terms in force for a player with that capacity, from `at` on.
    #[must_use]
    pub fn under(recharging: &Recharging, capacity_units: u64, at: Timestamp) -> Self {
        Self { at, regen_units: recharging.regen_units, interval_micros: recharging.interval_micros, capacity_units }
    }

    /// What has come back by `now` to a balance, and when the interval that runs then began.
    ///
    /// A balance at its capacity or above that owes nothing runs no interval: the next begins when units are taken. What is owed is paid by
    /// what comes back, and missing as much as what was spent.
    #[must_use]
    pub fn gain(self, balance: Balance, now: Timestamp) -> (u64, Timestamp) {
        let missing = self.missing(balance);
        let intervals = now.micros_since(self.at).checked_div(self.interval_micros).unwrap_or(0);
        let gained = intervals.saturating_mul(self.regen_units);
        if gained >= missing {
            return (missing, self.at.max(now));
        }
        let whole = intervals.saturating_mul(self.interval_micros);
        (gained, self.at.plus_micros(i64::try_from(whole).unwrap_or(i64::MAX)))
    }

    fn missing(self, balance: Balance) -> u64 {
        self.capacity_units.saturating_add(balance.owed_units()).saturating_sub(balance.total_units())
    }

    /// When the balance will be at its capacity, if nothing is taken; `None` when it never will, or is.
    #[must_use]
    pub fn full_at(self, balance: Balance) -> Option<Timestamp> {
        let missing = self.missing(balance);
        if missing == 0 || self.regen_units == 0 {
            return None;
        }
        let micros = missing.div_ceil(self.regen_units).saturating_mul(self.interval_micros);
        Some(self.at.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Balance, Settled};
    use auric_time::Timestamp;

    const HOUR: i64 = 3_600_000_000;

    fn of(units: u64) -> Balance {
        Balance::from_parts([units, 0, 0, 0]).unwrap()
    }

    fn charges() -> Settled {
        Settled { at: Timestamp::EPOCH, regen_units: 1, interval_micros: 3_600_000_000, capacity_units: 5 }
    }

    #[test]
    fn a_charge_comes_back_at_the_end_of_each_interval() {
        // R-W11
        let at = Timestamp::from_micros;
        assert_eq!(charges().gain(of(0), at(HOUR - 1)), (0, at(0)));
        assert_eq!(charges().gain(of(0), at(HOUR)), (1, at(HOUR)));
        assert_eq!(charges().gain(of(0), at(2 * HOUR + 7)), (2, at(2 * HOUR)), "the running interval is kept");
        assert_eq!(charges().full_at(of(2)), Some(at(3 * HOUR)));
    }

    #[test]
    fn a_full_balance_runs_no_interval() {
        let at = Timestamp::from_micros;
        assert_eq!(charges().gain(of(4), at(9 * HOUR + 7)), (1, at(9 * HOUR + 7)));
        assert_eq!(charges().gain(of(5), at(9 * HOUR)), (0, at(9 * HOUR)));
        assert_eq!(charges().gain(of(900), at(9 * HOUR)), (0, at(9 * HOUR)), "overfilled");
        assert_eq!(charges().full_at(of(5)), None);
    }

    #[test]
    fn a_clock_that_went_back_gives_nothing_and_takes_nothing() {
        let later = Settled { at: Timestamp::from_micros(HOUR), ..charges() };
        assert_eq!(later.gain(of(1), Timestamp::EPOCH), (0, Timestamp::from_micros(HOUR)));
        assert_eq!(charges().gain(of(0), Timestamp::from_micros(i64::MAX)).0, 5);
    }

    #[test]
    fn what_is_owed_is_missing_too() {
        let at = Timestamp::from_micros;
        let owing = Balance::from_parts([0, 0, 0, 2]).unwrap();
        assert_eq!(charges().gain(owing, at(3 * HOUR)), (3, at(3 * HOUR)), "two pay, one is there");
        assert_eq!(charges().gain(owing, at(90 * HOUR)), (7, at(90 * HOUR)));
        assert_eq!(charges().full_at(owing), Some(at(7 * HOUR)));
    }
}
