//! What callers and operators ask.

use std::sync::Arc;

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::scheduler_service_server::SchedulerService;
use auric_edge::{Decoder, mark_replayed};
use auric_ids::CallerId;
use auric_server::metadata;
use tokio::time::Instant;
use tonic::{Request, Response};

use super::Answer as GrpcAnswer;
use super::decode::reads::Place;
use super::decode::{changes, reads};
use super::{encode, status};
use crate::domain::{Action, Answer, Verdict};
use crate::handlers::{Handlers, Page};

/// The scheduler as its callers see it.
#[derive(Debug)]
pub struct Edge {
    pub handlers: Arc<Handlers>,
}

impl Edge {
    /// A change's whole way: its meaning, its verdict, its answer. `wrap` encodes an answer of its own kind.
    async fn change<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        key: impl FnOnce(&Q) -> &str,
        action: impl FnOnce(&mut Decoder, &Q, &CallerId) -> Option<Action>,
        wrap: impl FnOnce(&Answer) -> Option<A>,
    ) -> GrpcAnswer<A> {
        let (metadata, _, request) = request.into_parts();
        let decode = |decoder: &mut Decoder, caller: &CallerId| action(decoder, &request, caller);
        let ask = changes::ask(method, &metadata, key(&request), decode)?;
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        let (outcome, replayed) = match self.handlers.mutate(ask, deadline).await.map_err(status::of_refused)? {
            Verdict::Answered { outcome, replayed } => (outcome, replayed),
            Verdict::Refused(refusal) => return Err(status::of_refusal(refusal).into_status()),
        };
        let mut answer = match outcome {
            Ok(answer) => Ok(Response::new(wrap(&answer).ok_or_else(status::of_another_kind)?)),
            Err(rejection) => Err(status::of_rejection(&rejection).into_status()),
        };
        if replayed {
            mark_replayed(&mut answer);
        }
        answer
    }
}

fn job(answer: &Answer) -> Option<api::Job> {
    match answer {
        Answer::Job(job) => Some(encode::job(job)),
        Answer::Firing(_) | Answer::Ensured(_) => None,
    }
}

fn firing(answer: &Answer) -> Option<api::Firing> {
    match answer {
        Answer::Firing(firing) => Some(encode::firing(firing)),
        Answer::Job(_) | Answer::Ensured(_) => None,
    }
}

