//! The wallet's gRPC edge: decode, call, encode.

mod batch;
mod decode;
mod encode;
mod events;
mod status;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_server::{WalletService, WalletServiceServer};
use auric_edge::Cursor;
use auric_server::metadata;
use auric_status::Problem;
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::domain::{Action, Method, MutationKey, Posted, Verdict};
use crate::handlers::{Handlers, draw_retail_token, roster};
use decode::{mutations, payments, reads};

pub use auric_api::wallet::v1::wallet_service_server::SERVICE_NAME;
pub use status::reasons;

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    let jobs = roster(&handlers).service();
    let events = Arc::new(events::Events { handlers: Arc::clone(&handlers) });
    Routes::new(WalletServiceServer::new(Edge { handlers }))
        .add_service(jobs)
        .add_service(auric_events::grpc::service(events))
}

/// The wallet as gRPC sees it.
#[derive(Debug)]
struct Edge {
    handlers: Arc<Handlers>,
}

type Answer<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Edge {
    /// A mutation's whole way: its key, its meaning, its verdict, its answer.
    async fn mutate<Q, A>(
        &self,
        method: Method,
        request: Request<Q>,
        key: impl FnOnce(&Q) -> &str,
        action: impl FnOnce(&Q) -> Result<Action, Status>,
        wrap: impl FnOnce(Option<api::Posted>) -> A,
    ) -> Answer<A> {
        let (metadata, _, request) = request.into_parts();
        let mutation = mutations::mutation(method, &metadata, key(&request), || action(&request))?;
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        let verdict = self.handlers.mutate(mutation, deadline).await.map_err(status::of_refused)?;
        answer(verdict, |posted| wrap(Some(encode::posted(&posted))))
    }
}

#[tonic::async_trait]
impl WalletService for Edge {
    async fn post(&self, request: Request<api::PostRequest>) -> Answer<api::PostResponse> {
        let action = |request: &_| mutations::post(request).map(Action::Post);
        self.mutate(Method::Post, request, |r| &r.idempotency_key, action, |posted| api::PostResponse { posted }).await
    }

    async fn post_batch(&self, request: Request<api::PostBatchRequest>) -> Answer<api::PostBatchResponse> {
        batch::post(&self.handlers, request).await
    }

    type PostStreamStream = Streamed<api::PostStreamResponse>;

    async fn post_stream(&self, request: Request<Streaming<api::PostStreamRequest>>) -> Answer<Self::PostStreamStream> {
        let answers = batch::post_stream(Arc::clone(&self.handlers), request)?;
        Ok(Response::new(Box::pin(answers)))
    }

    async fn claim(&self, request: Request<api::ClaimRequest>) -> Answer<api::ClaimResponse> {
        let action = |request: &_| mutations::claim(request).map(Action::Claim);
        self.mutate(Method::Claim, request, |r| &r.idempotency_key, action, |posted| api::ClaimResponse { posted })
            .await
    }

    async fn reserve(&self, request: Request<api::ReserveRequest>) -> Answer<api::ReserveResponse> {
        let action = |request: &_| mutations::reserve(request).map(Action::Reserve);
        self.mutate(Method::Reserve, request, |r| &r.idempotency_key, action, |posted| api::ReserveResponse { posted })
            .await
    }

    async fn commit(&self, request: Request<api::CommitRequest>) -> Answer<api::CommitResponse> {
        let action = |request: &_| mutations::commit(request).map(Action::Commit);
        self.mutate(Method::Commit, request, |r| &r.idempotency_key, action, |posted| api::CommitResponse { posted })
            .await
    }

    async fn release(&self, request: Request<api::ReleaseRequest>) -> Answer<api::ReleaseResponse> {
        let action = |request: &_| mutations::release(request).map(Action::Release);
        self.mutate(Method::Release, request, |r| &r.idempotency_key, action, |posted| api::ReleaseResponse { posted })
            .await
    }

    async fn transfer(&self, request: Request<api::TransferRequest>) -> Answer<api::TransferResponse> {
        let action = |request: &_| mutations::transfer(request).map(Action::Transfer);
        self.mutate(
            Method::Transfer,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::TransferResponse { posted },
        )
        .await
    }

    async fn spend_stat_points(
        &self,
        request: Request<api::SpendStatPointsRequest>,
    ) -> Answer<api::SpendStatPointsResponse> {
        let action = |request: &_| mutations::spend_stat_points(request).map(Action::SpendStatPoints);
        self.mutate(
            Method::SpendStatPoints,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::SpendStatPointsResponse { posted },
        )
        .await
    }

