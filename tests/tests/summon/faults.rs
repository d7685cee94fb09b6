//! The store of summons, whose writes break.

use std::sync::Arc;

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_events::Outbox;
use auric_ids::{BannerId, PityGroupId, PlayerId};
use auric_summon::domain::{BatchKeys, Book, Journal, LoggedPull};
use auric_summon::store::{PullRange, PullsWanted, SeedsView, SummonStore, SummonTx, View};
use auric_time::Timestamp;
use auric_twophase::Step;

pub use crate::operations::faults::*;

/// A store whose writes break.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn SummonStore>,
    faults: Arc<Faults>,
}

struct FaultyTx {
    inner: Box<dyn SummonTx>,
    is_lost: bool,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn SummonStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    /// The fault of a batch: of the first player in it whom one waits for.
    fn of_batch(&self, keys: &BatchKeys) -> Option<How> {
        let begun = keys.players.iter().filter(|player| keys.banners.iter().any(|(other, _)| other == *player));
        for player in begun {
            let decides = keys.log.operations.iter().any(|(other, _)| other == player);
            let step = if decides { Step::Decide } else { Step::Begin };
            if let Some(how) = self.faults.take(player, step, None) {
                return Some(how);
            }
        }
        None
    }
}

#[async_trait]
impl SummonStore for FaultyStore {
    async fn open(&self, keys: &BatchKeys) -> Result<(Book, Box<dyn SummonTx>), StoreError> {
        let how = self.of_batch(keys);
        if how == Some(How::WriteFails) {
            return Err(StoreError::Unavailable(broken()));
        }
        let (book, inner) = self.inner.open(keys).await?;
        Ok((book, Box::new(FaultyTx { inner, is_lost: how == Some(How::WriteUnknown) })))
    }

    async fn view(&self, player: &PlayerId, group: &PityGroupId, banner: &BannerId) -> Result<View, StoreError> {
        self.inner.view(player, group, banner).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.inner.now().await
    }

    async fn pulls(&self, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError> {
        self.inner.pulls(wanted, limit).await
    }

    async fn pulls_at(&self, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError> {
        self.inner.pulls_at(ranges).await
    }

    fn outbox(&self) -> Outbox {
        self.inner.outbox()
    }

    async fn seeds(&self, player: &PlayerId, before: Option<u64>, limit: u32) -> Result<SeedsView, StoreError> {
        self.inner.seeds(player, before, limit).await
    }

    async fn keep_catalog(&self, hash: CatalogHash, content: &str) -> Result<(), StoreError> {
        self.inner.keep_catalog(hash, content).await
    }

    async fn catalog(&self, hash: CatalogHash) -> Result<Option<String>, StoreError> {
        self.inner.catalog(hash).await
    }

    async fn newest_catalog(&self) -> Result<Option<String>, StoreError> {
        self.inner.newest_catalog().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl SummonTx for FaultyTx {
    async fn commit(self: Box<Self>, journal: Journal) -> Result<(), StoreError> {
        self.inner.commit(journal).await?;
        if self.is_lost { Err(StoreError::Lost(broken())) } else { Ok(()) }
    }
}
