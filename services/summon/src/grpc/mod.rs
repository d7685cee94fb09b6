//! Summon's gRPC edge: decode, call, encode; and its calls of other services.

pub mod collection;
mod decode;
mod encode;
mod events;
mod fairness;
mod odds;
mod status;
pub mod wallet;

use std::pin::Pin;
use std::sync::Arc;

use auric_api::summon::v1 as api;
use auric_api::summon::v1::summon_service_server::{SummonService, SummonServiceServer};
use auric_edge::Cursor;
use auric_ids::{PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_server::metadata;
use auric_status::Problem;
use auric_twophase::Vote;
use auric_twophase::store::{Listing, OpenCursor};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::domain::{Ask, Change, Refusal};
use crate::handlers::{Handlers, Manner, roster};

pub use auric_api::summon::v1::summon_service_server::SERVICE_NAME;
pub use status::reasons;

/// What is told of odds, as the API says it: for who computes them without a running service.
pub mod told {
    pub use super::odds::report;
}

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    let jobs = roster(&handlers).service();
    let events = Arc::new(events::Events { handlers: Arc::clone(&handlers) });
    Routes::new(SummonServiceServer::new(Edge { handlers }))
        .add_service(jobs)
        .add_service(auric_events::grpc::service(events))
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
        let answer = self.bring(ask, &trace_id, &metadata).await?;
        Ok(answer.map(|summon| api::SummonResponse { summon: Some(summon) }))
    }

    async fn exchange_spark(&self, request: Request<api::ExchangeSparkRequest>) -> Answer<api::ExchangeSparkResponse> {
        let (metadata, _, request) = request.into_parts();
        let trace_id = metadata::trace_id(&metadata);
        let ask = decode::exchange(&metadata, &trace_id, &request)?;
        let answer = self.bring(ask, &trace_id, &metadata).await?;
        Ok(answer.map(|summon| api::ExchangeSparkResponse { summon: Some(summon) }))
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
        let filter = format!("{:?} {}", request.filter, request.oldest_first);
        let cursor = Cursor::of(&["pulls", &request.player_id, &request.pity_group_id, &filter]);
        let (wanted, limit) = decode::pulls(&request, &cursor)?;
        let page = self.handlers.pulls(&wanted, limit).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListPullsResponse {
            next_page_token: last.map(|row| cursor.token(&row.pull.number.to_string())).unwrap_or_default(),
            pulls: page.items.iter().map(encode::logged_pull).collect(),
        }))
    }

    type ExportPullsStream = Streamed<api::ExportPullsResponse>;

    async fn export_pulls(&self, request: Request<api::ExportPullsRequest>) -> Answer<Self::ExportPullsStream> {
        let wanted = decode::export(request.get_ref())?;
        let pages = Arc::clone(&self.handlers).export(wanted);
        let encoded = pages.map(|page| match page {
            Ok(Some(pulls)) => Ok(api::ExportPullsResponse { pulls: pulls.iter().map(encode::logged_pull).collect() }),
            Ok(None) => Err(status::closing()),
            Err(error) => Err(status::of_read(error)),
        });
        Ok(Response::new(Box::pin(encoded)))
    }

    async fn get_odds(&self, request: Request<api::GetOddsRequest>) -> Answer<api::GetOddsResponse> {
        let (asked, player) = odds::get(request.get_ref())?;
        let (manner, catalog) = self.manner(&asked)?;
        let told = self.handlers.odds(manner.clone(), player.as_ref()).await.map_err(status::of_read)?;
        let told = odds::report(&manner, player.as_ref(), catalog, &told, request.get_ref().with_curves);
        Ok(Response::new(api::GetOddsResponse { odds: Some(told) }))
    }

    type SimulateStream = Streamed<api::SimulateResponse>;

    async fn simulate(&self, request: Request<api::SimulateRequest>) -> Answer<Self::SimulateStream> {
        let (asked, pulls) = odds::simulate(request.get_ref())?;
        let (manner, _) = self.manner(&asked)?;
        let told = self.handlers.simulate(manner, pulls, request.get_ref().seed).await;
        Ok(Response::new(Box::pin(told.map(|told| Ok(odds::progress(&told))))))
    }

    async fn get_fairness(&self, request: Request<api::GetFairnessRequest>) -> Answer<api::GetFairnessResponse> {
        let deadline = deadline(request.metadata());
        let cursor = Cursor::of(&["fairness", &request.get_ref().player_id]);
        let (player, before, limit) = fairness::get(request.get_ref(), &cursor)?;
        let view = self.handlers.fairness(&player, before, limit, deadline).await.map_err(status::of_failed)?;
        Ok(Response::new(fairness::shown(&player, &view, &cursor)))
    }

    async fn set_client_seed(&self, request: Request<api::SetClientSeedRequest>) -> Answer<api::SetClientSeedResponse> {
        let (metadata, _, request) = request.into_parts();
        let key = auric_edge::key(&metadata, &request.idempotency_key)?;
        let (player, seed) = fairness::client_seed(&request)?;
        let (told, replayed) = self.change(&metadata, key, &player, Change::ClientSeed(seed)).await?;
        let (fairness, _) = fairness::seeds(&player, &told);
        fairness::answer(api::SetClientSeedResponse { fairness }, replayed)
    }

    async fn rotate_seed(&self, request: Request<api::RotateSeedRequest>) -> Answer<api::RotateSeedResponse> {
        let (metadata, _, request) = request.into_parts();
        let key = auric_edge::key(&metadata, &request.idempotency_key)?;
        let player = fairness::player(&request.player_id)?;
        let (told, replayed) = self.change(&metadata, key, &player, Change::Rotate).await?;
        let (fairness, ended) = fairness::seeds(&player, &told);
        fairness::answer(api::RotateSeedResponse { fairness, ended }, replayed)
    }

    async fn verify_pull(&self, request: Request<api::VerifyPullRequest>) -> Answer<api::VerifyPullResponse> {
        let (player, group, number) = fairness::verify(request.get_ref())?;
        let proof = self.handlers.verify(&player, &group, number).await.map_err(status::of_read)?;
        let proof = proof.ok_or_else(|| fairness::pull_not_found(&player, &group, number).into_status())?;
        Ok(Response::new(fairness::proof(proof)))
    }

    async fn choose_path(&self, request: Request<api::ChoosePathRequest>) -> Answer<api::ChoosePathResponse> {
        let (metadata, _, request) = request.into_parts();
        let key = auric_edge::key(&metadata, &request.idempotency_key)?;
        let (player, banner, target) = fairness::path(&request)?;
        let banners = self.handlers.banners();
        let found = banners.get(&banner).ok_or_else(|| status::banner_not_found(&banner).into_status())?;
        let change = Change::Path { banner, group: found.group.id.clone(), target };
        let (told, replayed) = self.change(&metadata, key, &player, change).await?;
        fairness::answer(fairness::chosen(&told), replayed)
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

impl Edge {
    /// Brings what is asked to its end, or as far as its caller waits.
    async fn bring(&self, ask: Ask, trace_id: &TraceId, metadata: &MetadataMap) -> Answer<api::Summon> {
        let summoned = self.handlers.summon(ask, trace_id, deadline(metadata)).await.map_err(status::of_failed)?;
        let mut answer = encode::summoned(&summoned.operation).map(Response::new).map_err(Status::from);
        if summoned.replayed {
            auric_edge::mark_replayed(&mut answer);
        }
        answer
    }

    /// How a banner is drawn from, and the catalog that says so.
    fn manner(&self, asked: &odds::Asked) -> Result<(Manner, String), Status> {
        let banners = self.handlers.banners();
        let found = banners.get(&asked.banner);
        let banner = found.ok_or_else(|| status::banner_not_found(&asked.banner).into_status())?;
        let manner = Manner::of(banner, asked.cost.as_ref(), asked.count).map_err(status::of_unstored)?;
        Ok((manner, banners.hash.to_string()))
    }

    async fn change(
        &self,
        metadata: &MetadataMap,
        key: MutationKey,
        player: &PlayerId,
        change: Change,
    ) -> Result<(crate::domain::Answer, bool), Status> {
        let (trace_id, method) = (metadata::trace_id(metadata), change.method());
        let told = self.handlers.change(key, player.clone(), change, &trace_id, deadline(metadata)).await;
        fairness::told(told.map_err(status::of_failed)?, method, player)
    }
}

fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    metadata::timeout(metadata).map(|left| Instant::now() + left)
}

/// A rule of another service's said no: the key's answer for ever.
fn refuse(service: &str, problem: Problem) -> Vote {
    let Problem { reason, message, metadata, .. } = problem;
    let refusal = Refusal::Participant { service: service.to_owned(), reason, message, metadata };
    serde_json::to_string(&refusal).map_or_else(|error| Vote::Unknown(error.to_string()), Vote::No)
}
