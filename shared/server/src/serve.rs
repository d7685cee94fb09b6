//! Serves until it is told to stop, then drains.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tower::layer::util::{Identity, Stack};

use crate::ListenError;
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

/// The pause after a connection that could not be accepted, so that running out of files does not burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is served on one port.
#[derive(Clone, Debug)]
pub struct Services {
    /// Where requests go.
    pub routes: Routes,
    /// The full names of the gRPC services among them, for health and reflection.
    pub names: &'static [&'static str],
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
    /// The listener is not on loopback.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The API's descriptors cannot be served.
    #[error("cannot serve reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the transport failed")]
    Transport(#[from] tonic::transport::Error),
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
    ready: Check,
    stop: Stop,
) -> Result<Drain, ServeError>
where
    Check: Fn() -> Checked,
    Checked: Future<Output = Result<(), String>>,
{
    let address = listener.local_addr().map_err(ServeError::Address)?;
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback { address }.into());
    }
    let (reporter, health_server) = tonic_health::server::health_reporter();
    let health = Health::new(reporter, services.names).await;
    let gate = Gate::new(REQUESTS_MAX);
    let routes = services.routes.add_service(health_server).add_service(reflection(services.names)?);
    let server = builder(gate.clone()).add_routes(routes);

    let serving = transport(server, listener, stop.token.clone());
    tokio::pin!(serving);
    let followed = health.follow(ready, &stop.token);
    tokio::select! {
        ended = &mut serving => return ended.map(|()| Drain::Complete).map_err(Into::into),
        () = followed => {}
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

fn builder(gate: Gate) -> Server<Stack<Gate, Identity>> {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_WAIT_MAX))
        .layer(gate)
}

async fn transport(
    server: Router<Stack<Gate, Identity>>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    server.serve_with_incoming_shutdown(incoming(listener), stop.cancelled_owned()).await
}

fn incoming(listener: TcpListener) -> impl Stream<Item = std::io::Result<tokio::net::TcpStream>> {
    TcpIncoming::from(listener).with_nodelay(Some(true)).then(|accepted| async {
        if let Err(fault) = &accepted {
            tracing::warn!(%fault, "cannot accept a connection: {fault}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        accepted
    })
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
