//! Requests as laws make them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use auric_ids::{JobGroupId, JobId, TraceId};
use auric_scheduler::Handlers;
use auric_scheduler::domain::{
    Action, Answer, Ask, Firing, FiringKey, Job, JobSpec, Overlap, Rejection, Retry, Schedule, Verdict,
};
use auric_time::Timestamp;

static KEYS: AtomicU64 = AtomicU64::new(0);

pub fn job(name: &str) -> JobId {
    name.parse().unwrap()
}

/// A request under a key that no other has.
pub fn ask(action: Action) -> Ask {
    let key = format!("key-{}", KEYS.fetch_add(1, Relaxed));
    keyed(&key, action)
}

pub fn keyed(key: &str, action: Action) -> Ask {
    Ask {
        caller: "game".parse().unwrap(),
        key: Some(key.parse().unwrap()),
        trace_id: TraceId::parse("").unwrap(),
        drawn: rand::random(),
        action,
    }
}

/// Every second, `deed` of `hand`, tried twice with next to no pause.
pub fn every_second() -> JobSpec {
    let schedule = Schedule::Interval { every_ms: 1_000, anchor: Timestamp::EPOCH };
    JobSpec {
        overlap: Overlap::Allow,
        retry: Retry { attempts_max: 3, base_ms: 1, max_ms: 2 },
        ..JobSpec::new(schedule, "hand".parse().unwrap(), "deed".parse().unwrap())
    }
}

/// Once, at once.
pub fn at_once() -> JobSpec {
    JobSpec { schedule: Schedule::OneShot { at: Timestamp::EPOCH }, ..every_second() }
}

/// Once a year at most: nothing that a law would see.
pub fn hardly_ever() -> JobSpec {
    let schedule = Schedule::Interval { every_ms: 366 * 86_400_000, anchor: Timestamp::from_micros(1) };
    JobSpec { schedule, ..every_second() }
}

pub fn create(name: &str, spec: JobSpec) -> Action {
    Action::Create { job: job(name), group: group(), spec: Arc::new(spec), paused: false }
}

pub fn group() -> JobGroupId {
    "laws".parse().unwrap()
}

pub fn trigger(name: &str) -> Action {
    Action::Trigger { job: job(name), expected: None }
}

pub fn pause(name: &str, paused: bool) -> Action {
    Action::SetPaused { job: job(name), paused, expected: None }
}

/// What the machinery says when it says something.
pub async fn send(copy: &Handlers, ask: Ask) -> Verdict {
    copy.mutate(ask, None).await.unwrap()
}

pub async fn answer(copy: &Handlers, action: Action) -> Answer {
    match send(copy, ask(action)).await {
        Verdict::Answered { outcome: Ok(answer), .. } => answer,
        other => panic!("{other:?}"),
    }
}

pub async fn refused(copy: &Handlers, action: Action) -> Rejection {
    match send(copy, ask(action)).await {
        Verdict::Answered { outcome: Err(rejection), .. } => rejection,
        other => panic!("{other:?}"),
    }
}

pub async fn made(copy: &Handlers, name: &str, spec: JobSpec) -> Job {
    told_job(answer(copy, create(name, spec)).await)
}

pub async fn triggered(copy: &Handlers, name: &str) -> FiringKey {
    told_firing(answer(copy, trigger(name)).await).key
}

pub fn told_job(answer: Answer) -> Job {
    match answer {
        Answer::Job(job) => *job,
        other => panic!("{other:?}"),
    }
}

pub fn told_firing(answer: Answer) -> Firing {
    match answer {
        Answer::Firing(firing) => *firing,
        other => panic!("{other:?}"),
    }
}
