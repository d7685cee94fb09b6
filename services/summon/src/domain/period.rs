//! Periods by the calendar of a time zone, each with an id: what happens once a day happens once for each id.
//!
//! A period begins at a time of day. Where the clock is put forward over that time it begins as much later; where the clock shows it
//! twice it begins the first time. So every instant is in exactly one period, and a day of 23 or 25 hours is one day.

use chrono::{
    DateTime, Datelike as _, Days, MappedLocalTime, Months, NaiveDate, NaiveTime, Offset as _, TimeZone as _, Utc,
};
use chrono_tz::Tz;

use auric_time::Timestamp;

/// A recurring period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long it is.
    pub every: Every,
    /// Whose calendar.
    pub zone: Tz,
    /// When in the day it begins.
    pub resets_at: NaiveTime,
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// A day.
    Day,
    /// A week from Monday.
    Week,
    /// A month from its first day.
    Month,
}

/// Which period: the date that it begins on, such as `day:2026-03-29`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodId(String);

impl PeriodId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PeriodId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Period {
    /// The period that `now` is in.
    #[must_use]
    pub fn id_at(&self, now: Timestamp) -> PeriodId {
        let date = self.first_day(now);
        PeriodId(format!("{}:{date}", self.every))
    }

    /// When the period that `now` is in began.
    #[must_use]
    pub fn begins_at(&self, now: Timestamp) -> Timestamp {
        self.begin_of(self.first_day(now))
    }

    /// When the next one begins.
    #[must_use]
    pub fn ends_at(&self, now: Timestamp) -> Timestamp {
        self.begin_of(self.every.next(self.first_day(now)))
    }

    fn first_day(&self, now: Timestamp) -> NaiveDate {
        let local = DateTime::<Utc>::from(now).with_timezone(&self.zone).date_naive();
        let mut date = self.every.first(local);
        if now < self.begin_of(date) {
            date = self.every.first(date.pred_opt().unwrap_or(date));
        }
        // A day that a time zone left out, as Samoa did on its way over the date line, lasts no time at all.
        while now >= self.begin_of(self.every.next(date)) && self.every.next(date) > date {
            date = self.every.next(date);
        }
        date
    }

    fn begin_of(&self, date: NaiveDate) -> Timestamp {
        let local = date.and_time(self.resets_at);
        let instant = match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => instant.naive_utc(),
            MappedLocalTime::None => {
                let day_before = local.checked_sub_days(Days::new(1)).unwrap_or(local);
                let offset = self.zone.offset_from_utc_datetime(&day_before).fix();
                local.checked_sub_offset(offset).unwrap_or(local)
            }
        };
        Timestamp::from(instant.and_utc())
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        })
    }
}

impl Every {
    fn first(self, date: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Day => Some(date),
            Self::Week => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday()))),
            Self::Month => date.with_day(1),
        };
        first.unwrap_or(date)
    }

    fn next(self, first: NaiveDate) -> NaiveDate {
        let next = match self {
            Self::Day => first.succ_opt(),
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
        };
        next.unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
    }

    fn period(every: Every, zone: &str, resets_at: (u32, u32)) -> Period {
        let resets_at = NaiveTime::from_hms_opt(resets_at.0, resets_at.1, 0).unwrap();
        Period { every, zone: zone.parse().unwrap(), resets_at }
    }

    fn check(period: &Period, now: &str, id: &str, begins: &str, ends: &str) {
        assert_eq!(period.id_at(at(now)).as_str(), id, "at {now}");
        assert_eq!((period.begins_at(at(now)), period.ends_at(at(now))), (at(begins), at(ends)), "at {now}");
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let day = period(Every::Day, "UTC", (4, 0));
        check(&day, "2026-03-01T03:59:59Z", "day:2026-02-28", "2026-02-28T04:00:00Z", "2026-03-01T04:00:00Z");
        check(&day, "2026-03-01T04:00:00Z", "day:2026-03-01", "2026-03-01T04:00:00Z", "2026-03-02T04:00:00Z");
    }

    #[test]
    fn a_day_with_a_missing_hour_is_one_day() {
        // Berlin goes from 02:00 to 03:00 on 2026-03-29, which is 01:00 UTC.
        let in_the_gap = period(Every::Day, "Europe/Berlin", (2, 30));
        check(&in_the_gap, "2026-03-29T01:29:59Z", "day:2026-03-28", "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z");
        check(&in_the_gap, "2026-03-29T01:30:00Z", "day:2026-03-29", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z");
    }

    #[test]
    fn an_hour_that_comes_twice_begins_one_day() {
        // Berlin goes from 03:00 back to 02:00 on 2026-10-25, which is 01:00 UTC.
        let twice = period(Every::Day, "Europe/Berlin", (2, 30));
        check(&twice, "2026-10-25T00:29:59Z", "day:2026-10-24", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z");
        check(&twice, "2026-10-25T00:30:00Z", "day:2026-10-25", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        check(&twice, "2026-10-25T01:45:00Z", "day:2026-10-25", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let week = period(Every::Week, "America/New_York", (0, 0));
        check(&week, "2026-03-09T03:59:59Z", "week:2026-03-02", "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z");
        check(&week, "2026-03-09T04:00:00Z", "week:2026-03-09", "2026-03-09T04:00:00Z", "2026-03-16T04:00:00Z");
        let month = period(Every::Month, "UTC", (12, 0));
        check(&month, "2026-03-01T11:00:00Z", "month:2026-02-01", "2026-02-01T12:00:00Z", "2026-03-01T12:00:00Z");
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_nobodys() {
        // Samoa had no 30 December 2011.
        let day = period(Every::Day, "Pacific/Apia", (0, 0));
        check(&day, "2011-12-30T09:59:59Z", "day:2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z");
        check(&day, "2011-12-30T10:00:00Z", "day:2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z");
    }

    proptest::proptest! {
        #[test]
        fn every_instant_is_in_exactly_one_period(
            micros in 0_i64..4_000_000_000_000_000,
            zone in proptest::sample::select(vec!["Europe/Berlin", "America/Santiago", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Tehran"]),
            hour in 0_u32..24, minute in 0_u32..60,
        ) {
            let (period, now) = (period(Every::Day, zone, (hour, minute)), Timestamp::from_micros(micros));
            let (begins, ends) = (period.begins_at(now), period.ends_at(now));
            proptest::prop_assert!(begins <= now && now < ends, "{now} is not in {begins} to {ends}");
            proptest::prop_assert_eq!(period.id_at(begins), period.id_at(now));
            proptest::prop_assert_eq!(period.begins_at(ends), ends);
            proptest::prop_assert_ne!(period.id_at(ends), period.id_at(now));
        }
    }
}
