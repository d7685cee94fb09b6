//! Requests that only read.

use auric_api::scheduler::v1 as api;
use auric_edge::{Cursor, Decoder};
use auric_ids::JobId;
use auric_time::Timestamp;
use tonic::Status;

use crate::domain::{FiringKey, Incarnation, Life};
use crate::store::{DeadQuery, FiringsQuery, JobsQuery};

pub fn job(id: &str) -> Result<JobId, Status> {
    let mut decoder = Decoder::default();
    let job = decoder.id("job_id", id);
    decoder.finish(job)
}

pub fn jobs_cursor(request: &api::ListJobsRequest) -> Cursor {
    let paused = request.paused.map(|paused| paused.to_string()).unwrap_or_default();
    Cursor::of(&["jobs", &request.group, &paused])
}

pub fn jobs(request: &api::ListJobsRequest, cursor: &Cursor) -> Result<JobsQuery, Status> {
    let mut decoder = Decoder::default();
    let group = decoder.optional_id("group", &request.group);
    let after = decoder.page_token(cursor, &request.page_token);
    let limit = decoder.page_size(request.page_size);
    decoder.finish(Some(JobsQuery { group, paused: request.paused, after, limit }))
}

pub fn firings_cursor(request: &api::ListFiringsRequest) -> Cursor {
    Cursor::of(&["firings", &request.job_id, &request.state.to_string()])
}

pub fn firings(request: &api::ListFiringsRequest, cursor: &Cursor) -> Result<FiringsQuery, Status> {
    let mut decoder = Decoder::default();
    let job = decoder.id("job_id", &request.job_id);
    let state = api::FiringState::try_from(request.state);
    if state.is_err() {
        decoder.fault("state", format!("is no state: {}", request.state));
    }
    let life = state.ok().and_then(life);
    let before: Option<Place> = decoder.page_token(cursor, &request.page_token);
    let limit = decoder.page_size(request.page_size);
    let before = before.map(|Place(time, incarnation)| (time, incarnation));
    decoder.finish(job.map(|job| FiringsQuery { job, life, before, limit }))
}

/// A place among the firings of a job.
pub struct Place(pub Timestamp, pub Incarnation);

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (time, incarnation) = text.split_once('@').ok_or(())?;
        let time = Timestamp::from_micros(time.parse().map_err(|_| ())?);
        Ok(Self(time, incarnation.parse().map_err(|_| ())?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}@{}", self.0.micros(), self.1)
    }
}

const fn life(state: api::FiringState) -> Option<Life> {
    match state {
        api::FiringState::Unspecified => None,
        api::FiringState::Pending => Some(Life::Pending),
        api::FiringState::Running => Some(Life::Running),
        api::FiringState::Retrying => Some(Life::Retrying),
        api::FiringState::Done => Some(Life::Done),
        api::FiringState::Skipped => Some(Life::Skipped),
        api::FiringState::Dead => Some(Life::Dead),
        api::FiringState::Discarded => Some(Life::Discarded),
    }
}

pub fn dead_cursor(request: &api::ListDeadLettersRequest) -> Cursor {
    Cursor::of(&["dead", &request.job_id, &request.target])
}

pub fn dead_letters(request: &api::ListDeadLettersRequest, cursor: &Cursor) -> Result<DeadQuery, Status> {
    let mut decoder = Decoder::default();
    let job = decoder.optional_id("job_id", &request.job_id);
    let target = decoder.optional_id("target", &request.target);
    let after: Option<FiringKey> = decoder.page_token(cursor, &request.page_token);
    let limit = decoder.page_size(request.page_size);
    decoder.finish(Some(DeadQuery { job, target, after, limit }))
}
