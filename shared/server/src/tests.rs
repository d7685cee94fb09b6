//! The laws of serving, over real connections to a service that does what the test tells it.

use std::sync::Arc;
use std::time::Duration;

use auric_api::bench::v1 as pb;
use auric_auth::Door;
use auric_status::Problem;
use pb::echo_service_client::EchoServiceClient;
use pb::echo_service_server::{EchoService, EchoServiceServer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::{Layer as _, Service as _};

use crate::gate::Gate;
use crate::{Drain, Services, Stop, listen, serve};

const NAMES: &[&str] = &["auric.bench.v1.EchoService"];

/// Longer than any test takes: a drain that is bounded by it was never bounded.
const NEVER: Duration = Duration::from_mins(1);

/// The request metadata that tells the service what to do: `panic`, `wait` until it is let go, `never` answer; nothing for answering.
const TOLD: &str = "told";

/// Does what each request tells it.
#[derive(Clone)]
struct Told {
    entered: Arc<Semaphore>,
    leave: Arc<Semaphore>,
}

#[tonic::async_trait]
impl EchoService for Told {
    async fn echo(&self, request: Request<pb::EchoRequest>) -> Result<Response<pb::EchoResponse>, Status> {
        match request.metadata().get(TOLD).and_then(|told| told.to_str().ok()) {
            Some("panic") => panic!("as the test wants"),
            Some("never") => std::future::pending().await,
            Some("wait") => {
                self.entered.add_permits(1);
                let _left = self.leave.acquire().await.map_err(|_| Status::aborted("the test is over"))?;
            }
            _ => {}
        }
        Ok(Response::new(pb::EchoResponse {}))
    }
}

async fn ask(channel: &Channel, told: &'static str) -> Result<Response<pb::EchoResponse>, Status> {
    let mut request = Request::new(pb::EchoRequest {});
    request.metadata_mut().insert(TOLD, told.parse().unwrap());
    EchoServiceClient::new(channel.clone()).echo(request).await
}

struct House {
    told: Told,
    channel: Channel,
    ready: watch::Sender<Result<(), String>>,
    stop: CancellationToken,
    serving: JoinHandle<Drain>,
}

#[expect(clippy::disallowed_methods, reason = "the test owns the task and joins it")]
async fn house(drain_max: Duration) -> House {
    let told = Told { entered: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) };
    let listener = listen("127.0.0.1:0".parse().unwrap(), &Door::open()).await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (ready, readiness) = watch::channel(Ok(()));
    let stop = CancellationToken::new();
    let services = Services { routes: routes(&told), names: NAMES, serving: None };
    let when = Stop { token: stop.clone(), drain_max };
    let check = move || std::future::ready(readiness.borrow().clone());
    let serving =
        tokio::spawn(async move { serve(listener, services, Arc::new(Door::open()), check, when).await.unwrap() });
    let channel = Channel::from_shared(uri).unwrap().connect().await.unwrap();
    House { told, channel, ready, stop, serving }
}

fn routes(told: &Told) -> tonic::service::Routes {
    tonic::service::Routes::new(EchoServiceServer::new(told.clone()))
}

async fn wait_for_health(
    channel: &Channel,
    service: &str,
    wanted: ServingStatus,
) -> tonic::Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let mut watched = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
    while watched.next().await.unwrap().unwrap().status() != wanted {}
    watched
}

#[tokio::test]
async fn health_follows_readiness_and_ends_with_the_drain() {
    let house = house(NEVER).await;
    for name in ["", NAMES[0]] {
        wait_for_health(&house.channel, name, ServingStatus::Serving).await;
    }
    house.ready.send(Err("the database is away".to_owned())).unwrap();
    wait_for_health(&house.channel, NAMES[0], ServingStatus::NotServing).await;
    house.ready.send(Ok(())).unwrap();
    let mut watched = wait_for_health(&house.channel, NAMES[0], ServingStatus::Serving).await;

    house.stop.cancel();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watched.next().await.is_none(), "an open watch would hold the drain up");
    assert_eq!(house.serving.await.unwrap(), Drain::Complete);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test owns the task and joins it")]
