//! A gateway of its own for every law, on either store, before a wallet that remembers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auric_db::{Database, PostgresSettings};
use auric_gateway::config::{GatewayConfig, ProviderConfig, Secrets, WorkerConfig};
use auric_gateway::domain::{Payment, Products, Secret};
use auric_gateway::store::{self, Inbox, Kept, ListQuery, State};
use auric_gateway::{Handlers, Telling, Wallet, WalletFault, catalog, http};
use auric_ids::{IdempotencyKey, ProviderId};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_time::{Clock, SystemClock, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::signer;

/// The secret in use, and the one that it replaces.
pub const SECRETS: [&str; 2] = ["whsec_new", "whsec_old"];

/// How long something may take that happens by itself.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A migrated, empty inbox.
pub enum Place {
    Sqlite { inbox: Arc<dyn Inbox>, _file: SqliteDatabase },
    Postgres(Box<PostgresDatabase>),
}

impl Place {
    pub async fn sqlite() -> Self {
        let file = SqliteDatabase::create().unwrap();
        let database = Database::Sqlite(auric_db::SqliteDatabase::open(&file.path()).await.unwrap());
        auric_db::migrate(&database, store::migrator(&database)).await.unwrap();
        Self::Sqlite { inbox: store::on(database, Arc::new(SystemClock)), _file: file }
    }

    pub async fn postgres() -> Self {
        Self::Postgres(Box::new(PostgresDatabase::create(store::postgres_migrator()).await.unwrap()))
    }

    /// The inbox as another copy sees it. On SQLite all copies are one process.
    pub async fn inbox(&self) -> Arc<dyn Inbox> {
        match self {
            Self::Sqlite { inbox, .. } => Arc::clone(inbox),
            Self::Postgres(database) => {
                let settings = PostgresSettings { connections_max: 8, ..Default::default() };
                let database = Database::connect(database.url(), settings).await.unwrap();
                store::on(database, Arc::new(SystemClock))
            }
        }
    }

    pub const fn copies(&self) -> usize {
        match self {
            Self::Sqlite { .. } => 1,
            Self::Postgres(_) => 3,
        }
    }

    /// A copy of the gateway that works.
    pub async fn copy(&self, wallet: &Arc<FakeWallet>) -> Arc<Handlers> {
        let copy = self.idle_copy(wallet).await;
        copy.begin_to_work();
        copy
    }

    /// A copy that takes events and applies none.
    pub async fn idle_copy(&self, wallet: &Arc<FakeWallet>) -> Arc<Handlers> {
        let wallet: Arc<dyn Wallet> = Arc::<FakeWallet>::clone(wallet);
        let worker = WorkerConfig {
            lease: Duration::from_secs(2),
            poll: Duration::from_millis(20),
            backoff_max: Duration::from_millis(50),
            ..WorkerConfig::default()
        };
        let providers = config().providers().unwrap();
        Arc::new(Handlers::new(self.inbox().await, wallet, providers, products()).with_worker(worker))
    }
}

pub fn products() -> Products {
    catalog::load(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game")).unwrap()
}

fn config() -> GatewayConfig {
    let wallet = auric_client::ClientConfig::new("http://127.0.0.1:1");
    let secrets = || Secrets(SECRETS.iter().filter_map(|secret| Secret::new(secret)).collect());
    let provider = |name: &str| {
        (ProviderId::parse(name).unwrap(), ProviderConfig { secrets: secrets(), ..ProviderConfig::default() })
    };
    let providers = BTreeMap::from([provider("stripe"), provider("shop")]);
    GatewayConfig { providers, ..GatewayConfig::new("", "", wallet) }
}

/// A wallet that keeps what it is told under its key, and goes away when it is told to.
#[derive(Debug, Default)]
pub struct FakeWallet {
    pub is_away: AtomicBool,
    /// Does what it is told, and says that it did not hear.
    pub is_mute: AtomicBool,
    told: Mutex<BTreeMap<IdempotencyKey, Payment>>,
    refuses: Mutex<Option<String>>,
}

impl FakeWallet {
    pub fn told(&self) -> Vec<Payment> {
        self.told.lock().unwrap().values().cloned().collect()
    }

    pub fn refuse(&self, why: Option<&str>) {
        *self.refuses.lock().unwrap() = why.map(ToOwned::to_owned);
    }
}

#[async_trait]
impl Wallet for FakeWallet {
    async fn record(&self, telling: &Telling) -> Result<(), WalletFault> {
        if self.is_away.load(SeqCst) {
            return Err(WalletFault::Away("nobody answers".to_owned()));
        }
        if let Some(why) = self.refuses.lock().unwrap().clone() {
            return Err(WalletFault::Refused(why));
        }
        let before = self.told.lock().unwrap().insert(telling.key.clone(), telling.payment.clone());
        assert!(before.is_none_or(|before| before == telling.payment), "{} was told two things", telling.key);
        if self.is_mute.load(SeqCst) {
            return Err(WalletFault::Away("the answer was lost".to_owned()));
        }
        Ok(())
    }
}

pub fn now_seconds() -> i64 {
    SystemClock.now().seconds_and_nanos().0
}

/// Signs and hands over an event of Stripe, past HTTP.
pub async fn send(copy: &Handlers, body: &str) {
    let header = signer::stripe(SECRETS[0], now_seconds(), body.as_bytes());
    let claim = copy.claim("stripe", Some(header.as_bytes())).unwrap();
    copy.accept(claim, body.as_bytes().to_vec(), String::new()).await.unwrap();
}

/// Looks until there is something to see.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < WAIT_MAX, "{what} took too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All events, once none of them waits.
pub async fn settled(copy: &Handlers) -> Vec<Kept> {
    wait_for("the inbox", || async {
        let events = everything(copy).await;
        events.iter().all(|event| event.state != State::Received).then_some(events)
    })
    .await
}

pub async fn everything(copy: &Handlers) -> Vec<Kept> {
    let query = ListQuery { state: None, provider: None, reason: None, after: None, limit: 10_000 };
    copy.list(&query).await.unwrap()
}

/// The public door on a port of its own; closed when it is dropped.
pub struct Door {
    pub address: SocketAddr,
    stop: CancellationToken,
    _tasks: TaskTracker,
}

impl Door {
    pub async fn open(copy: &Arc<Handlers>) -> Self {
        let listener = http::listen("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        let (address, stop, tasks) = (listener.local_addr().unwrap(), CancellationToken::new(), TaskTracker::new());
        let serving = http::serve(listener, http::router(Arc::clone(copy)), || None, stop.clone(), WAIT_MAX);
        tasks.spawn(serving);
        Self { address, stop, _tasks: tasks }
    }

    /// Sends the bytes of a request, and reads the status and the body of its answer.
    pub async fn send(&self, request: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // Whoever refuses early does not read to the end.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), body)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A clock that stands where it is put.
#[derive(Debug)]
pub struct Stopped(pub i64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0 * 1_000_000)
    }
}

/// Makes a test of each law for each store.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law($crate::harness::Place::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law($crate::harness::Place::postgres().await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
