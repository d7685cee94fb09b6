//! Connections of strangers: bounded in number and in patience, each apart from the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at the same time; one more is closed at once.
const CONNECTIONS_MAX: usize = 1_024;

/// How long a stranger may take for its handshake, and then for the head of each request.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest head of a request.
const HEADERS_BYTES_MAX: usize = 16 << 10;

/// The pause after a connection that could not be accepted, so that running out of files does not burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why webhooks cannot be taken where they were to be.
#[derive(Debug, Error)]
pub enum ListenError {
    /// What providers send would cross a network in the clear.
    #[error(
        "refusing to take webhooks on {address} in the clear: give it a certificate, or say that a proxy with TLS stands before it"
    )]
    InTheClear {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system says no.
    #[error("cannot listen on {address}")]
    System {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Binds `address`; port 0 takes a free one. Beyond loopback it must be `guarded`: by a certificate, or by a proxy that has one.
///
/// # Errors
///
/// [`ListenError`]; nothing is bound.
pub async fn listen(address: SocketAddr, is_guarded: bool) -> Result<TcpListener, ListenError> {
    if !address.ip().is_loopback() && !is_guarded {
        return Err(ListenError::InTheClear { address });
    }
    TcpListener::bind(address).await.map_err(|source| ListenError::System { address, source })
}

/// Serves until `stop`, then lets the requests under way end for `drain_max`; tells how many connections were cut.
///
/// `tls` is asked for each connection, so that a certificate can be rotated.
pub async fn serve<Tls>(
    listener: TcpListener,
    router: Router,
    tls: Tls,
    stop: CancellationToken,
    drain_max: Duration,
) -> usize
where
    Tls: Fn() -> Option<Arc<ServerConfig>>,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (graceful, connections) = (GracefulShutdown::new(), TaskTracker::new());
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::warn!(%fault, "cannot accept a connection: {fault}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(%peer, "closing a connection of {peer}: there are too many");
            continue;
        };
        let watcher = graceful.watcher();
        let (router, tls, stop) = (router.clone(), tls(), stop.clone());
        connections.spawn(async move {
            let Some(Some(io)) = stop.run_until_cancelled(receive(stream, tls, peer)).await else { return };
            let service = TowerToHyperService::new(router);
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WAIT_MAX).max_buf_size(HEADERS_BYTES_MAX);
            // One that is late, or speaks no HTTP, is closed; there is nobody to tell.
            let _ = watcher.watch(http.serve_connection(TokioIo::new(io), service)).await;
            drop::<OwnedSemaphorePermit>(permit);
        });
    }
    drop(listener);
    connections.close();
    let ended = async {
        graceful.shutdown().await;
        connections.wait().await;
    };
    match tokio::time::timeout(drain_max, ended).await {
        Ok(()) => 0,
        Err(_) => connections.len(),
    }
}

/// Anything that bytes go over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Shakes hands where there is a certificate; [`None`] when the peer does not do its part.
async fn receive(stream: TcpStream, tls: Option<Arc<ServerConfig>>, peer: SocketAddr) -> Option<Box<dyn Stream>> {
    stream.set_nodelay(true).ok()?;
    let Some(config) = tls else { return Some(Box::new(stream)) };
    // The certificate is every service's; the others speak HTTP/2 over it, and this one does not.
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let shaken = TlsAcceptor::from(Arc::new(config)).accept(stream);
    match tokio::time::timeout(HEADERS_WAIT_MAX, shaken).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(fault)) => {
            tracing::debug!(%peer, %fault, "the TLS handshake of {peer} failed: {fault}");
            None
        }
        Err(_) => None,
    }
}
