//! What callers get by gRPC, from a whole service.

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_client::JobHandlerServiceClient;
use auric_api::scheduler::v1::scheduler_service_client::SchedulerServiceClient;
use auric_client::ClientConfig;
use auric_scheduler::{Scheduler, SchedulerConfig, TargetConfig, migrate};
use auric_status::Problem;
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Code, Request, Status};

use crate::harness::eventually;

/// A whole service that is its own target.
struct Served {
    scheduler: Scheduler,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Served {
    async fn on(database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let own = TargetConfig::new(ClientConfig::new(&format!("http://{address}")));
        let mut config = SchedulerConfig::new(database);
        config.targets.insert("scheduler".parse().unwrap(), own);
        migrate(database).await.unwrap();
        let scheduler = Scheduler::open(&config).await.unwrap();
        let stop = CancellationToken::new();
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serving = Server::builder().add_routes(scheduler.routes());
        let until = stop.clone().cancelled_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serving.serve_with_incoming_shutdown(incoming, until).await.unwrap() });
        Self { scheduler, stop, serving: tasks }
    }

    fn client(&self) -> SchedulerServiceClient<Routes> {
        SchedulerServiceClient::new(self.scheduler.routes())
    }

    async fn close(self) {
        self.scheduler.close().await;
        self.stop.cancel();
        self.serving.join_all().await;
    }
}

fn record_every_second() -> api::JobSpec {
    let every = prost_types::Duration { seconds: 1, nanos: 0 };
    api::JobSpec {
        schedule: Some(api::job_spec::Schedule::Interval(api::IntervalSchedule { every: Some(every), anchor: None })),
        target: "scheduler".to_owned(),
        handler: "record".to_owned(),
        payload: b"{}".to_vec(),
        ..api::JobSpec::default()
    }
}

