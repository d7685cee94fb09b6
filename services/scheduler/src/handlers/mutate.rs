//! Changes of jobs: a batch is one transaction, decided in memory between its locks and its commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use auric_db::StoreError;
use auric_ids::TargetId;
use auric_lanes::{BatchError, Batcher, LaneId, Refused};
use tokio::time::Instant;

use super::{Handlers, Wakes, figures, line::Line};
use crate::config::Pace;
use crate::domain::{Ask, BatchKeys, Verdict, decide};
use crate::store::SchedulerStore;

/// What a lane does with a batch.
pub struct Desk {
    pub store: Arc<dyn SchedulerStore>,
    pub targets: BTreeSet<TargetId>,
    pub pace: Pace,
    pub wakes: Arc<Wakes>,
}

#[async_trait]
impl Batcher for Desk {
    type Work = Ask;
    type Answer = Verdict;

    async fn run(&self, _lane: LaneId, batch: &[Ask]) -> Result<Vec<Verdict>, BatchError> {
        let mut keys = BatchKeys::default();
        for ask in batch {
            keys.add(ask);
        }
        let (mut book, transaction) = self.store.open(keys).await.map_err(batch_error)?;
        let ahead = i64::try_from(self.pace.ahead.as_micros()).unwrap_or(i64::MAX);
        let verdicts = batch.iter().map(|ask| decide(&mut book, &self.targets, ahead, ask)).collect();
        transaction.commit(book.into_journal()).await.map_err(batch_error)?;
        self.wakes.planner.notify_one();
        self.wakes.runner.notify_one();
        Ok(verdicts)
    }
}

impl Handlers {
    /// Does what is asked, and answers once the answer is durable.
    ///
    /// # Errors
    ///
    /// [`Refused`]: each variant says whether something may have happened.
    ///
    /// # Cancellation
    ///
    /// Dropping the future withdraws the request if no batch took it yet. Afterwards it is done, and the same key tells.
    pub async fn mutate(&self, ask: Ask, deadline: Option<Instant>) -> Result<Verdict, Refused> {
        let (method, lane) = (ask.action.method(), ask.action.subject());
        let line = Line::of(&ask);
        let answer = self.lanes.submit(lane.as_bytes(), ask, deadline).await;
        figures::count_mutation(method, &answer);
        line.log(&answer);
        answer
    }
}

fn batch_error(error: StoreError) -> BatchError {
    match error {
        StoreError::Contended(kind, _) => {
            figures::count_contention(kind);
            BatchError::Contended(error.into())
        }
        StoreError::Lost(_) => BatchError::Lost(error.into()),
        StoreError::Unavailable(_) => BatchError::Unavailable(error.into()),
        StoreError::Fault(_) | StoreError::Corrupt(_) => BatchError::Fault(error.into()),
    }
}
