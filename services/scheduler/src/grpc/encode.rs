//! From the domain to protobuf.

use auric_api::scheduler::v1 as api;
use auric_time::Timestamp;

use crate::domain::{
    Change, DeadLetter, Ensured, Firing, Job, JobSpec, Life, Misfire, MisfirePolicy, Overlap, Retry, Schedule,
};
use crate::handlers::{Standing, TargetStanding, ToRun};

pub fn job(job: &Job) -> api::Job {
    api::Job {
        job_id: job.id.to_string(),
        group: job.group.to_string(),
        spec: job.spec.as_deref().map(spec),
        paused: job.paused,
        version: int64(job.version),
        incarnation: job.incarnation.to_string(),
        next_fire_time: job.next_fire().map(time),
        ended: job.next_at.is_none() && job.planned_at.is_none(),
        last_firing: job.last.as_ref().map(firing),
        create_time: Some(time(job.created_at)),
        update_time: Some(time(job.updated_at)),
    }
}

fn spec(spec: &JobSpec) -> api::JobSpec {
    let schedule = match &spec.schedule {
        Schedule::Cron { expression, time_zone } => api::job_spec::Schedule::Cron(api::CronSchedule {
            expression: expression.clone(),
            time_zone: time_zone.clone(),
        }),
        Schedule::Interval { every_ms, anchor } => api::job_spec::Schedule::Interval(api::IntervalSchedule {
            every: Some(millis(*every_ms)),
            anchor: Some(time(*anchor)),
        }),
        Schedule::OneShot { at } => api::job_spec::Schedule::OneShot(api::OneShotSchedule { at: Some(time(*at)) }),
    };
    let Misfire { policy, threshold_ms, window_ms, firings_max } = spec.misfire;
    let policy = match policy {
        MisfirePolicy::FireOnce => api::MisfirePolicy::FireOnce,
        MisfirePolicy::Skip => api::MisfirePolicy::Skip,
        MisfirePolicy::FireAll => api::MisfirePolicy::FireAll,
    };
    let overlap = match spec.overlap {
        Overlap::Skip => api::OverlapPolicy::Skip,
        Overlap::QueueOne => api::OverlapPolicy::QueueOne,
        Overlap::Allow => api::OverlapPolicy::Allow,
    };
    let Retry { attempts_max, base_ms, max_ms } = spec.retry;
    api::JobSpec {
        schedule: Some(schedule),
        misfire: Some(api::Misfire {
            policy: policy.into(),
            threshold: Some(millis(threshold_ms)),
            window: Some(millis(window_ms)),
            firings_max: int32(firings_max),
        }),
        overlap: overlap.into(),
        jitter: Some(millis(spec.jitter_ms)),
        retry: Some(api::RetryPolicy {
            attempts_max: int32(attempts_max),
            backoff_base: Some(millis(base_ms)),
            backoff_max: Some(millis(max_ms)),
        }),
        deadline: Some(millis(spec.deadline_ms)),
        target: spec.target.to_string(),
        handler: spec.handler.to_string(),
        payload: spec.payload.clone(),
    }
}

pub fn firing(firing: &Firing) -> api::Firing {
    let state = match firing.life {
        Life::Pending => api::FiringState::Pending,
        Life::Running => api::FiringState::Running,
        Life::Retrying => api::FiringState::Retrying,
        Life::Done => api::FiringState::Done,
        Life::Skipped => api::FiringState::Skipped,
        Life::Dead => api::FiringState::Dead,
        Life::Discarded => api::FiringState::Discarded,
    };
    api::Firing {
        key: firing.key.to_string(),
        job_id: firing.key.job.to_string(),
        incarnation: firing.key.incarnation.to_string(),
        scheduled_for: Some(time(firing.key.scheduled_for)),
        state: state.into(),
        reason: firing.reason.clone(),
        message: firing.message.clone(),
        attempts: int32(firing.attempts),
        due_time: Some(time(firing.due_at)),
        start_time: firing.started_at.map(time),
        end_time: firing.ended_at.map(time),
        count: int64(firing.count),
        skipped_until: (firing.life == Life::Skipped).then(|| time(firing.until)),
        triggered: firing.triggered,
    }
}

pub fn dead_letter(letter: &DeadLetter, spec: Option<&JobSpec>) -> api::DeadLetter {
    api::DeadLetter {
        firing: Some(firing(&letter.firing)),
        target: letter.target.to_string(),
        handler: spec.map(|spec| spec.handler.to_string()).unwrap_or_default(),
        payload: spec.map(|spec| spec.payload.clone()).unwrap_or_default(),
    }
}

pub fn ensured(ensured: &Ensured) -> api::EnsuredJob {
    let change = match ensured.change {
        Change::None => api::EnsuredChange::None,
        Change::Created => api::EnsuredChange::Created,
        Change::Updated => api::EnsuredChange::Updated,
        Change::Repaired => api::EnsuredChange::Repaired,
        Change::Refused => api::EnsuredChange::Refused,
    };
    api::EnsuredJob { job_id: ensured.job.to_string(), change: change.into(), detail: ensured.detail.clone() }
}

pub fn standing(standing: &Standing) -> api::SchedulerStatus {
    let counts = &standing.counts;
    let target = |one: &TargetStanding| api::TargetStatus {
        target: one.target.to_string(),
        calls: size(one.calls),
        calls_max: size(one.calls_max),
    };
    api::SchedulerStatus {
        copy: standing.copy.clone(),
        time: Some(time(counts.now)),
        jobs: int64(counts.jobs),
        jobs_paused: int64(counts.paused),
        firings_due: int64(counts.due),
        due_since: counts.due_since.map(time),
        firings_running: int64(counts.running),
        firings_retrying: int64(counts.retrying),
        dead_letters: int64(counts.dead),
        calls: size(standing.calls),
        calls_max: size(standing.calls_max),
        targets: standing.targets.iter().map(target).collect(),
    }
}

/// A firing, as its target is told.
pub fn to_run(firing: &ToRun) -> api::RunFiring {
    api::RunFiring {
        key: firing.key.to_string(),
        job_id: firing.key.job.to_string(),
        scheduled_for: Some(time(firing.key.scheduled_for)),
        attempt: int32(firing.attempt),
        payload: firing.spec.payload.clone(),
    }
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

fn millis(millis: u64) -> prost_types::Duration {
    let nanos = i32::try_from((millis % 1_000).saturating_mul(1_000_000)).unwrap_or(0);
    prost_types::Duration { seconds: int64(millis / 1_000), nanos }
}

fn int64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn int32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn size(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
