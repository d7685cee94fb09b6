//! `auric jobs next`: when a cron expression fires, and what becomes of it when clocks change. Needs no server.

use std::fmt::Write as _;

use auric_scheduler::domain::{Schedule, Timetable};
use auric_status::{BadField, Problem};
use auric_time::{Clock as _, SystemClock, Timestamp};
use chrono::{DateTime, NaiveDateTime, Offset as _, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::fault::Fault;
use crate::output::{self, Output};

/// How far ahead changes of clocks are looked for.
const AHEAD_DAYS: i64 = 400;

/// Changes that are told: the next of each direction.
const CHANGES_MAX: usize = 2;

/// Firings of the day of a change that are shown.
const FIRINGS_OF_A_CHANGE_MAX: usize = 12;

/// How near to the change those are, where the day has more.
const NEAR: TimeDelta = TimeDelta::minutes(90);

/// Shows when a cron expression fires next, and what becomes of it when clocks change.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs next \"30 2 * * *\" --tz America/New_York
  auric jobs next \"*/15 * * * *\" --tz Australia/Lord_Howe --count 10
  auric jobs next \"0 22 * * 5\" --from 2026-12-01T00:00:00Z --json

Exit codes: 0 shown · 2 it is no cron expression, or never fires")]
pub struct Next {
    /// Minute, hour, day of the month, month, day of the week; six fields begin with the second.
    spec: String,

    /// By whose clock: an IANA name.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,

    /// How many firings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,

    /// After which moment, such as 2026-12-24T18:00:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,

    /// Shows the answer as one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    expression: String,
    time_zone: String,
    firings: Vec<FiringTime>,
    clock_changes: Vec<ClockChange>,
}

#[derive(Debug, Serialize)]
struct FiringTime {
    utc: String,
    local: String,
}

/// One moment at which the clocks of the zone are put forward or back.
#[derive(Debug, Serialize)]
struct ClockChange {
    utc: String,
    /// What the clocks show when they are changed, and what they show then.
    local_before: String,
    local_after: String,
    forward: bool,
    firings: Vec<FiringTime>,
    /// Whether the day has firings beside those that are shown.
    more: bool,
}

impl Next {
    pub fn run(self, output: Output) -> Result<(), Fault> {
        let from = self.from.map_or_else(|| SystemClock.now(), Timestamp::from);
        let shown = look(self.spec, self.tz, from, self.count.into())?;
        output.show(&shown, |shown| text(shown, output))
    }
}

fn look(expression: String, time_zone: String, from: Timestamp, count: usize) -> Result<Shown, Fault> {
    let schedule = Schedule::Cron { expression: expression.clone(), time_zone: time_zone.clone() };
    let timetable = Timetable::of(&schedule).map_err(|fault| bad(&fault.path, &fault.fault))?;
    let zone: Tz = time_zone.parse().map_err(|_| bad("cron.time_zone", "is no IANA time zone"))?;
    let firings: Vec<Timestamp> = after(&timetable, from).take(count).collect();
    if firings.is_empty() {
        return Err(bad("cron.expression", "never fires"));
    }
    let changes = changes(zone, from.into()).into_iter().map(|at| clock_change(&timetable, zone, at));
    Ok(Shown {
        clock_changes: changes.collect(),
        firings: firings.into_iter().map(|time| FiringTime::of(time, zone)).collect(),
        expression,
        time_zone,
    })
}

fn bad(path: &str, fault: &str) -> Fault {
    let path = path.trim_start_matches("cron.").replace("expression", "spec").replace("time_zone", "tz");
    Problem::invalid_argument(vec![BadField::new(path, fault.to_owned())]).into()
}

fn after(timetable: &Timetable, time: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(timetable.after(time), |time| timetable.after(*time))
}

impl FiringTime {
    fn of(time: Timestamp, zone: Tz) -> Self {
        let utc: DateTime<Utc> = time.into();
        let local = utc.with_timezone(&zone);
        Self { utc: utc.format("%FT%TZ").to_string(), local: local.format("%a %F %T %Z").to_string() }
    }
}

fn offset_seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    at.with_timezone(&zone).offset().fix().local_minus_utc()
}

