//! The gateway's gRPC edges: its API for operators, and the wallet that it tells.

mod decode;
mod encode;
mod status;
mod wallet;

use std::sync::Arc;

use auric_api::gateway::v1 as api;
use auric_api::gateway::v1::gateway_service_server::{GatewayService, GatewayServiceServer};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::handlers::Handlers;
use crate::store::Replay;

pub use auric_api::gateway::v1::gateway_service_server::SERVICE_NAME;
pub use status::reasons;
pub use wallet::connect;

/// The services, to be served.
pub fn routes(handlers: Arc<Handlers>) -> Routes {
    Routes::new(GatewayServiceServer::new(Edge { handlers }))
}

/// The inbox as gRPC sees it.
#[derive(Debug)]
struct Edge {
    handlers: Arc<Handlers>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl GatewayService for Edge {
    async fn list_events(&self, request: Request<api::ListEventsRequest>) -> Answer<api::ListEventsResponse> {
        let query = decode::list(request.get_ref())?;
        let limit = query.limit;
        // One more than asked for says whether there is a next page.
        let asked = crate::store::ListQuery { limit: limit.saturating_add(1), ..query };
        let mut events = self.handlers.list(&asked).await.map_err(|error| status::of_store(&error))?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = events.len() > page;
        events.truncate(page);
        let last = events.last().filter(|_| more);
        Ok(Response::new(api::ListEventsResponse {
            next_page_token: last.map(encode::page_token).unwrap_or_default(),
            events: events.iter().map(encode::event).collect(),
        }))
    }

    async fn get_event(&self, request: Request<api::GetEventRequest>) -> Answer<api::GetEventResponse> {
        let api::GetEventRequest { provider, event_id } = request.into_inner();
        let name = decode::name(&provider, &event_id)?;
        let found = self.handlers.get(&name).await.map_err(|error| status::of_store(&error))?;
        let (event, body) = found.ok_or_else(|| status::not_found(&name))?;
        Ok(Response::new(api::GetEventResponse { event: Some(encode::event(&event)), body }))
    }

    async fn count_events(&self, _: Request<api::CountEventsRequest>) -> Answer<api::CountEventsResponse> {
        let counts = self.handlers.counts().await.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(api::CountEventsResponse { counts: counts.iter().map(encode::count).collect() }))
    }

    async fn replay_events(&self, request: Request<api::ReplayEventsRequest>) -> Answer<api::ReplayEventsResponse> {
        let which = decode::replay(request.get_ref())?;
        let (events, more) = self.handlers.replay(&which).await.map_err(|error| status::of_store(&error))?;
        if let (0, Replay::One(name)) = (events, &which)
            && self.handlers.get(name).await.map_err(|error| status::of_store(&error))?.is_none()
        {
            return Err(status::not_found(name));
        }
        Ok(Response::new(api::ReplayEventsResponse { events, more }))
    }
}
