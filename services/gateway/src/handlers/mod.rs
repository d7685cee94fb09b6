//! What the gateway does: takes events in, applies them through the wallet, and shows what waits.

mod accept;
mod apply;
mod figures;
mod line;
mod reload;
mod worker;

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auric_db::StoreError;
use auric_ids::{IdempotencyKey, ProviderId};
use auric_time::Clock;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::WorkerConfig;
use crate::domain::{Payment, Products};
use crate::payments::Providers;
use crate::store::{Count, EventName, Inbox, Kept, ListQuery, Replay};

pub use accept::{Claim, Refusal};

/// Parked events that one request replays.
pub const REPLAYS_MAX: u32 = 1_000;

/// The wallet, as far as the gateway needs it.
#[async_trait]
pub trait Wallet: Send + Sync + std::fmt::Debug {
    /// Tells the wallet of a payment; the same key and payment are told once, however often they are sent.
    async fn record(&self, telling: &Telling) -> Result<(), WalletFault>;
}

/// What the wallet is told.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The key, made from the event's name.
    pub key: IdempotencyKey,
    /// Which event tells it.
    pub name: EventName,
    /// What it tells.
    pub payment: Payment,
}

/// Why the wallet does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletFault {
    /// It will say the same the next time: a person must look.
    Refused(String),
    /// It may say something else the next time; whether it has it is unknown.
    Away(String),
}

/// Everything that one copy of the gateway does.
#[derive(Debug)]
pub struct Handlers {
    inbox: Arc<dyn Inbox>,
    wallet: Arc<dyn Wallet>,
    clock: Arc<dyn Clock>,
    providers: Providers,
    products: ArcSwap<Products>,
    worker: WorkerConfig,
    /// Told when something may be due.
    arrived: Notify,
    counts: ArcSwap<Vec<Count>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Handlers {
    /// Begins; nothing is applied before [`Self::begin_to_work`].
    pub fn new(inbox: Arc<dyn Inbox>, wallet: Arc<dyn Wallet>, providers: Providers, products: Products) -> Self {
        Self {
            inbox,
            wallet,
            clock: Arc::new(auric_time::SystemClock),
            providers,
            products: ArcSwap::from_pointee(products),
            worker: WorkerConfig::default(),
            arrived: Notify::new(),
            counts: ArcSwap::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Sets how events are applied.
    #[must_use]
    pub fn with_worker(self, worker: WorkerConfig) -> Self {
        Self { worker, ..self }
    }

    /// Sets the clock that signatures are held against.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The products in force.
    pub fn products(&self) -> Arc<Products> {
        self.products.load_full()
    }

    /// Reads events, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<Kept>, StoreError> {
        self.inbox.list(query).await
    }

    /// Reads one event, and its bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn get(&self, name: &EventName) -> Result<Option<(Kept, Vec<u8>)>, StoreError> {
        self.inbox.get(name).await
    }

    /// Counts what waits and what is parked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<Vec<Count>, StoreError> {
        self.inbox.counts().await
    }

    /// Sends parked events on their way again; tells how many, and whether more may be left.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn replay(&self, which: &Replay) -> Result<(u64, bool), StoreError> {
        let replayed = self.inbox.replay(which, REPLAYS_MAX).await?;
        self.arrived.notify_one();
        tracing::info!(replayed, "{replayed} parked events are on their way again");
        Ok((replayed, replayed == u64::from(REPLAYS_MAX)))
    }

    /// Whether the inbox answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inbox.ping().await
    }

    /// Takes nothing up any more, ends what is being applied, and lets go of the inbox.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.inbox.close().await;
    }
}

/// Makes the key of an event: the same for every copy and every attempt.
///
/// # Errors
///
/// Never in practice: names are visible ASCII, and what is too long is hashed.
pub fn key_of(provider: &ProviderId, event: &str) -> Result<IdempotencyKey, auric_ids::IdError> {
    IdempotencyKey::parse(&format!("{provider}:{event}")).or_else(|_| {
        let hash = hex::encode(Sha256::digest(event.as_bytes()));
        IdempotencyKey::parse(&format!("{provider}:sha256:{hash}"))
    })
}