/// The next moments at which the zone's clocks are changed, to the second.
fn changes(zone: Tz, from: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut found = Vec::new();
    let mut day = from;
    for _ in 0..AHEAD_DAYS {
        let next = day + TimeDelta::days(1);
        if offset_seconds(zone, day) != offset_seconds(zone, next) {
            found.push(change_between(zone, day, next));
            if found.len() == CHANGES_MAX {
                break;
            }
        }
        day = next;
    }
    found
}

/// The first second at which the clocks show what they show at `late`, and not what they show at `early`.
fn change_between(zone: Tz, mut early: DateTime<Utc>, mut late: DateTime<Utc>) -> DateTime<Utc> {
    let before = offset_seconds(zone, early);
    while late - early > TimeDelta::seconds(1) {
        let middle = early + (late - early) / 2;
        if offset_seconds(zone, middle) == before {
            early = middle;
        } else {
            late = middle;
        }
    }
    // Halves may leave a part of a second: changes are on whole ones.
    DateTime::from_timestamp(late.timestamp(), 0).unwrap_or(late)
}

fn clock_change(timetable: &Timetable, zone: Tz, at: DateTime<Utc>) -> ClockChange {
    let second = TimeDelta::seconds(1);
    let before = TimeDelta::seconds(offset_seconds(zone, at - second).into());
    let after_it = TimeDelta::seconds(offset_seconds(zone, at).into());
    let wall = |offset: TimeDelta| at.naive_utc() + offset;
    let show = |wall: NaiveDateTime| wall.format("%F %T").to_string();
    let on_the_day = |near: TimeDelta| -> Vec<Timestamp> {
        let begins = Timestamp::from(at - near).plus_micros(-1);
        after(timetable, begins).take_while(|time| DateTime::<Utc>::from(*time) < at + near).take(1_500).collect()
    };
    let day = TimeDelta::hours(12);
    let mut firings = on_the_day(day);
    let all = firings.len();
    if all > FIRINGS_OF_A_CHANGE_MAX {
        firings = on_the_day(NEAR);
        firings.truncate(FIRINGS_OF_A_CHANGE_MAX);
    }
    ClockChange {
        utc: at.format("%FT%TZ").to_string(),
        local_before: show(wall(before)),
        local_after: show(wall(after_it)),
        forward: after_it > before,
        more: firings.len() < all,
        firings: firings.into_iter().map(|time| FiringTime::of(time, zone)).collect(),
    }
}

