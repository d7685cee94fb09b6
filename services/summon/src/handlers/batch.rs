//! A batch is one transaction, decided in memory between its locks and its commit.

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::StoreError;
use auric_lanes::{BatchError, Batcher, LaneId};

use super::catalogs::Shelf;
use crate::domain::{BatchKeys, Verdict, Work, decide, touch};
use crate::store::SummonStore;

/// What a lane does with a batch.
pub struct Ledger {
    pub store: Arc<dyn SummonStore>,
    pub catalogs: Arc<Shelf>,
}

#[async_trait]
impl Batcher for Ledger {
    type Work = Work;
    type Answer = Verdict;

    async fn run(&self, _lane: LaneId, batch: &[Work]) -> Result<Vec<Verdict>, BatchError> {
        // One set of catalogs for the whole batch: a reload in the middle is seen by the next one.
        let volumes = self.catalogs.for_batch(self.store.as_ref(), batch).await.map_err(batch_error)?;
        let mut keys = BatchKeys::default();
        for work in batch {
            touch(&mut keys, work);
        }
        let (mut book, transaction) = self.store.open(&keys).await.map_err(batch_error)?;
        let verdicts = batch.iter().map(|work| decide(&mut book, volumes.as_ref(), work)).collect();
        transaction.commit(book.into_journal()).await.map_err(batch_error)?;
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
