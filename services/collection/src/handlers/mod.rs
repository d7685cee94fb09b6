//! What the collection does with a request: what changes something goes through lanes, reads go to the store.

mod figures;
mod jobs;
mod line;
mod mutate;
mod operate;
mod operation_line;
mod read;
mod reload;
mod stamps;
mod trace;
mod views;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auric_db::StoreError;
use auric_events::{Feed, Pruned};
use auric_lanes::{LaneSettings, LaneStats, Lanes};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::{Done, Rules, Work};
use crate::store::CollectionStore;

pub use jobs::roster;
pub(crate) use line::log_malformed;
pub use operate::{Coordination, Failed, Operated};
pub use read::Page;
pub use reload::{ReloadError, keep as keep_catalog};
pub use views::{CachedView, VIEWS_ROWS_MAX};

/// The collection's operations.
pub struct Handlers {
    store: Arc<dyn CollectionStore>,
    rules: Arc<ArcSwap<Rules>>,
    lanes: Arc<Lanes<Work, Done>>,
    /// Absent in a copy that was told of no wallet: it takes part in operations of others only.
    coordinating: Option<operate::Coordinating>,
    views: views::Views,
    stamps: stamps::Stamps,
    feed: Feed,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Handlers {
    /// Starts the lanes on an open store, and takes up the operations that others left where it coordinates some.
    #[must_use]
    pub fn start(
        store: Arc<dyn CollectionStore>,
        rules: Rules,
        settings: LaneSettings,
        coordination: Option<Coordination>,
    ) -> Self {
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let feed = Feed::new("collection", store.outbox(), closing.clone());
        let shelf = mutate::Shelf {
            store: Arc::clone(&store),
            rules: Arc::clone(&rules),
            feed: feed.clone(),
            lane_offset: rand::random(),
        };
        let lanes = Arc::new(Lanes::start(shelf, settings, &mut rand::rng()));
        let coordinating = coordination.map(|coordination| operate::Coordinating::start(coordination, &lanes));
        let stamps = stamps::Stamps::new(Arc::clone(&store), tasks.clone());
        Self { store, rules, lanes, coordinating, views: views::Views::default(), stamps, feed, tasks, closing }
    }

    /// The same, keeping at most so many rows in memory for readers; 0 keeps none.
    #[must_use]
    pub fn keeping(self, views_rows_max: usize) -> Self {
        Self { views: views::Views::of_at_most(views_rows_max), ..self }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
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

    /// Takes up what others left, and looks for what nobody knows of, at once; returns how many operations were taken up.
    ///
    /// # Errors
    ///
    /// What did not answer; it goes on by itself later. A copy that was told of no wallet coordinates nothing.
    pub async fn recover(&self) -> Result<u32, String> {
        match &self.coordinating {
            Some(coordinating) => coordinating.driver.rouse().await,
            None => Err("this copy was told of no wallet, and coordinates nothing".to_owned()),
        }
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Ends the streams, so that they do not hold up a drain: they are taken up again by version.
    pub fn end_streams(&self) {
        self.closing.cancel();
    }

    /// Answers what is under way, takes nothing new, and lets go of the database.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if let Some(coordinating) = &self.coordinating {
            coordinating.driver.close().await;
        }
        if let Err(late) = self.lanes.drain().await {
            tracing::warn!(error = %late, "requests in flight were given up; their coordinators ask again");
        }
        self.tasks.wait().await;
        self.store.close().await;
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handlers").field("store", &self.store).finish_non_exhaustive()
    }
}
