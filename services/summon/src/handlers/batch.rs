//! A batch is one transaction, decided in memory between its locks and its commit.

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::StoreError;
use auric_events::{Feed, outbox_lane};
use auric_lanes::{BatchError, Batcher, LaneId};

use super::catalogs::Shelf;
use crate::domain::{BatchKeys, Verdict, Work, decide, touch};
use crate::store::SummonStore;

/// What a lane does with a batch.
pub struct Ledger {
    pub store: Arc<dyn SummonStore>,
    pub catalogs: Arc<Shelf>,
    pub feed: Feed,
    /// What this copy adds to a lane's number, so that copies seldom write into the same lane of the outbox.
    pub lane_offset: u16,
}

#[async_trait]
impl Batcher for Ledger {
    type Work = Work;
    type Answer = Verdict;

    async fn run(&self, lane: LaneId, batch: &[Work]) -> Result<Vec<Verdict>, BatchError> {
        // One set of catalogs for the whole batch: a reload in the middle is seen by the next one.
        let volumes = self.catalogs.for_batch(self.store.as_ref(), batch).await.map_err(batch_error)?;
        let mut keys = BatchKeys::default();
        for work in batch {
            touch(&mut keys, work);
        }
        let (mut book, transaction) = self.store.open(&keys).await.map_err(batch_error)?;
        let verdicts = batch.iter().map(|work| decide(&mut book, volumes.as_ref(), work)).collect();
        let mut journal = book.into_journal();
        journal.lane = outbox_lane(self.lane_offset, lane.number());
        let news = journal.news.len();
        transaction.commit(journal).await.map_err(batch_error)?;
        self.feed.committed(news);
        Ok(verdicts)
    }
}

fn batch_error(error: StoreError) -> BatchError {
    match error {
        StoreError::Contended(..) => BatchError::Contended(error.into()),
        StoreError::Lost(_) => BatchError::Lost(error.into()),
        StoreError::Unavailable(_) => BatchError::Unavailable(error.into()),
        StoreError::Fault(_) | StoreError::Corrupt(_) => BatchError::Fault(error.into()),
    }
}