    async fn renew_credits(&self, request: Request<api::RenewCreditsRequest>) -> Answer<api::RenewCreditsResponse> {
        let action = |request: &_| mutations::renew_credits(request).map(Action::RenewCredits);
        self.mutate(
            Method::RenewCredits,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::RenewCreditsResponse { posted },
        )
        .await
    }

    async fn record_payment(&self, request: Request<api::RecordPaymentRequest>) -> Answer<api::RecordPaymentResponse> {
        let action = |request: &_| payments::record(request).map(Action::RecordPayment);
        self.mutate(
            Method::RecordPayment,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::RecordPaymentResponse { posted },
        )
        .await
    }

    async fn issue_retail_token(
        &self,
        request: Request<api::IssueRetailTokenRequest>,
    ) -> Answer<api::IssueRetailTokenResponse> {
        let action = |request: &_| payments::issue(request, draw_retail_token()).map(Action::IssueRetailToken);
        self.mutate(
            Method::IssueRetailToken,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::IssueRetailTokenResponse { posted },
        )
        .await
    }

    async fn redeem_retail_token(
        &self,
        request: Request<api::RedeemRetailTokenRequest>,
    ) -> Answer<api::RedeemRetailTokenResponse> {
        let action = |request: &_| payments::redeem(request).map(Action::RedeemRetailToken);
        self.mutate(
            Method::RedeemRetailToken,
            request,
            |r| &r.idempotency_key,
            action,
            |posted| api::RedeemRetailTokenResponse { posted },
        )
        .await
    }

    async fn get_retail_token(
        &self,
        request: Request<api::GetRetailTokenRequest>,
    ) -> Answer<api::GetRetailTokenResponse> {
        let id = payments::token(request.get_ref())?;
        let found = self.handlers.retail_token(&id).await.map_err(status::of_read)?;
        let retail_token = found.as_ref().map(encode::retail_token).ok_or_else(|| status::token_not_found(&id))?;
        Ok(Response::new(api::GetRetailTokenResponse { retail_token: Some(retail_token) }))
    }

