//! Summon's gRPC edge: decode, call, encode; and its calls of other services.

pub mod collection;
mod decode;
mod encode;
mod status;
pub mod wallet;

use std::pin::Pin;
use std::sync::Arc;

use auric_api::summon::v1 as api;
use auric_api::summon::v1::summon_service_server::{SummonService, SummonServiceServer};
use auric_edge::Cursor;
use auric_server::metadata;
use auric_status::Problem;
use auric_twophase::Vote;
use auric_twophase::store::{Listing, OpenCursor};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::domain::Refusal;
use crate::handlers::Handlers;

pub use auric_api::summon::v1::summon_service_server::SERVICE_NAME;
pub use status::reasons;

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    Routes::new(SummonServiceServer::new(Edge { handlers }))
}

/// Summon as gRPC sees it.
#[derive(Debug)]
struct Edge {
    handlers: Arc<Handlers>,
}

type Answer<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SummonService for Edge {
    async fn list_banners(&self, _request: Request<api::ListBannersRequest>) -> Answer<api::ListBannersResponse> {
        let banners = self.handlers.banners();
        let now = self.handlers.now().await.map_err(status::of_read)?;
        Ok(Response::new(api::ListBannersResponse {
            banners: banners.iter().map(|banner| encode::banner(banner, now)).collect(),
            catalog_hash: banners.hash.to_string(),
        }))
    }

    async fn get_banner(&self, request: Request<api::GetBannerRequest>) -> Answer<api::GetBannerResponse> {
        let id = decode::banner(request.get_ref())?;
        let banners = self.handlers.banners();
        let banner = banners.get(&id).ok_or_else(|| status::banner_not_found(&id).into_status())?;
        let now = self.handlers.now().await.map_err(status::of_read)?;
        Ok(Response::new(api::GetBannerResponse { banner: Some(encode::banner(banner, now)) }))
    }

    async fn summon(&self, request: Request<api::SummonRequest>) -> Answer<api::SummonResponse> {
        let (metadata, _, request) = request.into_parts();
        let trace_id = metadata::trace_id(&metadata);
        let ask = decode::ask(&metadata, &trace_id, &request)?;
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        let summoned = self.handlers.summon(ask, &trace_id, deadline).await.map_err(status::of_failed)?;
        let mut answer = encode::summoned(&summoned.operation).map(Response::new).map_err(Status::from);
        if summoned.replayed {
            auric_edge::mark_replayed(&mut answer);
        }
        answer
    }

    async fn get_summon(&self, request: Request<api::GetSummonRequest>) -> Answer<api::GetSummonResponse> {
        let (metadata, _, request) = request.into_parts();
        let api::GetSummonRequest { idempotency_key, caller, player_id, operation_id } = request;
        let which = decode::which(&metadata, &idempotency_key, &caller, &player_id, &operation_id)?;
        let found = self.handlers.find(&which).await.map_err(status::of_read)?;
        let operation = found.ok_or_else(|| status::summon_not_found(&which).into_status())?;
        Ok(Response::new(api::GetSummonResponse { summon: Some(encode::summon(&operation)) }))
    }

    type WatchSummonStream = Streamed<api::WatchSummonResponse>;

    async fn watch_summon(&self, request: Request<api::WatchSummonRequest>) -> Answer<Self::WatchSummonStream> {
        let (metadata, _, request) = request.into_parts();
        let api::WatchSummonRequest { idempotency_key, caller, player_id, operation_id } = request;
        let which = decode::which(&metadata, &idempotency_key, &caller, &player_id, &operation_id)?;
        let seen = Arc::clone(&self.handlers).watch(which.clone());
        let encoded = seen.map(move |found| match found {
            Ok(Some(operation)) => Ok(api::WatchSummonResponse { summon: Some(encode::summon(&operation)) }),
            Ok(None) => Err(status::summon_not_found(&which).into_status()),
            Err(error) => Err(status::of_read(error)),
        });
        // What follows an error would be the same again.
        let ended = encoded.scan(false, |failed, item| {
            let go_on = !std::mem::replace(failed, item.is_err());
            std::future::ready(go_on.then_some(item))
        });
        Ok(Response::new(Box::pin(ended)))
    }

    async fn get_pity(&self, request: Request<api::GetPityRequest>) -> Answer<api::GetPityResponse> {
        let (player, id) = decode::pity(request.get_ref())?;
        let banners = self.handlers.banners();
        let banner = banners.get(&id).ok_or_else(|| status::banner_not_found(&id).into_status())?;
        let view = self.handlers.pity(&banners, banner, &player).await.map_err(status::of_read)?;
        Ok(Response::new(api::GetPityResponse { pity: Some(encode::pity(&player, &id, &view)) }))
    }

    async fn list_pulls(&self, request: Request<api::ListPullsRequest>) -> Answer<api::ListPullsResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&["pulls", &request.player_id, &request.pity_group_id]);
        let (player, group, before, limit) = decode::pulls(&request, &cursor)?;
        let page = self.handlers.pulls(&player, &group, before, limit).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListPullsResponse {
            next_page_token: last.map(|row| cursor.token(&row.pull.number.to_string())).unwrap_or_default(),
            pulls: page.items.iter().map(encode::logged_pull).collect(),
        }))
    }

    async fn list_operations(
        &self,
        request: Request<api::ListOperationsRequest>,
    ) -> Answer<api::ListOperationsResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&["operations", if request.all { "all" } else { "open" }]);
        let (listing, limit) = decode::operations(&request, &cursor)?;
        let page = self.handlers.list_operations(&listing, limit).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        let position = last.map(|last| match listing {
            Listing::All(_) => format!("{} {}", last.player, last.id),
            Listing::Open(_) => {
                let OpenCursor { begun_at, id } = OpenCursor { begun_at: last.begun_at, id: last.id.clone() };
                format!("{} {id}", begun_at.micros())
            }
        });
        Ok(Response::new(api::ListOperationsResponse {
            next_page_token: position.map(|position| cursor.token(&position)).unwrap_or_default(),
            operations: page.items.iter().map(encode::operation).collect(),
        }))
    }

    async fn retry_operation(
        &self,
        request: Request<api::RetryOperationRequest>,
    ) -> Answer<api::RetryOperationResponse> {
        let (player, id) = decode::operation(request.get_ref())?;
        if self.handlers.hasten(&player, &id).await.map_err(status::of_read)? {
            tracing::info!(operation_id = %id, player_id = %player, "operation {id} is due at once");
            return Ok(Response::new(api::RetryOperationResponse {}));
        }
        Err(status::operation_not_found(&player, &id).into_status())
    }
}

/// What another service said, for a person.
fn said(status: &Status) -> String {
    let problem = Problem::from_status(status);
    let word = if problem.reason.is_empty() { status.code().description() } else { &problem.reason };
    format!("{word}: {}", problem.message)
}

/// A rule of another service's said no: the key's answer for ever.
fn refuse(service: &str, problem: Problem) -> Vote {
    let Problem { reason, message, metadata, .. } = problem;
    let refusal = Refusal::Participant { service: service.to_owned(), reason, message, metadata };
    serde_json::to_string(&refusal).map_or_else(|error| Vote::Unknown(error.to_string()), Vote::No)
}
