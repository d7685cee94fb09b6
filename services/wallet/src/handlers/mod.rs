//! What the wallet does with a request: mutations go through lanes, reads go to the store.

mod figures;
mod jobs;
mod line;
mod mutate;
mod read;
mod reload;
mod report;
mod sweep;
mod tally;
mod told;
mod trace;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auric_db::StoreError;
use auric_events::{Feed, Pruned};
use auric_ids::RetailTokenId;
use auric_lanes::{LaneSettings, LaneStats, Lanes};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::Rules;
use crate::store::WalletStore;

pub use jobs::roster;
pub(crate) use line::log_malformed;
pub use read::{Balances, Page, Supply};
pub use reload::{ReloadError, keep as keep_catalog};
pub use sweep::Swept;
pub use tally::Answers;
pub use told::Thing;
pub use verify::{AuditFault, FaultKind, Progress};

/// The wallet's operations.
pub struct Handlers {
    store: Arc<dyn WalletStore>,
    rules: Arc<ArcSwap<Rules>>,
    lanes: Lanes<mutate::Work, mutate::Done>,
    tally: tally::Tally,
    feed: Feed,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Handlers {
    /// Starts the lanes on an open store.
    #[must_use]
    pub fn start(store: Arc<dyn WalletStore>, rules: Rules, settings: LaneSettings) -> Self {
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let mut rng = rand::rng();
        let slot_offset = rng.random();
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let feed = Feed::new("wallet", store.outbox(), closing.clone());
        let ledger =
            mutate::Ledger { store: Arc::clone(&store), rules: Arc::clone(&rules), feed: feed.clone(), slot_offset };
        let lanes = Lanes::start(ledger, settings, &mut rng);
        Self { store, rules, lanes, tally: tally::Tally::default(), feed, tasks, closing }
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

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// What each lane has done since the start.
    #[must_use]
    pub fn lane_stats(&self) -> Vec<LaneStats> {
        self.lanes.stats()
    }

    /// What was answered since the start.
    #[must_use]
    pub fn answers(&self) -> Answers {
        self.tally.read()
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Ends the streams, so that they do not hold up a drain: what they have not sent is taken up again by number.
    pub fn end_streams(&self) {
        self.closing.cancel();
    }

    /// Answers what is under way, takes nothing new, and lets go of the database.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if let Err(late) = self.lanes.drain().await {
            tracing::warn!(error = %late, "mutations in flight were given up; their outcome is found by key");
        }
        self.tasks.wait().await;
        self.store.close().await;
    }

    /// Waits until the wallet is about to stop.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closing.clone().cancelled_owned()
    }

    /// Whether the wallet is about to stop.
    fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }
}

/// Draws a retail token that nobody can guess: 128 bits.
pub(crate) fn draw_retail_token() -> RetailTokenId {
    let bits: [u8; 16] = rand::rng().random();
    #[expect(clippy::expect_used, reason = "hexadecimal digits are a token")]
    hex::encode(bits).parse().expect("hexadecimal digits are a token")
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handlers").field("store", &self.store).finish_non_exhaustive()
    }
}