    async fn list_generations(
        &self,
        request: Request<api::ListGenerationsRequest>,
    ) -> Answer<api::ListGenerationsResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&["generations", &request.player_id]);
        let query = payments::generations(&request, &cursor)?;
        let page = self.handlers.generations(query).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListGenerationsResponse {
            next_page_token: last.map(|token| cursor.token(token.id.as_str())).unwrap_or_default(),
            generations: page.items.iter().filter_map(encode::generation).collect(),
        }))
    }

    async fn void_mutation(&self, request: Request<api::VoidMutationRequest>) -> Answer<api::VoidMutationResponse> {
        let (metadata, _, request) = request.into_parts();
        let mutation =
            mutations::mutation(Method::VoidMutation, &metadata, &request.idempotency_key, || Ok(Action::Void))?;
        let key = mutation.key.clone();
        self.handlers.mutate(mutation, None).await.map_err(status::of_refused)?;
        let record = self.handlers.mutation(&key).await.map_err(status::of_read)?;
        let mutation = record.as_ref().map(encode::mutation).ok_or_else(|| status::not_seen(&key))?;
        Ok(Response::new(api::VoidMutationResponse { mutation: Some(mutation) }))
    }

    async fn get_balances(&self, request: Request<api::GetBalancesRequest>) -> Answer<api::GetBalancesResponse> {
        let rules = self.handlers.rules();
        let (players, assets) = reads::balances(request.get_ref(), &rules.assets)?;
        let balances = self.handlers.balances(&rules.assets, &players, &assets).await.map_err(status::of_read)?;
        Ok(Response::new(encode::balances(&balances)))
    }

    async fn list_entries(&self, request: Request<api::ListEntriesRequest>) -> Answer<api::ListEntriesResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&[&request.player_id, &request.asset_id]);
        let page = self.handlers.entries(reads::entries(&request, &cursor)?).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListEntriesResponse {
            next_page_token: last.map(|entry| cursor.token(&entry.movement.number.to_string())).unwrap_or_default(),
            entries: page.items.iter().map(encode::entry).collect(),
        }))
    }

    type WatchEntriesStream = Streamed<api::WatchEntriesResponse>;

    async fn watch_entries(&self, request: Request<api::WatchEntriesRequest>) -> Answer<Self::WatchEntriesStream> {
        let (player, after) = reads::watch_entries(request.get_ref())?;
        let pages = Arc::clone(&self.handlers).watch_entries(player, after);
        let encoded = pages.map(|page| {
            let page = page.map_err(status::of_read)?;
            Ok(api::WatchEntriesResponse { entries: page.iter().map(encode::entry).collect() })
        });
        Ok(Response::new(Box::pin(encoded)))
    }

    async fn get_hold(&self, request: Request<api::GetHoldRequest>) -> Answer<api::GetHoldResponse> {
        let id = reads::hold(request.get_ref())?;
        let found = self.handlers.hold(&id).await.map_err(status::of_read)?;
        let hold = found.map(|(kept, now)| encode::hold(&kept, now)).ok_or_else(|| status::hold_not_found(&id))?;
        Ok(Response::new(api::GetHoldResponse { hold: Some(hold) }))
    }

    async fn list_holds(&self, request: Request<api::ListHoldsRequest>) -> Answer<api::ListHoldsResponse> {
        let request = request.into_inner();
        let age = request.age_min.as_ref().map(ToString::to_string).unwrap_or_default();
        let cursor = Cursor::of(&[&request.player_id, &request.caller, &age]);
        let (page, now) = self.handlers.holds(reads::holds(&request, &cursor)?).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(api::ListHoldsResponse {
            next_page_token: last.map(|kept| cursor.token(kept.hold.id.as_str())).unwrap_or_default(),
            holds: page.items.iter().map(|kept| encode::hold(kept, now)).collect(),
        }))
    }

    async fn get_mutation(&self, request: Request<api::GetMutationRequest>) -> Answer<api::GetMutationResponse> {
        let (metadata, _, request) = request.into_parts();
        let key: MutationKey = reads::mutation(&request, &metadata)?;
        match self.handlers.mutation(&key).await.map_err(status::of_read)? {
            Some(record) => Ok(Response::new(api::GetMutationResponse { mutation: Some(encode::mutation(&record)) })),
            None => Err(status::not_seen(&key)),
        }
    }

    async fn get_supply(&self, request: Request<api::GetSupplyRequest>) -> Answer<api::GetSupplyResponse> {
        let rules = self.handlers.rules();
        let assets = reads::supply(request.get_ref(), &rules.assets)?;
        let supplies = self.handlers.supply(&rules.assets, &assets).await.map_err(status::of_read)?;
        Ok(Response::new(api::GetSupplyResponse { supplies: supplies.iter().map(encode::supply).collect() }))
    }

    async fn get_flows(&self, request: Request<api::GetFlowsRequest>) -> Answer<api::GetFlowsResponse> {
        let flows = self.handlers.flows(&reads::flows(request.get_ref())?).await.map_err(status::of_read)?;
        Ok(Response::new(api::GetFlowsResponse { flows: flows.iter().map(encode::flow).collect() }))
    }

    type VerifyAuditStream = Streamed<api::VerifyAuditResponse>;

    async fn verify_audit(&self, request: Request<api::VerifyAuditRequest>) -> Answer<Self::VerifyAuditStream> {
        let player = reads::verify_audit(request.get_ref())?;
        let progress = Arc::clone(&self.handlers).verify_audit(player);
        let encoded = progress.map(|progress| Ok(encode::progress(&progress.map_err(status::of_read)?)));
        Ok(Response::new(Box::pin(encoded)))
    }

    async fn get_catalog(&self, request: Request<api::GetCatalogRequest>) -> Answer<api::GetCatalogResponse> {
        let Some(hash) = reads::catalog(request.get_ref())? else {
            return Ok(Response::new(encode::catalog(&self.handlers.rules().assets)));
        };
        match self.handlers.catalog(hash).await.map_err(status::of_read)? {
            Some(assets) => Ok(Response::new(encode::catalog(&assets))),
            None => Err(status::catalog_not_found(hash)),
        }
    }
}

/// Encodes what a mutation came to; a first answer that is given again says so.
fn answer<T>(verdict: Verdict, encode: impl FnOnce(Posted) -> T) -> Answer<T> {
    let (outcome, replayed) = match verdict {
        Verdict::Answered { outcome, replayed } => (outcome, replayed),
        Verdict::Unstored(unstored) => return Err(status::of_unstored(unstored).into_status()),
    };
    let mut answer = match outcome {
        Ok(posted) => Ok(Response::new(encode(posted))),
        Err(rejection) => Err(status::of_rejection(&rejection).into_status()),
    };
    if replayed {
        auric_edge::mark_replayed(&mut answer);
    }
    answer
}

/// What a refusal says, by name.
type Metadata = BTreeMap<String, String>;

/// A request that is not as it must be.
fn invalid(fields: Vec<auric_status::BadField>) -> Status {
    Problem::invalid_argument(fields).into_status()
}