async fn a_drain_answers_what_is_in_flight_and_takes_nothing_new() {
    let house = house(NEVER).await;
    let channel = house.channel.clone();
    let first = tokio::spawn(async move { ask(&channel, "wait").await });
    house.told.entered.acquire().await.unwrap().forget();

    house.stop.cancel();
    while let Ok(health) = HealthClient::new(house.channel.clone()).check(HealthCheckRequest::default()).await {
        assert!(!house.serving.is_finished(), "still {health:?}");
    }
    assert!(ask(&house.channel, "").await.is_err());
    house.told.leave.add_permits(1);
    first.await.unwrap().unwrap();
    assert_eq!(house.serving.await.unwrap(), Drain::Complete);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the request has to wait beside the test")]
async fn a_drain_is_bounded_and_counts_what_it_cut() {
    let house = house(Duration::from_millis(50)).await;
    let channel = house.channel.clone();
    let cut = tokio::spawn(async move { ask(&channel, "wait").await });
    house.told.entered.acquire().await.unwrap().forget();
    house.stop.cancel();
    assert_eq!(house.serving.await.unwrap(), Drain::Cut { requests: 1 });
    cut.abort();
}

#[tokio::test]
async fn a_panic_is_internal_and_the_next_request_is_served() {
    let house = house(NEVER).await;
    let problem = Problem::from_status(&ask(&house.channel, "panic").await.unwrap_err());
    assert_eq!(problem, Problem::internal());
    ask(&house.channel, "").await.unwrap();
}

#[tokio::test]
async fn reflection_names_what_is_served() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

    let house = house(NEVER).await;
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let asked = tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request });
    let mut client = ServerReflectionClient::new(house.channel.clone());
    let answer = client.server_reflection_info(asked).await.unwrap().into_inner().next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let name = |service: ServiceResponse| service.name;
    let names: Vec<String> = listed.service.into_iter().map(name).collect();
    assert_eq!(names, [NAMES[0], "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]);
}

fn request(path: &str, told: &str, timeout: &str) -> http::Request<tonic::body::Body> {
    let builder = http::Request::post(format!("http://auric{path}")).header("content-type", "application/grpc");
    let builder = builder.header(TOLD, told);
    // An empty message: no compression, length 0.
    let body = tonic::body::Body::new("\0\0\0\0\0".to_owned());
    builder.header("grpc-timeout", timeout).body(body).unwrap()
}

fn problem_of(response: &http::Response<tonic::body::Body>) -> Option<Problem> {
    Status::from_header_map(response.headers()).map(|status| Problem::from_status(&status))
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_leaves_the_outcome_unknown() {
    let told = Told { entered: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) };
    let mut gated = Gate::new(Arc::new(Door::open()), 1).layer(routes(&told));
    let asked = gated.call(request("/auric.bench.v1.EchoService/Echo", "never", "250m"));
    let problem = problem_of(&asked.await.unwrap()).unwrap();
    assert_eq!(problem.code, Code::DeadlineExceeded);
    assert_eq!(problem.metadata["timeout_ms"], "250");
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once_and_health_is_not() {
    let told = Told { entered: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) };
    let gate = Gate::new(Arc::new(Door::open()), 1);
    let mut gated = gate.layer(routes(&told));
    let waiting = gated.call(request("/auric.bench.v1.EchoService/Echo", "wait", "1M"));
    assert_eq!(gate.in_flight(), 1);

    let refused = gated.call(request("/auric.bench.v1.EchoService/Echo", "", "1M")).await.unwrap();
    let problem = problem_of(&refused).unwrap();
    assert_eq!((problem.code, problem.reason.as_str()), (Code::ResourceExhausted, "QUEUE_FULL"));
    assert!(problem.retry_after.is_some());
    let health = gated.call(request("/grpc.health.v1.Health/Check", "", "1M")).await.unwrap();
    assert_ne!(problem_of(&health).map(|problem| problem.code), Some(Code::ResourceExhausted));

    told.leave.add_permits(1);
    assert!(problem_of(&waiting.await.unwrap()).is_none());
    assert_eq!(gate.in_flight(), 0);
}
