//! Changes: a batch is one transaction, decided in memory between its locks and its commit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auric_db::StoreError;
use auric_events::{Feed, outbox_lane};
use auric_lanes::{BatchError, Batcher, LaneId, Refused};
use rand::RngExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Handlers, figures, line::Line, trace};
use crate::domain::{Ask, BatchKeys, Done, Rules, StateTag, Verdict, Work, work};
use crate::store::CollectionStore;

/// What a lane does with a batch.
pub struct Shelf {
    pub store: Arc<dyn CollectionStore>,
    pub rules: Arc<ArcSwap<Rules>>,
    pub feed: Feed,
    /// What this copy adds to a lane's number, so that copies seldom write into the same lane of the outbox.
    pub lane_offset: u16,
}

#[async_trait]
impl Batcher for Shelf {
    type Work = Work;
    type Answer = Done;

    async fn run(&self, lane: LaneId, batch: &[Work]) -> Result<Vec<Done>, BatchError> {
        // One set of rules for the whole batch: a reload in the middle is seen by the next one.
        let rules = self.rules.load_full();
        let mut keys = BatchKeys::new(rules.catalog.esprits_hash);
        for one in batch {
            keys.add_work(one);
        }
        let (mut book, transaction) = self.store.open(keys).await.map_err(batch_error)?;
        let deciding = trace::decide();
        let done: Vec<Done> = deciding.in_scope(|| batch.iter().map(|one| work(&mut book, &rules, one)).collect());
        trace::decided(&deciding, &done);
        drop(deciding);
        // One for all players of the batch: with the player it is unique all the same.
        let tag: StateTag = rand::rng().random();
        let mut journal = book.into_journal();
        journal.lane = outbox_lane(self.lane_offset, lane.number());
        let news = journal.news.len();
        transaction.commit(journal, tag).await.map_err(batch_error)?;
        self.feed.committed(news);
        Ok(done)
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
    /// Dropping the future withdraws the request if no batch took it yet. Afterwards it is done, and the same request tells.
    pub async fn mutate(&self, ask: Ask, deadline: Option<Instant>) -> Result<Verdict, Refused> {
        let lane = ask.action.player().clone();
        let line = Line::of(&ask);
        let (span, method) = (trace::ask(&ask), ask.action.method());
        let submitted = self.lanes.submit(lane.as_str().as_bytes(), Work::Ask(ask), deadline);
        let answer = match submitted.instrument(span.clone()).await {
            Ok(Done::Answered(verdict)) => Ok(verdict),
            Ok(_) => Err(Refused::Fault),
            Err(refused) => Err(refused),
        };
        figures::count(method, &answer);
        trace::answered(&span, &answer);
        span.in_scope(|| line.log(&answer));
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
