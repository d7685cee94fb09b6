//! A target that does what its firings tell it, once a key, and remembers every call.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_server::{JobHandlerService, JobHandlerServiceServer};
use auric_time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How long something may take that happens by itself.
const WAIT_MAX: Duration = Duration::from_secs(90);

/// How much earlier than its time a firing may come: clocks of one machine are read one after the other.
const EARLY_MICROS_MAX: u64 = 20_000;

/// A target that listens; gone when it is dropped.
pub struct Recorder {
    address: SocketAddr,
    noted: Arc<Noted>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Noted {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Default)]
struct Book {
    /// How often each key came.
    calls: HashMap<String, u32>,
    /// What was done, once a key.
    effects: HashSet<String>,
    /// Keys that came before their time.
    early: Vec<String>,
    /// Whether what hangs goes on, and what is rejected is done.
    is_mended: bool,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let noted = Arc::new(Noted::default());
        let service = JobHandlerServiceServer::from_arc(Arc::clone(&noted));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            // It ends with the runtime at the latest.
            drop(Server::builder().add_service(service).serve_with_incoming(incoming).await);
        });
        Self { address, noted, _server: server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets go on what hangs, and does from now on what was rejected.
    pub fn mend(&self) {
        self.noted.book().is_mended = true;
        self.noted.changed.notify_waiters();
    }

    /// Keys whose effect there is.
    pub fn effects(&self) -> HashSet<String> {
        self.noted.book().effects.clone()
    }

    /// Every key that came, with how often.
    pub fn calls(&self) -> HashMap<String, u32> {
        self.noted.book().calls.clone()
    }

    /// Keys that came before their time.
    pub fn early(&self) -> Vec<String> {
        self.noted.book().early.clone()
    }

    /// Waits until the calls are as a test wants them.
    pub async fn wait_until(&self, what: &str, is_so: impl Fn(&HashMap<String, u32>) -> bool) {
        let waiting = async {
            loop {
                let changed = self.noted.changed.notified();
                tokio::pin!(changed);
                // Before the test, so that nothing is missed in between.
                changed.as_mut().enable();
                if is_so(&self.noted.book().calls) {
                    return;
                }
                changed.await;
            }
        };
        let late = tokio::time::timeout(WAIT_MAX, waiting).await;
        assert!(late.is_ok(), "{what} did not happen; {} keys came", self.noted.book().calls.len());
    }
}

impl Noted {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panicked")
    }

    async fn run(&self, firing: &api::RunFiring) -> api::RunResult {
        self.note(firing);
        let says: Value = serde_json::from_slice(&firing.payload).unwrap_or(Value::Null);
        if let Some(slow_ms) = says["slow_ms"].as_u64() {
            tokio::time::sleep(Duration::from_millis(slow_ms)).await;
        }
        if says["hangs"] == true && firing.attempt == 1 {
            self.mended().await;
        }
        let is_mended = self.book().is_mended;
        let (outcome, message) = if says["rejects"] == true && !is_mended {
            (api::RunOutcome::Rejected, "it will never be done".to_owned())
        } else if says["fails"].as_i64().is_some_and(|fails| i64::from(firing.attempt) <= fails) {
            (api::RunOutcome::Failed, "not yet".to_owned())
        } else {
            self.book().effects.insert(firing.key.clone());
            (api::RunOutcome::Done, format!("done at attempt {}", firing.attempt))
        };
        api::RunResult { key: firing.key.clone(), outcome: outcome.into(), message }
    }

    fn note(&self, firing: &api::RunFiring) {
        let time = firing.scheduled_for.unwrap_or_default();
        let due = Timestamp::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000);
        let mut book = self.book();
        if due.micros_since(SystemClock.now()) > EARLY_MICROS_MAX {
            book.early.push(firing.key.clone());
        }
        *book.calls.entry(firing.key.clone()).or_default() += 1;
        drop(book);
        self.changed.notify_waiters();
    }

    async fn mended(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.book().is_mended {
                return;
            }
            changed.await;
        }
    }
}

#[tonic::async_trait]
impl JobHandlerService for Noted {
    async fn run_batch(
        &self,
        request: Request<api::RunBatchRequest>,
    ) -> Result<Response<api::RunBatchResponse>, Status> {
        let firings = request.into_inner().firings;
        let results = futures::future::join_all(firings.iter().map(|firing| self.run(firing))).await;
        Ok(Response::new(api::RunBatchResponse { results }))
    }
}
