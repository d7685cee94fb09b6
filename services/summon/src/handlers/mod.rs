//! What the service does with a request: BEGIN and DECIDE go through lanes, operations through their driver, reads to the store.

mod batch;
mod catalogs;
mod fairness;
mod figures;
mod jobs;
mod line;
mod news;
mod odds;
mod read;
mod reload;
mod summon;

use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_events::{Feed, Pruned};
use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_lanes::{LaneSettings, LaneStats, Lanes};
use auric_twophase::store::Operations;
use auric_twophase::{Driver, Participant, Settings};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::{Banners, Verdict, Work};
use crate::store::SummonStore;

pub use fairness::{FairnessView, Proof};
pub use jobs::roster;
pub(crate) use line::log_malformed;
pub use odds::{Manner, Progress};
pub use read::{Page, PityView, TierView};
pub use reload::{ReloadError, keep as keep_catalog};
pub use summon::{Failed, Summoned};

/// Everything that one copy of the service does.
pub struct Handlers {
    store: Arc<dyn SummonStore>,
    catalogs: Arc<catalogs::Shelf>,
    lanes: Arc<Lanes<Work, Verdict>>,
    driver: Arc<Driver>,
    feed: Feed,
    settings: Settings,
    /// Odds and simulations that are computed at once.
    heavy: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handlers").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What a copy is started with.
pub struct Start {
    /// Where summons are kept.
    pub store: Arc<dyn SummonStore>,
    /// Their operations, in the same database.
    pub operations: Operations,
    /// The catalog in force.
    pub banners: Banners,
    /// The services that a summon is made of.
    pub participants: Vec<Arc<dyn Participant>>,
    /// The bounds of the lanes.
    pub lanes: LaneSettings,
    /// The bounds of the operations.
    pub settings: Settings,
}

impl Handlers {
    /// Starts the lanes, and takes up what others left.
    #[must_use]
    pub fn start(start: Start) -> Self {
        let Start { store, operations, banners, participants, lanes, settings } = start;
        let catalogs = Arc::new(catalogs::Shelf::new(banners));
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let feed = Feed::new("summon", store.outbox(), closing.clone());
        let ledger = batch::Ledger {
            store: Arc::clone(&store),
            catalogs: Arc::clone(&catalogs),
            feed: feed.clone(),
            lane_offset: rand::random(),
        };
        let lanes = Arc::new(Lanes::start(ledger, lanes, &mut rand::rng()));
        let coordinator = Arc::new(summon::Coordinator { lanes: Arc::clone(&lanes) });
        let driver = Driver::start(coordinator, participants, operations, settings);
        let heavy = Arc::new(Semaphore::new(odds::AT_ONCE_MAX));
        Self { store, catalogs, lanes, driver, feed, settings, heavy, tasks, closing }
    }

    /// The banners in force.
    #[must_use]
    pub fn banners(&self) -> Arc<Banners> {
        self.catalogs.current()
    }

    /// The same, keeping events for `keep` at least.
    #[must_use]
    pub fn keeping_events(self, keep: Duration) -> Self {
        Self { feed: self.feed.keeping(keep), ..self }
    }

    /// What happened, for others to follow.
    #[must_use]
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Deletes up to `rows_max` batches of events that are older than they are kept, in one short transaction: to be called from time to time,
    /// again while [`Pruned::more`]. Nothing else deletes events.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it may be called again.
    pub async fn prune_events(&self, rows_max: u32) -> Result<Pruned, StoreError> {
        self.feed.prune(rows_max).await
    }

    /// What each lane has done since the start.
    #[must_use]
    pub fn lane_stats(&self) -> Vec<LaneStats> {
        self.lanes.stats()
    }

    /// The operations outside of batches.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        self.driver.operations()
    }

    /// Makes an operation due at once; tells whether it was there and not done.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn hasten(&self, player: &PlayerId, id: &OperationId) -> Result<bool, StoreError> {
        self.operations().hasten(player, id).await
    }

    /// Takes up what others left, and looks for what nobody knows of, at once; returns how many operations were taken up.
    ///
    /// # Errors
    ///
    /// What did not answer; it goes on by itself later.
    pub async fn recover(&self) -> Result<u32, String> {
        self.driver.rouse().await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Ends the streams that are open, so that they do not hold up a drain.
    pub fn end_streams(&self) {
        self.closing.cancel();
    }

    /// Whether streams are to end.
    fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Ends what is under way as far as it goes, takes nothing new, and lets go of the database.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.driver.close().await;
        if let Err(late) = self.lanes.drain().await {
            tracing::warn!(%late, "not everything was answered: {late}");
        }
        self.store.close().await;
    }

    /// Reads the newest attempt under a key, or a named operation.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn find(&self, which: &Which) -> Result<Option<auric_twophase::Operation>, StoreError> {
        match which {
            Which::Key(key) => self.operations().of_key(key).await,
            Which::Operation(player, id) => self.operations().get(player, id).await,
        }
    }
}

/// How a summon is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its key.
    Key(MutationKey),
    /// By its player and its operation.
    Operation(PlayerId, OperationId),
}