fn text(shown: &Shown, output: Output) -> String {
    let table = |firings: &[FiringTime]| {
        let mut table = output.table(&["UTC", &shown.time_zone]);
        for FiringTime { utc, local } in firings {
            table.add_row([utc, local]);
        }
        output::render(&table)
    };
    let mut text = table(&shown.firings);
    if shown.clock_changes.is_empty() {
        return text + "\nthe clocks are not changed there\n";
    }
    for change in &shown.clock_changes {
        let ClockChange { local_before, local_after, utc, .. } = change;
        let what = if change.forward {
            "clocks go forward: what is meant for the gap fires when it is over, once"
        } else {
            "clocks go back: a time of day fires once, and what fires every so many minutes loses none"
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{local_before} → {local_after} ({utc}): {what}");
        if change.firings.is_empty() {
            text.push_str("nothing fires around it\n");
        } else {
            text.push_str(&table(&change.firings));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expression: &str, zone: &str) -> String {
        let from: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let shown = look(expression.to_owned(), zone.to_owned(), from.into(), 2).unwrap();
        text(&shown, Output::new(false, true))
    }

    #[test]
    fn a_time_in_the_gap_fires_once_when_it_is_over() {
        insta::assert_snapshot!(shown("30 2 * * *", "America/New_York"), @r"
        UTC                   America/New_York
        2026-03-01T07:30:00Z  Sun 2026-03-01 02:30:00 EST
        2026-03-02T07:30:00Z  Mon 2026-03-02 02:30:00 EST

        2026-03-08 02:00:00 → 2026-03-08 03:00:00 (2026-03-08T07:00:00Z): clocks go forward: what is meant for the gap fires when it is over, once
        UTC                   America/New_York
        2026-03-08T07:00:00Z  Sun 2026-03-08 03:00:00 EDT

        2026-11-01 02:00:00 → 2026-11-01 01:00:00 (2026-11-01T06:00:00Z): clocks go back: a time of day fires once, and what fires every so many minutes loses none
        UTC                   America/New_York
        2026-11-01T07:30:00Z  Sun 2026-11-01 02:30:00 EST
        ");
    }

    #[test]
    fn what_fires_every_so_many_minutes_loses_none() {
        insta::assert_snapshot!(shown("*/30 * * * *", "Australia/Lord_Howe"), @r"
        UTC                   Australia/Lord_Howe
        2026-03-01T00:30:00Z  Sun 2026-03-01 11:30:00 +11
        2026-03-01T01:00:00Z  Sun 2026-03-01 12:00:00 +11

        2026-04-05 02:00:00 → 2026-04-05 01:30:00 (2026-04-04T15:00:00Z): clocks go back: a time of day fires once, and what fires every so many minutes loses none
        UTC                   Australia/Lord_Howe
        2026-04-04T13:30:00Z  Sun 2026-04-05 00:30:00 +11
        2026-04-04T14:00:00Z  Sun 2026-04-05 01:00:00 +11
        2026-04-04T14:30:00Z  Sun 2026-04-05 01:30:00 +11
        2026-04-04T15:00:00Z  Sun 2026-04-05 01:30:00 +1030
        2026-04-04T15:30:00Z  Sun 2026-04-05 02:00:00 +1030
        2026-04-04T16:00:00Z  Sun 2026-04-05 02:30:00 +1030

        2026-10-04 02:00:00 → 2026-10-04 02:30:00 (2026-10-03T15:30:00Z): clocks go forward: what is meant for the gap fires when it is over, once
        UTC                   Australia/Lord_Howe
        2026-10-03T14:00:00Z  Sun 2026-10-04 00:30:00 +1030
        2026-10-03T14:30:00Z  Sun 2026-10-04 01:00:00 +1030
        2026-10-03T15:00:00Z  Sun 2026-10-04 01:30:00 +1030
        2026-10-03T15:30:00Z  Sun 2026-10-04 02:30:00 +11
        2026-10-03T16:00:00Z  Sun 2026-10-04 03:00:00 +11
        2026-10-03T16:30:00Z  Sun 2026-10-04 03:30:00 +11
        ");
    }

    #[test]
    fn where_clocks_are_not_changed_that_is_said() {
        insta::assert_snapshot!(shown("0 22 * * *", "Asia/Tokyo"), @r"
        UTC                   Asia/Tokyo
        2026-03-01T13:00:00Z  Sun 2026-03-01 22:00:00 JST
        2026-03-02T13:00:00Z  Mon 2026-03-02 22:00:00 JST

        the clocks are not changed there
        ");
    }

    #[test]
    fn what_is_no_expression_or_never_fires_is_refused_with_its_flag() {
        let from = Timestamp::EPOCH;
        let fault = |expression: &str, zone: &str| {
            let fault = look(expression.to_owned(), zone.to_owned(), from, 1).unwrap_err();
            let Fault::Problem { problem, .. } = fault else { panic!("{fault}") };
            problem.bad_fields.first().unwrap().path.clone()
        };
        assert_eq!(fault("0 0 30 2 *", "UTC"), "spec");
        assert_eq!(fault("every day", "UTC"), "spec");
        assert_eq!(fault("0 0 * * *", "Europe/Atlantis"), "tz");
    }
}
