//! Mutations: a batch is one transaction, decided in memory between its locks and its commit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auric_db::StoreError;
use auric_events::Feed;
use auric_ids::{CallerId, PlayerId, TraceId};
use auric_lanes::{BatchError, Batcher, LaneId, Refused};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::line::{Line, log_refused_together};
use super::{Handlers, figures, trace};
use crate::domain::{BatchKeys, Mutation, Rules, Verdict, decide, settle};
use crate::store::WalletStore;

/// What a lane is asked to do.
#[expect(clippy::large_enum_variant, reason = "nearly everything is a mutation")]
pub enum Work {
    /// Something that a caller wants, under its key.
    Mutation(Mutation),
    /// Giving back what a player's lapsed holds set aside: nobody's request, and nothing the second time.
    Settle(PlayerId),
}

/// What a lane answers.
pub enum Done {
    /// What became of a mutation.
    Verdict(Verdict),
    /// How many holds lapsed.
    Settled(usize),
}

/// What a lane does with a batch.
pub struct Ledger {
    pub store: Arc<dyn WalletStore>,
    pub rules: Arc<ArcSwap<Rules>>,
    pub feed: Feed,
    /// What this copy adds to a lane's number, so that copies seldom write the same line of the counters.
    pub slot_offset: u16,
}

/// Lines of the counters for one asset, reason and day.
const SLOTS: u16 = 32;

#[async_trait]
impl Batcher for Ledger {
    type Work = Work;
    type Answer = Done;

    async fn run(&self, lane: LaneId, batch: &[Work]) -> Result<Vec<Done>, BatchError> {
        // One set of rules for the whole batch: a reload in the middle is seen by the next one.
        let rules = self.rules.load_full();
        let mut keys = BatchKeys::new(&rules.assets);
        for work in batch {
            match work {
                Work::Mutation(mutation) => keys.add(mutation),
                Work::Settle(player) => keys.add_player(player),
            }
        }
        let (mut book, transaction) = self.store.open(keys).await.map_err(batch_error)?;
        let deciding = trace::decide();
        let answers: Vec<Done> = deciding.in_scope(|| {
            let answer = |work: &Work| match work {
                Work::Mutation(mutation) => Done::Verdict(decide(&mut book, &rules, mutation)),
                Work::Settle(player) => Done::Settled(settle(&mut book, &rules, player)),
            };
            batch.iter().map(answer).collect()
        });
        trace::decided(&deciding, &answers);
        drop(deciding);
        let slot = i16::try_from(self.slot_offset.wrapping_add(lane.number()) % SLOTS).unwrap_or_default();
        let journal = book.into_journal();
        let told = journal.told.len();
        transaction.commit(journal, slot).await.map_err(batch_error)?;
        self.feed.committed(told);
        Ok(answers)
    }
}

impl Handlers {
    /// Refuses so many postings at once where there is no room for them, with one line for all: what is refused must cost next to nothing.
    ///
    /// # Errors
    ///
    /// [`Refused::QueueFull`]; nothing happened.
    pub fn admit(&self, posts: usize, caller: &CallerId, trace_id: &TraceId) -> Result<(), Refused> {
        let count = u64::try_from(posts).unwrap_or(u64::MAX);
        self.lanes.admit(posts).inspect_err(|refused| log_refused_together(count, caller, trace_id, *refused))
    }

    /// Brings `mutation` into the ledger, and answers once the answer is durable.
    ///
    /// # Errors
    ///
    /// [`Refused`]: each variant says whether something may have happened.
    ///
    /// # Cancellation
    ///
    /// Dropping the future withdraws the mutation if no batch took it yet. Afterwards it is applied, and its key tells.
    pub async fn mutate(&self, mutation: Mutation, deadline: Option<Instant>) -> Result<Verdict, Refused> {
        let lane = mutation.lane_key().to_owned();
        let line = Line::of(&mutation);
        let (span, method) = (trace::mutation(&mutation), mutation.action.method());
        let submitted = self.lanes.submit(lane.as_bytes(), Work::Mutation(mutation), deadline);
        let answer = match submitted.instrument(span.clone()).await {
            Ok(Done::Verdict(verdict)) => Ok(verdict),
            Ok(Done::Settled(_)) => Err(Refused::Fault),
            Err(refused) => Err(refused),
        };
        self.tally.count(&answer);
        figures::count(method, &answer);
        trace::answered(&span, &answer);
        span.in_scope(|| line.log(&answer));
        answer
    }

    /// Gives back what the player's lapsed holds set aside, without a request; returns how many lapsed.
    pub(super) async fn settle(&self, player: PlayerId) -> Result<usize, Refused> {
        let lane = player.clone();
        match self.lanes.submit(lane.as_str().as_bytes(), Work::Settle(player), None).await? {
            Done::Settled(holds) => Ok(holds),
            Done::Verdict(_) => Err(Refused::Fault),
        }
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
