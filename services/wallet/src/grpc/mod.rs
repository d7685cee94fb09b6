//! The wallet's gRPC edge: decode, call, encode.

mod decode;
mod encode;
mod page;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_api::wallet::v1::wallet_service_server::{WalletService, WalletServiceServer};
use auric_api::wallet::v1::{
    GetBalancesRequest, GetBalancesResponse, GetMutationRequest, GetMutationResponse, ListEntriesRequest,
    ListEntriesResponse, PostRequest, PostResponse,
};
use auric_server::metadata;
use auric_status::Problem;
use tokio::time::Instant;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::domain::{Action, Mutation, MutationKey, Posted, Verdict};
use crate::handlers::Handlers;
use decode::Decoder;

pub use auric_api::wallet::v1::wallet_service_server::SERVICE_NAME;
pub use status::reasons;

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    Routes::new(WalletServiceServer::new(Edge { handlers }))
}

/// The wallet as gRPC sees it.
#[derive(Debug)]
struct Edge {
    handlers: Arc<Handlers>,
}

#[tonic::async_trait]
impl WalletService for Edge {
    async fn post(&self, request: Request<PostRequest>) -> Result<Response<PostResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let mutation = Mutation {
            key: decode::mutation_key(&metadata, &request.idempotency_key)?,
            trace_id: metadata::trace_id(&metadata),
            action: Action::Post(decode::post(&request)?),
        };
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        let verdict = self.handlers.mutate(mutation, deadline).await.map_err(status::of_refused)?;
        answer(verdict, |posted| PostResponse { posted: Some(encode::posted(&posted)) })
    }

    async fn get_balances(
        &self,
        request: Request<GetBalancesRequest>,
    ) -> Result<Response<GetBalancesResponse>, Status> {
        let rules = self.handlers.rules();
        let (players, assets) = decode::balances(&request.into_inner(), &rules.assets)?;
        let balances = self.handlers.balances(&rules.assets, &players, &assets).await.map_err(status::of_read)?;
        let balances = balances.iter().map(|(key, balance)| encode::balance(key, *balance, &rules.assets)).collect();
        Ok(Response::new(GetBalancesResponse { balances }))
    }

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let request = request.into_inner();
        let cursor = page::Cursor::of(&[&request.player_id, &request.asset_id]);
        let page = self.handlers.entries(decode::entries(&request, &cursor)?).await.map_err(status::of_read)?;
        let last = page.items.last().filter(|_| page.more);
        Ok(Response::new(ListEntriesResponse {
            next_page_token: last.map(|entry| cursor.token(entry.movement.number)).unwrap_or_default(),
            entries: page.items.iter().map(encode::entry).collect(),
        }))
    }

    async fn get_mutation(
        &self,
        request: Request<GetMutationRequest>,
    ) -> Result<Response<GetMutationResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let mut decoder = Decoder::default();
        let key = decoder.id("idempotency_key", &request.idempotency_key);
        let named = if request.caller.is_empty() { None } else { decoder.id("caller", &request.caller) };
        let (key,) = decoder.finish(key.map(|key| (key,)))?;
        let caller = match named {
            Some(caller) => caller,
            None => metadata::caller(&metadata)?,
        };
        let key = MutationKey { caller, key };
        match self.handlers.mutation(&key).await.map_err(status::of_read)? {
            Some(record) => Ok(Response::new(GetMutationResponse { mutation: Some(encode::mutation(&record)) })),
            None => Err(status::not_seen(&key)),
        }
    }
}

/// Encodes what a mutation came to; a first answer that is given again says so.
fn answer<T>(verdict: Verdict, encode: impl FnOnce(Posted) -> T) -> Result<Response<T>, Status> {
    let (outcome, replayed) = match verdict {
        Verdict::Answered { outcome, replayed } => (outcome, replayed),
        Verdict::Unstored(unstored) => return Err(status::of_unstored(unstored)),
    };
    let mut answer = match outcome {
        Ok(posted) => Ok(Response::new(encode(posted))),
        Err(rejection) => Err(status::of_rejection(&rejection).into_status()),
    };
    if replayed {
        let mark = MetadataValue::from_static("true");
        match &mut answer {
            Ok(response) => response.metadata_mut().insert(metadata::REPLAYED, mark),
            Err(status) => status.metadata_mut().insert(metadata::REPLAYED, mark),
        };
    }
    answer
}

/// What a refusal says, by name.
type Metadata = BTreeMap<String, String>;

/// A request that is not as it must be.
fn invalid(fields: Vec<auric_status::BadField>) -> Status {
    Problem::invalid_argument(fields).into_status()
}
