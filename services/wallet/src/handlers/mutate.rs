//! Mutations: a batch is one transaction, decided in memory between its locks and its commit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auric_db::StoreError;
use auric_lanes::{BatchError, Batcher, LaneId, Refused};
use tokio::time::Instant;

use super::Handlers;
use crate::domain::{Action, BatchKeys, Direction, Mutation, Rules, Unstored, Verdict, decide};
use crate::store::WalletStore;

/// What a lane does with a batch.
pub struct Ledger {
    pub store: Arc<dyn WalletStore>,
    pub rules: Arc<ArcSwap<Rules>>,
}

#[async_trait]
impl Batcher for Ledger {
    type Work = Mutation;
    type Answer = Verdict;

    async fn run(&self, _lane: LaneId, batch: &[Mutation]) -> Result<Vec<Verdict>, BatchError> {
        // One set of rules for the whole batch: a reload in the middle is seen by the next one.
        let rules = self.rules.load_full();
        let mut keys = BatchKeys::default();
        for mutation in batch {
            keys.add(mutation);
        }
        let (mut book, transaction) = self.store.open(&keys).await.map_err(batch_error)?;
        let verdicts = batch.iter().map(|mutation| decide(&mut book, &rules, mutation)).collect();
        transaction.commit(book.into_journal()).await.map_err(batch_error)?;
        Ok(verdicts)
    }
}

impl Handlers {
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
        let answer = self.lanes.submit(lane.as_bytes(), mutation, deadline).await;
        line.log(&answer);
        answer
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

/// The one structured line of a mutation (R-O1), drawn up before the mutation is given away.
struct Line {
    player_id: String,
    amount: String,
    reason: String,
    caller: String,
    idempotency_key: String,
    method: &'static str,
    trace_id: String,
}

/// Legs that a line spells out; it counts the rest.
const LINE_LEGS_MAX: usize = 8;

impl Line {
    fn of(mutation: &Mutation) -> Self {
        let Action::Post(post) = &mutation.action;
        let mut amounts: Vec<String> = post
            .legs
            .iter()
            .take(LINE_LEGS_MAX)
            .map(|leg| {
                let sign = if leg.direction == Direction::Debit { '-' } else { '+' };
                format!("{sign}{} {}", leg.amount, leg.asset)
            })
            .collect();
        if let Some(more) = post.legs.len().checked_sub(LINE_LEGS_MAX).filter(|more| *more > 0) {
            amounts.push(format!("and {more} more"));
        }
        Self {
            player_id: mutation.lane_key().to_owned(),
            amount: amounts.join(", "),
            reason: post.reason.to_string(),
            caller: mutation.key.caller.to_string(),
            idempotency_key: mutation.key.key.to_string(),
            method: mutation.action.method().as_str(),
            trace_id: mutation.trace_id.to_string(),
        }
    }

    fn log(&self, answer: &Result<Verdict, Refused>) {
        let (success, replayed, error) = match answer {
            Ok(Verdict::Answered { outcome, replayed }) => {
                let error = outcome.as_ref().err().map(|rejection| rejection.reason().to_owned());
                (outcome.is_ok(), *replayed, error)
            }
            Ok(Verdict::Unstored(Unstored::Invalid(_))) => (false, false, Some("INVALID_ARGUMENT".to_owned())),
            Ok(Verdict::Unstored(Unstored::KeyReused { .. })) => {
                (false, false, Some("IDEMPOTENCY_KEY_REUSED".to_owned()))
            }
            Err(refused) => (false, false, Some(refused.to_string())),
        };
        let Self { player_id, amount, reason, caller, idempotency_key, method, trace_id } = self;
        tracing::info!(
            player_id,
            amount,
            reason,
            success,
            error,
            replayed,
            caller,
            idempotency_key,
            method,
            trace_id,
            "{method} {}",
            if success { "applied" } else { "refused" },
        );
    }
}
