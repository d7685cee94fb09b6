//! One summon, from its key to its answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::StoreError;
use auric_ids::{OperationId, PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_lanes::{Lanes, Refused};
use auric_twophase::{Decision, Operation, State, Unanswered, draw_id};
use thiserror::Error;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::fairness::fresh_seed;
use super::{Handlers, line::Line};
use crate::domain::{Ask, Begin, Decide, Unstored, Verdict, Work};

/// What an answer needs before its deadline to reach its caller.
const ANSWER_TIME: Duration = Duration::from_millis(50);

/// How long a caller waits that names no deadline.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// What became of a summon, or how it stands when its caller cannot wait any longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summoned {
    /// The operation.
    pub operation: Operation,
    /// Whether an earlier request under the key began it.
    pub replayed: bool,
}

/// Why there is no operation to tell of.
#[derive(Debug, Error)]
pub enum Failed {
    /// The lanes did not take it, or did not answer.
    #[error(transparent)]
    Lane(#[from] Refused),
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was begun.
    #[error("the request does not fit")]
    Unstored(Unstored),
}

impl Handlers {
    /// Brings a summon to its end, or as far as its caller waits.
    ///
    /// # Errors
    ///
    /// [`Failed`]: no operation is known.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the operation to its driver.
    pub async fn summon(&self, ask: Ask, trace_id: &TraceId, deadline: Option<Instant>) -> Result<Summoned, Failed> {
        let line = Line::of(&ask, trace_id);
        let span = super::figures::span(&ask);
        let summoned = self.bring(ask, deadline).instrument(span.clone()).await;
        super::figures::count(&summoned);
        span.in_scope(|| line.log(&summoned));
        summoned
    }

    async fn bring(&self, ask: Ask, deadline: Option<Instant>) -> Result<Summoned, Failed> {
        let until = deadline.unwrap_or_else(|| Instant::now() + WAIT_MAX);
        let until = until.checked_sub(ANSWER_TIME).unwrap_or(until);
        let mut replayed = false;
        loop {
            let (operation, is_new) = self.begin(ask.clone(), deadline).await?;
            replayed |= !is_new;
            if is_new && operation.state == State::Preparing {
                self.driver.drive(operation.clone());
            }
            let operation = self.driver.wait(operation, until).await?;
            // An earlier attempt came to nothing: this request is the retry that makes the next one.
            if is_new || !operation.is_given_up() || !operation.state.is_done() || Instant::now() >= until {
                return Ok(Summoned { operation, replayed });
            }
            replayed = false;
        }
    }

    async fn begin(&self, ask: Ask, deadline: Option<Instant>) -> Result<(Operation, bool), Failed> {
        let lane = ask.player.clone();
        let begin = Begin { ask, id: draw_id(), fresh_seed: fresh_seed(), lease: self.settings.lease };
        let verdict = self.lanes.submit(lane.as_str().as_bytes(), Work::Begin(Box::new(begin)), deadline).await?;
        match verdict {
            Verdict::Begun { operation, is_new } => Ok((*operation, is_new)),
            Verdict::Unstored(unstored) => Err(Failed::Unstored(unstored)),
            _ => Err(Failed::Lane(Refused::Fault)),
        }
    }
}

/// The coordinator's own half of an operation, through the lanes.
pub struct Coordinator {
    pub lanes: Arc<Lanes<Work, Verdict>>,
}

/// Under whose name an operation is kept that nobody asked for here.
const ADOPTER: &str = "summon";

#[async_trait]
impl auric_twophase::Coordinator for Coordinator {
    async fn decide(&self, operation: &Operation, proposal: Option<Decision>) -> Result<Operation, Unanswered> {
        let plan = serde_json::from_str(&operation.plan).ok();
        let lane = operation.player.clone();
        let work = Work::Decide(Box::new(Decide { operation: operation.clone(), plan, proposal }));
        match self.lanes.submit(lane.as_str().as_bytes(), work, None).await {
            Ok(Verdict::Decided(operation)) => Ok(*operation),
            Ok(_) => Err(Unanswered(format!("{} is not in the log", operation.id))),
            Err(refused) => Err(Unanswered(refused.to_string())),
        }
    }

    async fn adopt(&self, player: PlayerId, id: OperationId) -> Result<(), Unanswered> {
        let named = |text: &str| Some(MutationKey { caller: ADOPTER.parse().ok()?, key: text.parse().ok()? });
        let key = named(id.as_str()).ok_or_else(|| Unanswered(format!("{id} is no key")))?;
        let lane = player.clone();
        let submitted = self.lanes.submit(lane.as_str().as_bytes(), Work::Adopt { player, id, key }, None).await;
        submitted.map(drop).map_err(|refused| Unanswered(refused.to_string()))
    }
}
