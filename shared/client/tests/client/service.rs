//! A wallet that answers as the test says, and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Channel, ClientConfig, Policy};
use auric_status::{Problem, reason};
use auric_testkit::proxy::Proxy;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::{ServerTlsConfig, TcpConnectInfo, TlsConnectInfo};
use tower::Service;

/// What the service does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Answers with an empty answer.
    Answer,
    Refuse(Problem),
    /// Never answers.
    Silence,
    /// An HTTP answer, as of a proxy that has no gRPC.
    Http(u16),
}

/// A request that arrived.
#[derive(Clone)]
pub struct Seen {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the caller came with, where it was asked for one.
    pub certificate: Option<Vec<u8>>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    seen: Vec<Seen>,
}

/// Follows its script, and then answers.
#[derive(Clone, Default)]
pub struct Scripted {
    state: Arc<Mutex<State>>,
    more: Arc<Notify>,
}

impl Scripted {
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().expect("no holder panicked").script.extend(replies);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().expect("no holder panicked").seen.clone()
    }

    pub fn count(&self) -> usize {
        self.seen().len()
    }

    pub async fn wait_for(&self, count: usize) {
        while self.count() < count {
            self.more.notified().await;
        }
    }

    fn next(&self, seen: Seen) -> Reply {
        let mut state = self.state.lock().expect("no holder panicked");
        state.seen.push(seen);
        let reply = state.script.pop_front();
        drop(state);
        self.more.notify_one();
        reply.unwrap_or(Reply::Answer)
    }
}

impl NamedService for Scripted {
    const NAME: &'static str = "auric.wallet.v1.WalletService";
}

impl Service<Request<Body>> for Scripted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return std::future::pending().await };
            let connection = parts.extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
            let certificate = connection.and_then(|connection| Some(connection.peer_certs()?.first()?.to_vec()));
            match this.next(Seen { headers: parts.headers, body: body.to_bytes(), certificate }) {
                Reply::Answer => Ok(answer()),
                Reply::Refuse(problem) => Ok(problem.into_status().into_http()),
                Reply::Silence => std::future::pending().await,
                Reply::Http(status) => Ok(Response::builder().status(status).body(Body::empty()).expect("a response")),
            }
        })
    }
}

/// An empty `PostResponse`, with its status behind it as a server sends it.
fn answer() -> Response<Body> {
    let message = api::PostResponse { posted: Some(api::Posted::default()) }.encode_to_vec();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("it is short"));
    frame.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok::<_, Infallible>(trailers)) });
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(Body::new(body)).expect("a response")
}

/// One copy, behind a proxy.
pub struct Copy {
    pub service: Scripted,
    pub proxy: Proxy,
    _serving: JoinSet<()>,
}

impl Copy {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    pub async fn start_with(tls: Option<ServerTlsConfig>) -> Self {
        let service = Scripted::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).expect("certificates");
        }
        let (_, health) = tonic_health::server::health_reporter();
        let router = server.add_service(service.clone()).add_service(health);
        let mut serving = JoinSet::new();
        serving
            .spawn(async move { router.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("served") });
        let proxy = Proxy::start(address).await.expect("a proxy");
        Self { service, proxy, _serving: serving }
    }

    pub fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A client of this copy alone, in a hurry.
    pub async fn client(&self) -> WalletServiceClient<Channel> {
        auric_client::wallet(hurried(&self.url())).await.expect("a client")
    }
}

/// Short times, so that a test takes little of them, and long enough for a busy machine.
pub fn hurried(targets: &str) -> ClientConfig {
    let policy = Policy {
        attempt_timeout: Duration::from_millis(500),
        backoff_min: Duration::from_millis(2),
        backoff_max: Duration::from_millis(50),
        resolve_every: Duration::from_millis(50),
        probe_every: Duration::from_millis(20),
        ..Policy::default()
    };
    ClientConfig { policy, ..ClientConfig::new(targets) }
}

/// Waits for what must come, and fails when it does not.
pub async fn in_time<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), work).await.expect("it comes in time")
}

pub fn post(key: &str) -> api::PostRequest {
    let leg = api::Leg { player_id: "discord:1".to_owned(), amount: 1, ..Default::default() };
    api::PostRequest { idempotency_key: key.to_owned(), legs: vec![leg], ..Default::default() }
}

pub fn away() -> Problem {
    Problem::unavailable("the database is away", Duration::from_millis(5))
}

pub fn full() -> Problem {
    Problem::new(Code::ResourceExhausted, reason::QUEUE_FULL, "too much waits").retry_after(Duration::from_millis(5))
}