#[tonic::async_trait]
impl SchedulerService for Edge {
    async fn create_job(&self, request: Request<api::CreateJobRequest>) -> GrpcAnswer<api::CreateJobResponse> {
        let wrap = |answer: &Answer| Some(api::CreateJobResponse { job: Some(job(answer)?) });
        let decode = |decoder: &mut Decoder, request: &_, _: &_| changes::create(decoder, request);
        self.change("CreateJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn get_job(&self, request: Request<api::GetJobRequest>) -> GrpcAnswer<api::GetJobResponse> {
        let id = reads::job(&request.get_ref().job_id)?;
        let found = self.handlers.job(&id).await.map_err(|error| status::of_read(&error))?;
        let found = found.ok_or_else(|| status::job_not_found(&id).into_status())?;
        Ok(Response::new(api::GetJobResponse { job: Some(encode::job(&found)) }))
    }

    async fn list_jobs(&self, request: Request<api::ListJobsRequest>) -> GrpcAnswer<api::ListJobsResponse> {
        let cursor = reads::jobs_cursor(request.get_ref());
        let query = reads::jobs(request.get_ref(), &cursor)?;
        let Page { items, more } = self.handlers.jobs(query).await.map_err(|error| status::of_read(&error))?;
        let last = items.last().filter(|_| more);
        Ok(Response::new(api::ListJobsResponse {
            next_page_token: last.map(|job| cursor.token(job.id.as_str())).unwrap_or_default(),
            jobs: items.iter().map(encode::job).collect(),
        }))
    }

    async fn update_job(&self, request: Request<api::UpdateJobRequest>) -> GrpcAnswer<api::UpdateJobResponse> {
        let wrap = |answer: &Answer| Some(api::UpdateJobResponse { job: Some(job(answer)?) });
        let decode = |decoder: &mut Decoder, request: &_, _: &_| changes::update(decoder, request);
        self.change("UpdateJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn pause_job(&self, request: Request<api::PauseJobRequest>) -> GrpcAnswer<api::PauseJobResponse> {
        let wrap = |answer: &Answer| Some(api::PauseJobResponse { job: Some(job(answer)?) });
        let decode = |decoder: &mut Decoder, request: &api::PauseJobRequest, _: &_| {
            changes::set_paused(decoder, &request.job_id, request.expected_version, true)
        };
        self.change("PauseJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn resume_job(&self, request: Request<api::ResumeJobRequest>) -> GrpcAnswer<api::ResumeJobResponse> {
        let wrap = |answer: &Answer| Some(api::ResumeJobResponse { job: Some(job(answer)?) });
        let decode = |decoder: &mut Decoder, request: &api::ResumeJobRequest, _: &_| {
            changes::set_paused(decoder, &request.job_id, request.expected_version, false)
        };
        self.change("ResumeJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn trigger_job(&self, request: Request<api::TriggerJobRequest>) -> GrpcAnswer<api::TriggerJobResponse> {
        let wrap = |answer: &Answer| Some(api::TriggerJobResponse { firing: Some(firing(answer)?) });
        let decode = |decoder: &mut Decoder, request: &_, _: &_| changes::trigger(decoder, request);
        self.change("TriggerJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn delete_job(&self, request: Request<api::DeleteJobRequest>) -> GrpcAnswer<api::DeleteJobResponse> {
        let wrap = |answer: &Answer| Some(api::DeleteJobResponse { job: Some(job(answer)?) });
        let decode = |decoder: &mut Decoder, request: &_, _: &_| changes::delete(decoder, request);
        self.change("DeleteJob", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn ensure_jobs(&self, request: Request<api::EnsureJobsRequest>) -> GrpcAnswer<api::EnsureJobsResponse> {
        let wrap = |answer: &Answer| match answer {
            Answer::Ensured(jobs) => Some(api::EnsureJobsResponse { jobs: jobs.iter().map(encode::ensured).collect() }),
            Answer::Job(_) | Answer::Firing(_) => None,
        };
        let decode = |decoder: &mut Decoder, request: &_, _: &_| changes::ensure(decoder, request);
        self.change("EnsureJobs", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn enqueue_retry(&self, request: Request<api::EnqueueRetryRequest>) -> GrpcAnswer<api::EnqueueRetryResponse> {
        let wrap = |answer: &Answer| Some(api::EnqueueRetryResponse { job: Some(job(answer)?) });
        self.change("EnqueueRetry", request, |request| &request.idempotency_key, changes::enqueue, wrap).await
    }

    async fn list_firings(&self, request: Request<api::ListFiringsRequest>) -> GrpcAnswer<api::ListFiringsResponse> {
        let cursor = reads::firings_cursor(request.get_ref());
        let query = reads::firings(request.get_ref(), &cursor)?;
        let Page { items, more } = self.handlers.firings(query).await.map_err(|error| status::of_read(&error))?;
        let place =
            |firing: &crate::domain::Firing| Place(firing.key.scheduled_for, firing.key.incarnation).to_string();
        let last = items.last().filter(|_| more);
        Ok(Response::new(api::ListFiringsResponse {
            next_page_token: last.map(|firing| cursor.token(&place(firing))).unwrap_or_default(),
            firings: items.iter().map(encode::firing).collect(),
        }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<api::ListDeadLettersRequest>,
    ) -> GrpcAnswer<api::ListDeadLettersResponse> {
        let cursor = reads::dead_cursor(request.get_ref());
        let query = reads::dead_letters(request.get_ref(), &cursor)?;
        let page = self.handlers.dead_letters(query).await.map_err(|error| status::of_read(&error))?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListDeadLettersResponse {
            next_page_token: last.map(|(letter, _)| cursor.token(&letter.firing.key.to_string())).unwrap_or_default(),
            dead_letters: page.items.iter().map(|(one, spec)| encode::dead_letter(one, spec.as_deref())).collect(),
        }))
    }

    async fn replay_dead_letter(
        &self,
        request: Request<api::ReplayDeadLetterRequest>,
    ) -> GrpcAnswer<api::ReplayDeadLetterResponse> {
        let wrap = |answer: &Answer| Some(api::ReplayDeadLetterResponse { firing: Some(firing(answer)?) });
        let decode = |decoder: &mut Decoder, request: &api::ReplayDeadLetterRequest, _: &_| {
            changes::dead_letter(decoder, &request.key).map(Action::Replay)
        };
        self.change("ReplayDeadLetter", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn discard_dead_letter(
        &self,
        request: Request<api::DiscardDeadLetterRequest>,
    ) -> GrpcAnswer<api::DiscardDeadLetterResponse> {
        let wrap = |answer: &Answer| Some(api::DiscardDeadLetterResponse { firing: Some(firing(answer)?) });
        let decode = |decoder: &mut Decoder, request: &api::DiscardDeadLetterRequest, _: &_| {
            changes::dead_letter(decoder, &request.key).map(Action::Discard)
        };
        self.change("DiscardDeadLetter", request, |request| &request.idempotency_key, decode, wrap).await
    }

    async fn get_scheduler_status(
        &self,
        _: Request<api::GetSchedulerStatusRequest>,
    ) -> GrpcAnswer<api::GetSchedulerStatusResponse> {
        let standing = self.handlers.standing().await.map_err(|error| status::of_read(&error))?;
        Ok(Response::new(api::GetSchedulerStatusResponse { status: Some(encode::standing(&standing)) }))
    }
}
