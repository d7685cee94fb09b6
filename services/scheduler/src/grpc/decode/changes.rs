//! Requests that change something.

use std::collections::BTreeSet;
use std::sync::Arc;

use auric_api::scheduler::v1 as api;
use auric_edge::Decoder;
use auric_ids::{CallerId, IdempotencyKey, JobId};
use auric_keys::MutationKey;
use auric_server::metadata;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::spec;
use crate::domain::{Action, Ask, BadField, DesiredJob, Enqueue, FiringKey, JOBS_MAX, JobSpec, retry_job};
use crate::handlers::log_malformed;

/// Bytes of all payloads of one desired set.
const SET_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// A whole request: who asks, under which key, its trace, and what `action` decodes. One that is malformed leaves its line in the log here, since it goes
/// no further.
pub fn ask(
    method: &'static str,
    metadata: &MetadataMap,
    key: &str,
    action: impl FnOnce(&mut Decoder, &CallerId) -> Option<Action>,
) -> Result<Ask, Status> {
    let trace_id = metadata::trace_id(metadata);
    let caller = metadata::caller(metadata).inspect_err(|_| log_malformed(method, None, &trace_id))?;
    let mut decoder = Decoder::default();
    let key: Option<IdempotencyKey> = decoder.id(IdempotencyKey::FIELD, key);
    let action = action(&mut decoder, &caller);
    let decoded = decoder.finish(key.zip(action)).inspect_err(|_| log_malformed(method, Some(&caller), &trace_id));
    let (key, action) = decoded?;
    Ok(Ask { caller, key: Some(key), trace_id, drawn: rand::random(), action })
}

pub fn create(decoder: &mut Decoder, request: &api::CreateJobRequest) -> Option<Action> {
    let job = decoder.id("job_id", &request.job_id);
    let group = decoder.id("group", &request.group);
    let spec = spec::spec(decoder, "spec", request.spec.as_ref());
    Some(Action::Create { job: job?, group: group?, spec: Arc::new(spec?), paused: request.paused })
}

pub fn update(decoder: &mut Decoder, request: &api::UpdateJobRequest) -> Option<Action> {
    let (job, expected) = job_and_version(decoder, &request.job_id, request.expected_version);
    let spec = spec::spec(decoder, "spec", request.spec.as_ref());
    Some(Action::Update { job: job?, spec: Arc::new(spec?), expected })
}

pub fn set_paused(decoder: &mut Decoder, job_id: &str, expected_version: i64, paused: bool) -> Option<Action> {
    let (job, expected) = job_and_version(decoder, job_id, expected_version);
    Some(Action::SetPaused { job: job?, paused, expected })
}

pub fn trigger(decoder: &mut Decoder, request: &api::TriggerJobRequest) -> Option<Action> {
    let (job, expected) = job_and_version(decoder, &request.job_id, request.expected_version);
    Some(Action::Trigger { job: job?, expected })
}

pub fn delete(decoder: &mut Decoder, request: &api::DeleteJobRequest) -> Option<Action> {
    let (job, expected) = job_and_version(decoder, &request.job_id, request.expected_version);
    Some(Action::Delete { job: job?, expected })
}

/// A spec that cannot be is in the answer, as long as its job has a name.
pub fn ensure(decoder: &mut Decoder, request: &api::EnsureJobsRequest) -> Option<Action> {
    if request.group.is_empty() {
        decoder.fault("group", "must not be empty");
    }
    let group = decoder.id("group", &request.group);
    let count = request.jobs.len();
    if !(1..=JOBS_MAX).contains(&count) {
        decoder.fault("jobs", format!("must have 1 to {JOBS_MAX}, has {count}"));
    }
    let bytes: usize = request.jobs.iter().filter_map(|job| Some(job.spec.as_ref()?.payload.len())).sum();
    if bytes > SET_BYTES_MAX {
        decoder.fault("jobs", format!("must have at most {SET_BYTES_MAX} bytes of payloads, has {bytes}"));
    }
    let mut names: BTreeSet<JobId> = BTreeSet::new();
    let mut jobs = Vec::with_capacity(count.min(JOBS_MAX));
    for (index, desired) in request.jobs.iter().take(JOBS_MAX).enumerate() {
        let path = format!("jobs[{index}].job_id");
        let Some(job) = decoder.id::<JobId>(&path, &desired.job_id) else { continue };
        if !names.insert(job.clone()) {
            decoder.fault(path, "is named twice");
        }
        jobs.push(DesiredJob { job, spec: desired_spec(desired.spec.as_ref()) });
    }
    Some(Action::Ensure { group: group?, jobs })
}

fn desired_spec(desired: Option<&api::JobSpec>) -> Result<Arc<JobSpec>, Vec<BadField>> {
    let mut decoder = Decoder::default();
    let decoded = spec::spec(&mut decoder, "spec", desired);
    match decoder.finish(decoded) {
        Ok(spec) => Ok(Arc::new(spec)),
        Err(status) => {
            let problem = auric_status::Problem::from_status(&status);
            let fields = problem.bad_fields.into_iter().map(|field| BadField::new(field.path, field.description));
            Err(fields.collect())
        }
    }
}

pub fn enqueue(decoder: &mut Decoder, request: &api::EnqueueRetryRequest, caller: &CallerId) -> Option<Action> {
    let group = decoder.id("group", &request.group);
    let target = decoder.id("target", &request.target);
    let handler = decoder.id("handler", &request.handler);
    let delay = spec::millis(decoder, "delay", request.delay.as_ref());
    let delay_ms = delay.map(Option::unwrap_or_default);
    if delay_ms.is_some_and(|delay| delay > DELAY_MAX_MS) {
        decoder.fault("delay", "must be at most 366 days");
    }
    let retry = spec::retry(decoder, "retry", request.retry.as_ref());
    let deadline = spec::millis(decoder, "deadline", request.deadline.as_ref());
    // A key that is none was named before.
    let key = request.idempotency_key.parse().ok()?;
    let job = retry_job(&MutationKey { caller: caller.clone(), key }).ok()?;
    Some(Action::Enqueue(Enqueue {
        job,
        group: group?,
        target: target?,
        handler: handler?,
        payload: request.payload.clone(),
        delay_ms: delay_ms?,
        retry: retry?,
        deadline_ms: deadline?.unwrap_or(JobSpec::DEADLINE_DEFAULT_MS),
    }))
}

/// How far away something may be that is to be done later.
const DELAY_MAX_MS: u64 = 366 * 24 * 3_600 * 1_000;

pub fn dead_letter(decoder: &mut Decoder, key: &str) -> Option<FiringKey> {
    key.parse().map_err(|fault: String| decoder.fault("key", fault)).ok()
}

fn job_and_version(decoder: &mut Decoder, job: &str, expected: i64) -> (Option<JobId>, Option<u64>) {
    let job = decoder.id("job_id", job);
    let version = u64::try_from(expected);
    if version.is_err() {
        decoder.fault("expected_version", format!("must be at least 0, is {expected}"));
    }
    (job, version.ok().filter(|version| *version > 0))
}
