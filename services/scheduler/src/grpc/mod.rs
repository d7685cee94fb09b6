//! The scheduler's gRPC edges: decode, call, encode; its own handler; and its calls of targets.

mod decode;
mod encode;
mod handler;
mod scheduler;
mod status;
pub mod target;

use std::sync::Arc;

use auric_api::scheduler::v1::job_handler_service_server::{self, JobHandlerServiceServer};
use auric_api::scheduler::v1::scheduler_service_server::{self, SchedulerServiceServer};
use tonic::service::Routes;
use tonic::{Response, Status};

use crate::handlers::Handlers;

pub use status::reasons;

/// The full names of the services.
pub const SERVICE_NAMES: [&str; 2] = [scheduler_service_server::SERVICE_NAME, job_handler_service_server::SERVICE_NAME];

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    let handler = handler::Edge { handlers: Arc::clone(&handlers) };
    Routes::new(SchedulerServiceServer::new(scheduler::Edge { handlers }))
        .add_service(JobHandlerServiceServer::new(handler))
}

type Answer<T> = Result<Response<T>, Status>;