async fn fires_over_grpc(database: &str) {
    let served = Served::on(database).await;
    let mut client = served.client();
    let create = api::CreateJobRequest {
        idempotency_key: "make-it".to_owned(),
        job_id: "tick".to_owned(),
        group: "clock".to_owned(),
        spec: Some(record_every_second()),
        paused: false,
    };
    let made = client.create_job(create.clone()).await.unwrap().into_inner().job.unwrap();
    assert_eq!((made.version, made.paused, made.ended), (1, false, false));
    let again = client.create_job(create).await.unwrap();
    assert!(again.metadata().contains_key("auric-replayed"));
    assert_eq!(again.into_inner().job.unwrap(), made, "the same answer");
    let done = eventually("two firings done", || {
        let mut client = client.clone();
        async move {
            let request = api::ListFiringsRequest {
                job_id: "tick".to_owned(),
                state: api::FiringState::Done.into(),
                ..api::ListFiringsRequest::default()
            };
            let firings = client.list_firings(request).await.unwrap().into_inner().firings;
            (firings.len() >= 2).then_some(firings)
        }
    });
    let done = done.await;
    assert!(done[0].key.starts_with(&format!("tick@{}@", made.incarnation)), "{}", done[0].key);
    let status = client.get_scheduler_status(api::GetSchedulerStatusRequest {}).await.unwrap();
    let status = status.into_inner().status.unwrap();
    assert_eq!((status.jobs, status.dead_letters, status.calls_max), (1, 0, 10));
    served.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_fires_over_grpc_on_sqlite() {
    let file = SqliteDatabase::create().unwrap();
    fires_over_grpc(&format!("sqlite://{}", file.path().display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_fires_over_grpc_on_postgres() {
    let database = PostgresDatabase::empty().await.unwrap();
    fires_over_grpc(database.url()).await;
}

fn bad_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    Problem::from_status(status).bad_fields.into_iter().map(|field| field.path).collect()
}

/// A whole service on a file, called without a network.
async fn on_a_file() -> (Scheduler, SqliteDatabase) {
    let file = SqliteDatabase::create().unwrap();
    let mut config = SchedulerConfig::new(format!("sqlite://{}", file.path().display()));
    let nowhere = TargetConfig::new(ClientConfig::new("http://127.0.0.1:1"));
    config.targets.insert("scheduler".parse().unwrap(), nowhere);
    migrate(&config.database).await.unwrap();
    (Scheduler::open(&config).await.unwrap(), file)
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let (scheduler, _file) = on_a_file().await;
    let mut client = SchedulerServiceClient::new(scheduler.routes());
    let bad = client.create_job(api::CreateJobRequest::default()).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["idempotency_key", "job_id", "spec"]);
    let spec = api::JobSpec {
        schedule: Some(api::job_spec::Schedule::Interval(api::IntervalSchedule::default())),
        misfire: Some(api::Misfire { firings_max: -1, policy: 9, ..api::Misfire::default() }),
        overlap: 7,
        jitter: Some(prost_types::Duration { seconds: 0, nanos: 1 }),
        retry: Some(api::RetryPolicy { attempts_max: -5, ..api::RetryPolicy::default() }),
        deadline: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
        target: "No Target".to_owned(),
        handler: String::new(),
        payload: Vec::new(),
    };
    let create = |spec: api::JobSpec, key: &str| api::CreateJobRequest {
        idempotency_key: key.to_owned(),
        job_id: "job".to_owned(),
        spec: Some(spec),
        ..api::CreateJobRequest::default()
    };
    let bad = client.create_job(create(spec, "a")).await.unwrap_err();
    let named = [
        "spec.interval.every",
        "spec.misfire.policy",
        "spec.misfire.firings_max",
        "spec.overlap",
        "spec.jitter",
        "spec.retry.attempts_max",
        "spec.deadline",
        "spec.target",
        "spec.handler",
    ];
    assert_eq!(bad_fields(&bad), named);
    let never = api::CronSchedule { expression: "0 0 30 2 *".to_owned(), time_zone: String::new() };
    let spec = api::JobSpec {
        schedule: Some(api::job_spec::Schedule::Cron(never)),
        retry: Some(api::RetryPolicy { attempts_max: 101, ..api::RetryPolicy::default() }),
        payload: vec![0; 16_385],
        target: "nobody".to_owned(),
        ..record_every_second()
    };
    let bad = client.create_job(create(spec, "b")).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["spec.target", "spec.retry.attempts_max", "spec.payload", "spec.cron.expression"]);
    // A key that was refused like that is still unused.
    client.create_job(create(record_every_second(), "b")).await.unwrap();
    let bad = client.replay_dead_letter(api::ReplayDeadLetterRequest::default()).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["idempotency_key", "key"]);
    let list = api::ListFiringsRequest { state: 77, page_size: 501, ..api::ListFiringsRequest::default() };
    assert_eq!(bad_fields(&client.list_firings(list).await.unwrap_err()), ["job_id", "state", "page_size"]);
    scheduler.close().await;
}

#[tokio::test]
async fn every_reason_says_what_it_is_about() {
    let (scheduler, _file) = on_a_file().await;
    let mut client = SchedulerServiceClient::new(scheduler.routes());
    let problem = |status: &Status| {
        let problem = Problem::from_status(status);
        (status.code(), problem.reason, problem.metadata)
    };
    let get = api::GetJobRequest { job_id: "none".to_owned() };
    let (code, reason, about) = problem(&client.get_job(get).await.unwrap_err());
    assert_eq!((code, reason.as_str(), about["job_id"].as_str()), (Code::NotFound, "JOB_NOT_FOUND", "none"));
    let key = "none@00000000000000ff@2026-01-01T00:00:00.000000Z".to_owned();
    let discard = api::DiscardDeadLetterRequest { idempotency_key: "d".to_owned(), key: key.clone() };
    let (code, reason, about) = problem(&client.discard_dead_letter(discard).await.unwrap_err());
    assert_eq!((code, reason.as_str(), &about["key"]), (Code::NotFound, "DEAD_LETTER_NOT_FOUND", &key));
    let mut handler = JobHandlerServiceClient::new(scheduler.routes());
    let firing = api::RunFiring { key: "k".to_owned(), ..api::RunFiring::default() };
    let run = api::RunBatchRequest { handler: "dance".to_owned(), firings: vec![firing.clone()] };
    let (code, reason, about) = problem(&handler.run_batch(run).await.unwrap_err());
    assert_eq!((code, reason.as_str(), about["handlers"].as_str()), (Code::NotFound, "HANDLER_NOT_FOUND", "record"));
    let run = api::RunBatchRequest { handler: "record".to_owned(), firings: vec![firing.clone(), firing] };
    let results = handler.run_batch(run).await.unwrap().into_inner().results;
    assert!(results.iter().all(|result| result.outcome() == api::RunOutcome::Done), "once by key, and done each time");
    scheduler.close().await;
}

