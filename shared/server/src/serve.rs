//! Serves until it is told to stop, then drains.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auric_auth::{Door, DoorError};
use auric_telemetry::rpc::RpcLayer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::layer::util::{Identity, Stack};

use crate::ListenError;
use crate::connection::Reception;
use crate::gate::{Gate, REQUESTS_MAX};
use crate::health::Health;

/// Requests in flight on one connection; one more waits in the client.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;

/// The longest request message; a service sets it with `max_decoding_message_size`.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The longest metadata of a request, names and all.
pub const METADATA_BYTES_MAX: u32 = 16 << 10;

/// A peer that is silent for this long is asked whether it is there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// A peer that does not answer for this long is gone.
const KEEPALIVE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What is served on one port.
#[derive(Debug)]
pub struct Services {
    /// Where requests go.
    pub routes: Routes,
    /// The full names of the gRPC services among them, for health and reflection.
    pub names: &'static [&'static str],
    /// Told when their health is `SERVING` for the first time.
    pub serving: Option<oneshot::Sender<()>>,
}

/// When to stop, and how patiently.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Cancelled to begin the drain.
    pub token: CancellationToken,
    /// How long the requests in flight may take then.
    pub drain_max: Duration,
}

/// How the drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Every request was answered and every connection closed.
    Complete,
    /// Time ran out.
    Cut {
        /// Requests that were not answered; their outcome is unknown to their callers.
        requests: usize,
    },
}

/// Why serving ended without being told to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The listener is not on loopback, and nobody is asked who comes.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The API's descriptors cannot be served.
    #[error("cannot serve reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the transport failed")]
    Transport(#[from] tonic::transport::Error),
    /// Callers and certificates cannot be watched.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The listener has no address.
    #[error("the listener has no address")]
    Address(#[source] std::io::Error),
}

/// Serves until `stop.token` is cancelled; the port is free again as soon as the drain begins.
///
/// Health is `NOT_SERVING` until `ready` says yes for the first time, and again from the beginning of the drain.
///
/// # Errors
///
/// [`ServeError`]; nothing is served any more.
///
/// # Cancellation
///
/// Dropping the future stops without a drain: requests in flight end with their connections when the runtime does.
pub async fn serve<Check, Checked>(
    listener: TcpListener,
    services: Services,
    door: Arc<Door>,
    ready: Check,
    stop: Stop,
) -> Result<Drain, ServeError>
where
    Check: Fn() -> Checked,
    Checked: Future<Output = Result<(), String>>,
{
    let address = listener.local_addr().map_err(ServeError::Address)?;
    if !address.ip().is_loopback() && !door.is_guarded() {
        return Err(ListenError::NotLoopback { address }.into());
    }
    let (reporter, health_server) = tonic_health::server::health_reporter();
    let health = Health::new(reporter, services.names).await;
    let gate = Gate::new(Arc::clone(&door), REQUESTS_MAX);
    gate.observe(services.names);
    let reloads = Arc::clone(&door).follow(stop.token.clone())?;
    let routes = services.routes.add_service(health_server).add_service(reflection(services.names)?);
    let server = builder(gate.clone()).add_routes(routes);

    let incoming = Reception::new(door).incoming(listener);
    let serving = server.serve_with_incoming_shutdown(incoming, stop.token.clone().cancelled_owned());
    tokio::pin!(serving);
    let followed = futures::future::join(health.follow(ready, services.serving, &stop.token), reloads);
    tokio::select! {
        ended = &mut serving => return ended.map(|()| Drain::Complete).map_err(Into::into),
        _ = followed => {}
    }
    tracing::info!(%address, requests = gate.in_flight(), "draining: {} requests are in flight", gate.in_flight());
    health.end().await;
    match tokio::time::timeout(stop.drain_max, serving).await {
        Ok(ended) => ended.map(|()| Drain::Complete).map_err(Into::into),
        Err(_) => Ok(cut(address, gate.in_flight())),
    }
}

fn cut(address: SocketAddr, requests: usize) -> Drain {
    tracing::warn!(%address, requests, "the drain took too long: {requests} requests were cut");
    Drain::Cut { requests }
}

/// Whatever comes is given its trace before anything else looks at it.
fn builder(gate: Gate) -> Server<Stack<Gate, Stack<RpcLayer, Identity>>> {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_WAIT_MAX))
        .layer(RpcLayer::new(auric_api::SCOPES.iter().map(|(path, _)| *path)))
        .layer(gate)
}

fn reflection(
    names: &[&str],
) -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>,
    tonic_reflection::server::Error,
> {
    let manners = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
    names
        .iter()
        .chain(&manners)
        .fold(tonic_reflection::server::Builder::configure(), |builder, name| builder.with_service_name(*name))
        .register_encoded_file_descriptor_set(auric_api::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // No method names these, but a tool that shows an error's details asks for them.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
}
