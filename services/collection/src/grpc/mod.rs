//! The collection's gRPC edge: decode, call, encode; and its calls of the wallet.

mod collection;
mod decode;
mod encode;
mod events;
mod operations;
mod participant;
mod status;
pub mod wallet;

use std::sync::Arc;

use auric_api::collection::v1::encoded::collection_service_server::{self, CollectionServiceServer};
use auric_api::participant::v1::participant_service_server::{self, ParticipantServiceServer};
use tonic::service::Routes;
use tonic::{Response, Status};

use crate::handlers::{Handlers, roster};

pub use status::reasons;

/// The full names of the services.
pub const SERVICE_NAMES: [&str; 4] = [
    collection_service_server::SERVICE_NAME,
    participant_service_server::SERVICE_NAME,
    auric_jobs::SERVICE_NAME,
    auric_events::grpc::SERVICE_NAME,
];

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    let jobs = roster(&handlers).service();
    let events = Arc::new(events::Events { handlers: Arc::clone(&handlers) });
    let participant = participant::Edge { handlers: Arc::clone(&handlers) };
    Routes::new(CollectionServiceServer::new(collection::Edge { handlers }))
        .add_service(ParticipantServiceServer::new(participant))
        .add_service(jobs)
        .add_service(auric_events::grpc::service(events))
}

type Answer<T> = Result<Response<T>, Status>;
