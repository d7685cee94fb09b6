//! The empty call: what everything before and behind a handler costs.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use auric_api::bench::v1::echo_service_client::EchoServiceClient;
use auric_api::bench::v1::echo_service_server::{EchoService, EchoServiceServer, SERVICE_NAME};
use auric_api::bench::v1::{EchoRequest, EchoResponse};
use auric_auth::Door;
use auric_server::{Services, Stop};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::{Fleet, outcome, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;

/// Calls Echo.
#[derive(Clone, Debug)]
pub struct Echo {
    /// Where.
    pub fleet: Fleet,
}

impl Operation for Echo {
    async fn run(&self, number: u64) -> Outcome {
        let mut client = EchoServiceClient::new(self.fleet.channel("", number));
        outcome(client.echo(with_deadline(EchoRequest {})).await)
    }
}

struct Answers;

#[tonic::async_trait]
impl EchoService for Answers {
    async fn echo(&self, _: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        Ok(Response::new(EchoResponse {}))
    }
}

/// Serves Echo on `address`, as every service is served, until `stop` says otherwise.
///
/// # Errors
///
/// The port cannot be had.
pub async fn serve_echo(address: SocketAddr, stop: Stop) -> Result<()> {
    let door = Arc::new(Door::open());
    let listener = auric_server::listen(address, &door).await?;
    let services =
        Services { routes: Routes::new(EchoServiceServer::new(Answers)), names: &[SERVICE_NAME], serving: None };
    auric_server::serve(listener, services, door, || async { Ok(()) }, stop).await?;
    Ok(())
}
