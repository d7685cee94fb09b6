//! A desired set: what is missing is made, what is different is defined again, what is absurd is found again. No firing that has begun or is due is touched.

use auric_ids::{JobGroupId, JobId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::decide::Desk;
use super::{BadField, DesiredJob, Job, Timetable};

/// What was done about one job of a desired set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing: it was as it should be.
    None,
    /// It was missing.
    Created,
    /// It was another one.
    Updated,
    /// Its next time was absurd.
    Repaired,
    /// What is desired cannot be.
    Refused,
}

/// What became of one job of a desired set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensured {
    /// Which.
    pub job: JobId,
    /// What was done.
    pub change: Change,
    /// What was wrong.
    pub detail: String,
}

/// Makes one job as it is desired.
pub(super) fn ensure(desk: &mut Desk<'_>, group: &JobGroupId, desired: &DesiredJob) -> Ensured {
    let id = &desired.job;
    let told = |change, detail: String| Ensured { job: id.clone(), change, detail };
    let spec = match &desired.spec {
        Ok(spec) => spec,
        Err(bad) => return told(Change::Refused, faults(bad)),
    };
    let timetable = match desk.check(spec) {
        Ok(timetable) => timetable,
        Err(bad) => return told(Change::Refused, faults(&bad)),
    };
    let Some(found) = desk.book.job(id).map(|row| row.job.clone()) else {
        let made = Job { group: group.clone(), ..desk.new_job(id, spec, &timetable) };
        desk.book.define(made);
        return told(Change::Created, "it was missing".to_owned());
    };
    if found.spec.as_ref() != Some(spec) || found.group != *group {
        let detail = if found.spec.is_none() { "its spec could not be read" } else { "it was another one" };
        desk.redefine(Job { group: group.clone(), ..found }, spec, &timetable);
        return told(Change::Updated, detail.to_owned());
    }
    let (now, seen) = (desk.book.now(), desk.book.seen(id));
    match first_wrong(&timetable, found.next_at, now, desk.ahead_micros, seen) {
        None => told(Change::None, String::new()),
        Some(detail) => {
            let (next_at, version) = (repair(&timetable, now, seen), found.version.saturating_add(1));
            desk.book.put(Job { next_at, version, updated_at: now, ..found });
            told(Change::Repaired, detail)
        }
    }
}

/// Says what is absurd about a job's next time; nothing where it is not. `seen` is the latest time that there ever was a firing for.
///
/// It is always a time of the schedule, behind all that were seen, and at most the first one behind what may be planned.
#[must_use]
pub fn first_wrong(
    timetable: &Timetable,
    next_at: Option<Timestamp>,
    now: Timestamp,
    ahead_micros: i64,
    seen: Option<Timestamp>,
) -> Option<String> {
    if timetable.is_once() {
        return None;
    }
    let Some(next_at) = next_at else { return Some("it had no next time".to_owned()) };
    if !timetable.has(next_at) {
        return Some(format!("{next_at} was its next time, and is no time of its schedule"));
    }
    if let Some(seen) = seen.filter(|seen| *seen >= next_at) {
        return Some(format!("{next_at} was its next time, and {seen} was fired before"));
    }
    let planned = now.plus_micros(ahead_micros);
    let latest = timetable.after(seen.map_or(planned, |seen| seen.max(planned)));
    let is_far = latest.is_some_and(|latest| next_at > latest);
    is_far.then(|| format!("{next_at} was its next time, too far away"))
}

/// The next time that a job should have whose own was absurd.
#[must_use]
pub fn repair(timetable: &Timetable, now: Timestamp, seen: Option<Timestamp>) -> Option<Timestamp> {
    timetable.after(seen.map_or(now, |seen| seen.max(now)))
}

fn faults(bad: &[BadField]) -> String {
    bad.iter().map(|field| format!("{}: {}", field.path, field.fault)).collect::<Vec<_>>().join("; ")
}
