//! What the scheduler says, as one document a thing.

use std::time::Duration;

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_spec::Schedule;
use serde::Serialize;

use crate::output;

/// A job.
#[derive(Debug, Serialize)]
pub struct JobDocument {
    pub job_id: String,
    pub group: String,
    pub schedule: ScheduleDocument,
    pub target: String,
    pub handler: String,
    pub payload: String,
    pub misfire: MisfireDocument,
    pub overlap: &'static str,
    pub jitter: String,
    pub retry: RetryDocument,
    pub deadline: String,
    pub paused: bool,
    pub ended: bool,
    pub version: i64,
    pub incarnation: String,
    pub next_fire_time: String,
    pub last_firing: Option<FiringDocument>,
    pub create_time: String,
    pub update_time: String,
}

/// When a job fires.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleDocument {
    Cron { expression: String, time_zone: String },
    Interval { every: String, anchor: String },
    OneShot { at: String },
    Unknown,
}

#[derive(Debug, Serialize)]
pub struct MisfireDocument {
    pub policy: &'static str,
    pub threshold: String,
    pub window: String,
    pub firings_max: i32,
}

#[derive(Debug, Serialize)]
pub struct RetryDocument {
    pub attempts_max: i32,
    pub backoff_base: String,
    pub backoff_max: String,
}

/// One time at which a job fires.
#[derive(Debug, Serialize)]
pub struct FiringDocument {
    pub key: String,
    pub job_id: String,
    pub scheduled_for: String,
    pub state: &'static str,
    pub reason: String,
    pub message: String,
    pub attempts: i32,
    pub due_time: String,
    pub start_time: String,
    pub end_time: String,
    pub count: i64,
    pub skipped_until: String,
    pub triggered: bool,
}

/// A firing that failed for good.
#[derive(Debug, Serialize)]
pub struct DeadLetterDocument {
    pub firing: FiringDocument,
    pub target: String,
    pub handler: String,
    pub payload: String,
}

/// Something that was changed, and the key that it is known by.
#[derive(Debug, Serialize)]
pub struct Changed<T: Serialize> {
    pub idempotency_key: String,
    pub replayed: bool,
    #[serde(flatten)]
    pub thing: T,
}

/// A job that was changed.
#[derive(Debug, Serialize)]
pub struct OneJob {
    pub job: JobDocument,
}

/// A firing that was changed.
#[derive(Debug, Serialize)]
pub struct OneFiring {
    pub firing: FiringDocument,
}

impl ScheduleDocument {
    /// In one cell of a table.
    pub fn text(&self) -> String {
        match self {
            Self::Cron { expression, time_zone } => format!("{expression} {time_zone}"),
            Self::Interval { every, .. } => format!("every {every}"),
            Self::OneShot { at } => format!("once, {at}"),
            Self::Unknown => "unknown to this version".to_owned(),
        }
    }
}

impl From<api::Job> for JobDocument {
    fn from(job: api::Job) -> Self {
        let spec = job.spec.unwrap_or_default();
        let misfire = spec.misfire.unwrap_or_default();
        let retry = spec.retry.unwrap_or_default();
        Self {
            job_id: job.job_id,
            group: job.group,
            overlap: overlap(spec.overlap()),
            schedule: schedule(spec.schedule),
            target: spec.target,
            handler: spec.handler,
            payload: String::from_utf8_lossy(&spec.payload).into_owned(),
            misfire: MisfireDocument {
                policy: policy(misfire.policy()),
                threshold: length(misfire.threshold),
                window: length(misfire.window),
                firings_max: misfire.firings_max,
            },
            jitter: length(spec.jitter),
            retry: RetryDocument {
                attempts_max: retry.attempts_max,
                backoff_base: length(retry.backoff_base),
                backoff_max: length(retry.backoff_max),
            },
            deadline: length(spec.deadline),
            paused: job.paused,
            ended: job.ended,
            version: job.version,
            incarnation: job.incarnation,
            next_fire_time: output::time(job.next_fire_time.as_ref()),
            last_firing: job.last_firing.map(FiringDocument::from),
            create_time: output::time(job.create_time.as_ref()),
            update_time: output::time(job.update_time.as_ref()),
        }
    }
}

