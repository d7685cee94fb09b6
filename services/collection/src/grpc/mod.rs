//! The collection's gRPC edge: decode, call, encode.

mod decode;
mod encode;
mod participant;
mod status;

use std::sync::Arc;

use auric_api::collection::v1 as api;
use auric_api::collection::v1::collection_service_server::{self, CollectionService, CollectionServiceServer};
use auric_api::participant::v1::participant_service_server::{self, ParticipantServiceServer};
use auric_edge::Cursor;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::handlers::Handlers;
use decode::reads;

pub use status::reasons;

/// The full names of the services.
pub const SERVICE_NAMES: [&str; 2] =
    [collection_service_server::SERVICE_NAME, participant_service_server::SERVICE_NAME];

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    let participant = participant::Edge { handlers: Arc::clone(&handlers) };
    Routes::new(CollectionServiceServer::new(Edge { handlers })).add_service(ParticipantServiceServer::new(participant))
}

/// The collection as its readers see it.
#[derive(Debug)]
struct Edge {
    handlers: Arc<Handlers>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CollectionService for Edge {
    async fn list_esprits(&self, request: Request<api::ListEspritsRequest>) -> Answer<api::ListEspritsResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&["esprits", &request.player_id, &request.species_id]);
        let listed =
            self.handlers.esprits(reads::esprits(&request, &cursor)?).await.map_err(|error| status::of_read(&error))?;
        let rules = self.handlers.rules();
        let last = listed.page.items.last().filter(|_| listed.page.more);
        Ok(Response::new(api::ListEspritsResponse {
            next_page_token: last.map(|esprit| cursor.token(&esprit.number.to_string())).unwrap_or_default(),
            esprits: listed.page.items.iter().map(|esprit| encode::esprit(esprit, &rules.catalog)).collect(),
            total_size: encode::int64(listed.total),
        }))
    }

    async fn get_esprit(&self, request: Request<api::GetEspritRequest>) -> Answer<api::GetEspritResponse> {
        let (player, id) = reads::esprit(request.get_ref())?;
        let found = self.handlers.esprit(&player, &id).await.map_err(|error| status::of_read(&error))?;
        let esprit = found.ok_or_else(|| status::esprit_not_found(&player, &id))?;
        let esprit = encode::esprit(&esprit, &self.handlers.rules().catalog);
        Ok(Response::new(api::GetEspritResponse { esprit: Some(esprit) }))
    }
}
