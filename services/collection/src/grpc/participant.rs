//! The verbs of a participant, and what operators read of its parts.

use std::sync::Arc;

use auric_api::participant::v1 as api;
use auric_api::participant::v1::participant_service_server::ParticipantService;
use auric_edge::{Cursor, mark_replayed};
use auric_server::metadata;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::decode::{reads, verbs};
use super::{Answer, encode, status};
use crate::domain::{Action, Verdict};
use crate::handlers::Handlers;

/// The collection as coordinators see it.
#[derive(Debug)]
pub struct Edge {
    pub handlers: Arc<Handlers>,
}

impl Edge {
    /// A verb's whole way: its meaning, its verdict, its answer.
    async fn verb<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        action: impl FnOnce(&Q) -> Result<Action, Status>,
        wrap: impl FnOnce(Option<api::Participation>) -> A,
    ) -> Answer<A> {
        let (metadata, _, request) = request.into_parts();
        let ask = verbs::ask(method, &metadata, || action(&request))?;
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        match self.handlers.mutate(ask, deadline).await.map_err(status::of_refused)? {
            Verdict::Stands { part, again } => {
                let mut answer = Ok(Response::new(wrap(Some(encode::participation(&part)))));
                if again {
                    mark_replayed(&mut answer);
                }
                answer
            }
            Verdict::Answered { .. } => Err(status::of_another_kind()),
            Verdict::Refused(refusal) => Err(status::of_refusal(refusal).into_status()),
        }
    }
}

#[tonic::async_trait]
impl ParticipantService for Edge {
    async fn prepare(&self, request: Request<api::PrepareRequest>) -> Answer<api::PrepareResponse> {
        let action = |request: &_| verbs::prepare(request).map(Action::Prepare);
        self.verb("Prepare", request, action, |participation| api::PrepareResponse { participation }).await
    }

    async fn commit(&self, request: Request<api::CommitRequest>) -> Answer<api::CommitResponse> {
        let action = |request: &_| verbs::commit(request).map(Action::Commit);
        self.verb("Commit", request, action, |participation| api::CommitResponse { participation }).await
    }

    async fn cancel(&self, request: Request<api::CancelRequest>) -> Answer<api::CancelResponse> {
        let action = |request: &_| verbs::cancel(request).map(Action::Cancel);
        self.verb("Cancel", request, action, |participation| api::CancelResponse { participation }).await
    }

    async fn get_participation(
        &self,
        request: Request<api::GetParticipationRequest>,
    ) -> Answer<api::GetParticipationResponse> {
        let operation = reads::participation(request.get_ref())?;
        let found = self.handlers.part(&operation).await.map_err(|error| status::of_read(&error))?;
        let part = found.ok_or_else(|| status::participation_not_found(&operation).into_status())?;
        let participation = Some(encode::participation(&part));
        Ok(Response::new(api::GetParticipationResponse { participation }))
    }

    async fn list_participations(
        &self,
        request: Request<api::ListParticipationsRequest>,
    ) -> Answer<api::ListParticipationsResponse> {
        let request = request.into_inner();
        let age = request.age_min.as_ref().map(ToString::to_string).unwrap_or_default();
        let cursor = Cursor::of(&["participations", &request.coordinator, &request.state.to_string(), &age]);
        let page = self
            .handlers
            .parts(reads::participations(&request, &cursor)?)
            .await
            .map_err(|error| status::of_read(&error))?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListParticipationsResponse {
            next_page_token: last.map(|part| cursor.token(part.operation.as_str())).unwrap_or_default(),
            participations: page.items.iter().map(encode::participation).collect(),
        }))
    }
}
