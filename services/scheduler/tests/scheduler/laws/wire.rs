//! What callers get by gRPC, from a whole service.

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::scheduler_service_client::SchedulerServiceClient;
use auric_client::ClientConfig;
use auric_scheduler::{Scheduler, SchedulerConfig, TargetConfig, migrate};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;

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