/// R-T3: the caller's key is all the name that something needs which is to be tried until it is done.
#[tokio::test]
async fn what_is_enqueued_is_one_job_by_caller_and_key() {
    fn by<T>(caller: &'static str, request: T) -> Request<T> {
        let mut request = Request::new(request);
        request.metadata_mut().insert("auric-caller", caller.parse().unwrap());
        request
    }
    let (scheduler, _file) = on_a_file().await;
    let mut client = SchedulerServiceClient::new(scheduler.routes());
    let enqueue = |payload: &[u8]| api::EnqueueRetryRequest {
        idempotency_key: "order-66".to_owned(),
        target: "scheduler".to_owned(),
        handler: "record".to_owned(),
        payload: payload.to_vec(),
        delay: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        ..api::EnqueueRetryRequest::default()
    };
    let job = |response: tonic::Response<api::EnqueueRetryResponse>| response.into_inner().job.unwrap();
    let first = job(client.enqueue_retry(by("shop", enqueue(b"1"))).await.unwrap());
    let again = client.enqueue_retry(by("shop", enqueue(b"1"))).await.unwrap();
    assert!(again.metadata().contains_key("auric-replayed"));
    assert_eq!(job(again), first);
    let other = job(client.enqueue_retry(by("bot", enqueue(b"1"))).await.unwrap());
    assert_ne!(other.job_id, first.job_id, "another caller's key is another one");
    let reused = client.enqueue_retry(by("shop", enqueue(b"2"))).await.unwrap_err();
    let problem = Problem::from_status(&reused);
    assert_eq!((problem.reason.as_str(), problem.metadata["fields"].as_str()), ("IDEMPOTENCY_KEY_REUSED", "payload"));
    assert!(first.next_fire_time.is_some() && !first.ended);
    scheduler.close().await;
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing() {
    let (scheduler, _file) = on_a_file().await;
    let mut client = SchedulerServiceClient::new(scheduler.routes());
    let desired =
        |number: usize| api::DesiredJob { job_id: format!("job-{number:02}"), spec: Some(record_every_second()) };
    let ensure = api::EnsureJobsRequest {
        idempotency_key: "e".to_owned(),
        group: "pages".to_owned(),
        jobs: (0..23).map(desired).collect(),
    };
    client.ensure_jobs(ensure).await.unwrap();
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = api::ListJobsRequest { group: "pages".to_owned(), paused: Some(false), page_size: 5, page_token };
        let page = client.list_jobs(list).await.unwrap().into_inner();
        seen.extend(page.jobs.into_iter().map(|job| job.job_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let other = api::ListJobsRequest { page_token: page_token.clone(), ..api::ListJobsRequest::default() };
        assert_eq!(bad_fields(&client.list_jobs(other).await.unwrap_err()), ["page_token"]);
    }
    let all: Vec<String> = (0..23).map(|number| format!("job-{number:02}")).collect();
    assert_eq!(seen, all);
    scheduler.close().await;
}
