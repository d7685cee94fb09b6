//! Metrics and health by HTTP, for Prometheus and for whoever decides where traffic goes.
//!
//! `/metrics` is Prometheus text, `/livez` says that the process answers, `/readyz` whether it can serve, dependency by dependency. It changes
//! nothing and shows no player, so that it may listen where others reach it. One request a connection, each bounded in time.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Registry, TextEncoder};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::Health;

/// Connections at the same time; one more waits.
const CONNECTIONS_MAX: usize = 64;

/// How long the headers of a request may take.
const HEADERS_MAX: Duration = Duration::from_secs(5);

/// How long a connection may take, answer and all.
const CONNECTION_MAX: Duration = Duration::from_secs(30);

/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const JSON: &str = "application/json";

/// The address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address} for metrics")]
pub struct EndpointError {
    /// Which.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// A listener that answers until it is dropped.
#[derive(Debug)]
#[must_use = "it answers until it is dropped"]
pub struct Endpoint {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Endpoint {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]; nothing is bound.
    pub(crate) async fn start(address: SocketAddr, registry: Registry, health: Health) -> Result<Self, EndpointError> {
        let refuse = |source| EndpointError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(Pages { registry, health })));
        Ok(Self { address, _tasks: tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, pages: Arc<Pages>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = Arc::clone(&pages);
                connections.spawn(async move {
                    let _permit = permit;
                    // One that is late, or speaks no HTTP, is closed; there is nobody to tell.
                    let _ = tokio::time::timeout(CONNECTION_MAX, answer(stream, pages)).await;
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "cannot accept a connection: {fault}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, pages: Arc<Pages>) -> hyper::Result<()> {
    let service = service_fn(|request| {
        let page = pages.page(&request);
        async move { Ok::<_, Infallible>(page) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX).keep_alive(false);
    connection.serve_connection(TokioIo::new(stream), service).await
}

struct Pages {
    registry: Registry,
    health: Health,
}

impl Pages {
    fn page(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused =
                page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET and HEAD are answered\n".to_owned());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/livez" => page(StatusCode::OK, JSON, "{\"live\":true}\n".to_owned()),
            "/readyz" => self.ready(),
            _ => page(StatusCode::NOT_FOUND, "text/plain", "there are /metrics, /livez and /readyz\n".to_owned()),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => page(StatusCode::OK, prometheus::TEXT_FORMAT, text),
            Err(fault) => {
                tracing::error!(%fault, "the metrics cannot be written: {fault}");
                page(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new())
            }
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let report = self.health.report();
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let text = serde_json::to_string(&report).unwrap_or_default();
        page(status, JSON, text + "\n")
    }
}

fn page(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
