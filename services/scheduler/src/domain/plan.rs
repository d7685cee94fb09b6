//! Which times of a job fire and which are skipped, from where it stands to a little behind now.

use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{JobSpec, MisfirePolicy, SkipReason, Timetable};

/// Times that one plan looks at, besides the missed ones that may still fire. What is left is planned next.
const TIMES_MAX: usize = 1_000;

/// What becomes of a job's times.
///
/// Invariant: `fire` and `skipped` together are exactly the times from where the job stood up to, and not including, `next_at`; none is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Times that fire, in order.
    pub fire: Vec<Timestamp>,
    /// Times that do not, in order.
    pub skipped: Vec<Skipped>,
    /// The first time that is not planned yet; nothing when there is none.
    pub next_at: Option<Timestamp>,
}

/// Times in a row that are skipped for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The first.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
    /// How many there are.
    pub count: u64,
    /// Why.
    pub reason: SkipReason,
}

/// Plans a job that stands at `next_at`, from there to `ahead_micros` behind `now`. Past times count as missed as the spec says.
#[must_use]
pub fn plan(spec: &JobSpec, timetable: &Timetable, next_at: Timestamp, now: Timestamp, ahead_micros: i64) -> Plan {
    let horizon = now.plus_micros(ahead_micros);
    let keep_max = keep_max(spec);
    let bound = TIMES_MAX.saturating_add(keep_max);
    let mut coming = std::iter::successors(Some(next_at), |time| timetable.after(*time)).peekable();
    let mut times = Vec::new();
    while times.len() < bound
        && let Some(time) = coming.next_if(|time| *time <= horizon)
    {
        times.push(time);
    }
    let rest = coming.peek().copied();
    let missed_before = now.plus_micros(micros(spec.misfire.threshold_ms).saturating_neg());
    let window_from = now.plus_micros(micros(spec.misfire.window_ms).saturating_neg());
    // A one-shot is worth firing however late it is.
    let window_from = if timetable.is_once() { Timestamp::from_micros(i64::MIN) } else { window_from };
    let is_missed = |time: &Timestamp| *time < missed_before;

    let first_late = times.partition_point(is_missed);
    if rest.as_ref().is_some_and(is_missed) {
        // More are missed than one plan looks at. The newest of these may be among the newest of all: they are looked at again.
        let cut = times.len().saturating_sub(keep_max);
        let next_at = times.get(cut).copied().or(rest);
        times.truncate(cut);
        return Plan { fire: Vec::new(), skipped: skip(spec, window_from, &times), next_at };
    }
    let fire = times.split_off(first_late);
    let missed = times;
    let newest = missed.len().saturating_sub(keep_max);
    let too_old = missed.partition_point(|time| *time < window_from);
    let (dropped, kept) = missed.split_at(newest.max(too_old));
    let fire = kept.iter().chain(&fire).copied().collect();
    Plan { fire, skipped: skip(spec, window_from, dropped), next_at: rest }
}

/// How many missed times may still fire.
fn keep_max(spec: &JobSpec) -> usize {
    match spec.misfire.policy {
        MisfirePolicy::FireOnce => 1,
        MisfirePolicy::Skip => 0,
        MisfirePolicy::FireAll => usize::try_from(spec.misfire.firings_max).unwrap_or(usize::MAX),
    }
}

/// Puts times on record that do not fire, those in a row with the same reason together.
fn skip(spec: &JobSpec, window_from: Timestamp, times: &[Timestamp]) -> Vec<Skipped> {
    let (too_old, others) = times.split_at(times.partition_point(|time| *time < window_from));
    let reason = match spec.misfire.policy {
        MisfirePolicy::FireOnce => SkipReason::MisfireFireOnce,
        MisfirePolicy::Skip => SkipReason::MisfireSkip,
        MisfirePolicy::FireAll => SkipReason::MisfireBound,
    };
    [(too_old, SkipReason::MisfireWindow), (others, reason)]
        .into_iter()
        .filter_map(|(run, reason)| row(run, reason))
        .collect()
}

fn row(times: &[Timestamp], reason: SkipReason) -> Option<Skipped> {
    let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
    Some(Skipped { from: *times.first()?, until: *times.last()?, count, reason })
}

fn micros(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