impl From<api::Firing> for FiringDocument {
    fn from(firing: api::Firing) -> Self {
        Self {
            state: state(firing.state()),
            scheduled_for: output::time(firing.scheduled_for.as_ref()),
            due_time: output::time(firing.due_time.as_ref()),
            start_time: output::time(firing.start_time.as_ref()),
            end_time: output::time(firing.end_time.as_ref()),
            skipped_until: output::time(firing.skipped_until.as_ref()),
            key: firing.key,
            job_id: firing.job_id,
            reason: firing.reason,
            message: firing.message,
            attempts: firing.attempts,
            count: firing.count,
            triggered: firing.triggered,
        }
    }
}

impl From<api::DeadLetter> for DeadLetterDocument {
    fn from(letter: api::DeadLetter) -> Self {
        Self {
            firing: letter.firing.unwrap_or_default().into(),
            target: letter.target,
            handler: letter.handler,
            payload: String::from_utf8_lossy(&letter.payload).into_owned(),
        }
    }
}

fn schedule(schedule: Option<Schedule>) -> ScheduleDocument {
    match schedule {
        Some(Schedule::Cron(api::CronSchedule { expression, time_zone })) => {
            ScheduleDocument::Cron { expression, time_zone }
        }
        Some(Schedule::Interval(api::IntervalSchedule { every, anchor })) => {
            ScheduleDocument::Interval { every: length(every), anchor: output::time(anchor.as_ref()) }
        }
        Some(Schedule::OneShot(api::OneShotSchedule { at })) => {
            ScheduleDocument::OneShot { at: output::time(at.as_ref()) }
        }
        None => ScheduleDocument::Unknown,
    }
}

/// Writes a length of time in its largest whole unit, as the flags take it.
pub fn length(duration: Option<prost_types::Duration>) -> String {
    let Some(millis) = duration.and_then(|duration| Duration::try_from(duration).ok()).map(|length| length.as_millis())
    else {
        return String::new();
    };
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let whole = units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// Reads a length of time that a flag gave.
pub fn protobuf(length: Duration) -> prost_types::Duration {
    // At most 366 days: the flags refuse more.
    prost_types::Duration::try_from(length).unwrap_or_default()
}

const fn state(state: api::FiringState) -> &'static str {
    match state {
        api::FiringState::Unspecified => "unspecified",
        api::FiringState::Pending => "pending",
        api::FiringState::Running => "running",
        api::FiringState::Retrying => "retrying",
        api::FiringState::Done => "done",
        api::FiringState::Skipped => "skipped",
        api::FiringState::Dead => "dead",
        api::FiringState::Discarded => "discarded",
    }
}

const fn policy(policy: api::MisfirePolicy) -> &'static str {
    match policy {
        api::MisfirePolicy::Unspecified => "unspecified",
        api::MisfirePolicy::FireOnce => "fire_once",
        api::MisfirePolicy::Skip => "skip",
        api::MisfirePolicy::FireAll => "fire_all",
    }
}

const fn overlap(overlap: api::OverlapPolicy) -> &'static str {
    match overlap {
        api::OverlapPolicy::Unspecified => "unspecified",
        api::OverlapPolicy::Skip => "skip",
        api::OverlapPolicy::QueueOne => "queue_one",
        api::OverlapPolicy::Allow => "allow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_as_a_flag_takes_it() {
        let shown = |ms| length(Some(protobuf(Duration::from_millis(ms))));
        assert_eq!(
            [0, 1_500, 2_000, 90_000, 120_000, 7_200_000, 172_800_000].map(shown),
            ["0ms", "1500ms", "2s", "90s", "2m", "2h", "2d"]
        );
        assert_eq!(length(None), "");
    }
}
