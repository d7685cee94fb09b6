//! Events over gRPC: the service that every source serves, and the client that follows one.

mod edge;
mod follow;

pub use edge::{Payload, Source, reasons, service};
pub use follow::{FollowSettings, follow};

pub use auric_api::events::v1::events_service_server::SERVICE_NAME;
