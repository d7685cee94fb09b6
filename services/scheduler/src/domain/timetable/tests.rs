#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use auric_time::Timestamp;
use chrono::DateTime;
use proptest::prelude::*;

use super::Timetable;
use crate::domain::Schedule;

fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc().into()
}

fn cron(expression: &str, zone: &str) -> Timetable {
    let schedule = Schedule::Cron { expression: expression.to_owned(), time_zone: zone.to_owned() };
    Timetable::of(&schedule).unwrap()
}

/// All times from `from` up to and including `until`.
fn times(timetable: &Timetable, from: &str, until: &str) -> Vec<Timestamp> {
    let (from, until) = (at(from).plus_micros(-1), at(until));
    std::iter::successors(timetable.after(from), |time| timetable.after(*time))
        .take_while(|time| *time <= until)
        .collect()
}

fn check(expression: &str, zone: &str, from: &str, until: &str, expected: &[&str]) {
    let found: Vec<String> = times(&cron(expression, zone), from, until).iter().map(ToString::to_string).collect();
    let expected: Vec<String> = expected.iter().map(|time| at(time).to_string()).collect();
    assert_eq!(found, expected, "{expression} in {zone}");
}

#[test]
fn a_time_in_the_gap_fires_once_when_the_gap_is_over() {
    let new_york = ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"];
    check("30 2 * * *", "America/New_York", "2026-03-07T06:00:00Z", "2026-03-09T23:00:00Z", &new_york);
    // Half an hour is left out.
    let lord_howe = ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
    check("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T14:00:00Z", "2026-10-05T00:00:00Z", &lord_howe);
    // A day that begins at one o'clock.
    let santiago = ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"];
    check("0 0 * * *", "America/Santiago", "2026-09-05T00:00:00Z", "2026-09-07T12:00:00Z", &santiago);
    check("30 0 * * *", "America/Santiago", "2026-09-06T00:00:00Z", "2026-09-06T12:00:00Z", &["2026-09-06T04:00:00Z"]);
}

#[test]
fn a_time_that_comes_twice_fires_once() {
    let new_york = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    check("30 1 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z", &new_york);
    let lord_howe = ["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
    check("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T00:00:00Z", "2026-04-05T23:00:00Z", &lord_howe);
    let santiago = ["2026-04-04T02:30:00Z", "2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"];
    check("30 23 * * *", "America/Santiago", "2026-04-03T12:00:00Z", "2026-04-06T12:00:00Z", &santiago);
}

#[test]
fn every_half_hour_loses_no_hour_and_doubles_none() {
    for (zone, from, until) in [
        ("America/New_York", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
        ("America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z"),
        ("America/Santiago", "2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"),
        ("America/Santiago", "2026-09-05T00:00:00Z", "2026-09-07T00:00:00Z"),
    ] {
        let found = times(&cron("*/30 * * * *", zone), from, until);
        for pair in found.windows(2) {
            assert_eq!(pair[1].micros_since(pair[0]), 1_800_000_000, "{zone}: {} then {}", pair[0], pair[1]);
        }
        assert_eq!(found.first(), Some(&at(from)), "{zone}");
        assert_eq!(found.last(), Some(&at(until)), "{zone}");
    }
}

/// What a job does once a day it does on each day of ten years, wherever the clocks are put forward and back.
#[test]
fn a_daily_job_fires_on_each_day() {
    for zone in ["America/New_York", "Australia/Lord_Howe", "America/Santiago"] {
        let tz: chrono_tz::Tz = zone.parse().unwrap();
        for expression in ["30 2 * * *", "0 0 * * *", "45 1 * * *", "30 0 * * *", "59 23 * * *"] {
            let found = times(&cron(expression, zone), "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
            let days: Vec<_> = found.iter().map(|time| DateTime::from(*time).with_timezone(&tz).date_naive()).collect();
            for pair in days.windows(2) {
                assert_eq!(pair[0].succ_opt(), Some(pair[1]), "{expression} in {zone}");
            }
        }
    }
}

#[test]
fn seconds_may_come_first() {
    check(
        "*/20 * * * * *",
        "UTC",
        "2026-01-01T00:00:01Z",
        "2026-01-01T00:01:00Z",
        &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"],
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let fault = |expression: &str, zone: &str| {
        let schedule = Schedule::Cron { expression: expression.to_owned(), time_zone: zone.to_owned() };
        Timetable::of(&schedule).unwrap_err().path
    };
    assert_eq!(fault("* * * *", "UTC"), "cron.expression");
    assert_eq!(fault("61 * * * *", "UTC"), "cron.expression");
    assert_eq!(fault("0 0 0 1 1 * 2020", "UTC"), "cron.expression");
    assert_eq!(fault("* * * * *", "Mars/Olympus"), "cron.time_zone");
    assert_eq!(fault(&"1,".repeat(200), "UTC"), "cron.expression");
}

proptest! {
    #[test]
    fn an_interval_keeps_to_its_anchor(every_ms in 1_u64..100_000_000, anchor in -1_i64 << 50..1 << 50, time in -1_i64 << 50..1 << 50) {
        let anchor = Timestamp::from_micros(anchor);
        let timetable = Timetable::of(&Schedule::Interval { every_ms, anchor }).unwrap();
        let time = Timestamp::from_micros(time);
        let next = timetable.after(time).unwrap();
        let every = i64::try_from(every_ms).unwrap() * 1_000;
        prop_assert!(next > time && next.micros() - time.micros() <= every);
        prop_assert_eq!((next.micros() - anchor.micros()).rem_euclid(every), 0);
        prop_assert!(timetable.has(next) && (every == 1_000 || !timetable.has(next.plus_micros(1))));
    }

    #[test]
    fn times_only_ever_go_forward(expression in prop::sample::select(vec!["*/7 * * * *", "30 2 * * *", "0 0 1 * *", "*/5 * * * * *"]),
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]),
        start in 1_577_836_800_i64..1_893_456_000, fraction in 0_i64..1_000_000) {
        let timetable = cron(expression, zone);
        let start = Timestamp::from_micros(start * 1_000_000 + fraction);
        let mut time = start;
        for _ in 0..20 {
            let next = timetable.after(time).unwrap();
            prop_assert!(next > time);
            prop_assert!(timetable.has(next));
            time = next;
        }
    }
}
