//! What the wallet does with a request: mutations go through lanes, reads go to the store.

mod mutate;
mod read;

use std::sync::Arc;

use arc_swap::ArcSwap;
use auric_db::StoreError;
use auric_lanes::{LaneSettings, LaneStats, Lanes};

use crate::domain::{Mutation, Rules, Verdict};
use crate::store::WalletStore;

/// The wallet's operations.
pub struct Handlers {
    store: Arc<dyn WalletStore>,
    rules: Arc<ArcSwap<Rules>>,
    lanes: Lanes<Mutation, Verdict>,
}

impl Handlers {
    /// Starts the lanes on an open store.
    #[must_use]
    pub fn start(store: Arc<dyn WalletStore>, rules: Rules, settings: LaneSettings) -> Self {
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let batcher = mutate::Ledger { store: Arc::clone(&store), rules: Arc::clone(&rules) };
        Self { lanes: Lanes::start(batcher, settings, &mut rand::rng()), store, rules }
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

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Answers what is under way, takes nothing new, and lets go of the database.
    pub async fn close(&self) {
        if let Err(late) = self.lanes.drain().await {
            tracing::warn!(error = %late, "mutations in flight were given up; their outcome is found by key");
        }
        self.store.close().await;
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handlers").field("store", &self.store).finish_non_exhaustive()
    }
}
