//! One operation that the collection coordinates, from its key to its answer; and what it would do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_lanes::{Lanes, Refused};
use auric_twophase::store::{Listing, Operations};
use auric_twophase::{Decision, Driver, Operation, Participant, Settings, State, Unanswered, draw_id};
use thiserror::Error;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::read::{Page, page};
use super::{CachedView, Handlers, figures, operation_line::OperationLine, trace};
use crate::domain::{Begin, Decide, Done, Preview, Refusal, Rejection, Request, Seen, Stop, Work, refund_of};

/// What an answer needs before its deadline to reach its caller.
const ANSWER_TIME: Duration = Duration::from_millis(50);

/// How long a caller waits that names no deadline.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// What a copy needs to coordinate.
pub struct Coordination {
    /// The operations, in the store's database.
    pub operations: Operations,
    /// The services that an operation is made of.
    pub participants: Vec<Arc<dyn Participant>>,
    /// The bounds of the operations.
    pub settings: Settings,
}

/// A copy that coordinates.
pub struct Coordinating {
    pub driver: Arc<Driver>,
    lease: Duration,
}

/// What became of a request, or how it stands when its caller cannot wait any longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operated {
    /// The operation.
    pub operation: Operation,
    /// Whether an earlier request under the key began it.
    pub replayed: bool,
}

/// Why there is nothing to tell of.
#[derive(Debug, Error)]
pub enum Failed {
    /// The lanes did not take it, or did not answer.
    #[error(transparent)]
    Lane(#[from] Refused),
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was begun, and nothing is stored.
    #[error("the request does not fit")]
    Unstored(Refusal),
    /// A rule says no to what is only looked at.
    #[error("a rule says no")]
    Rejected(Rejection),
    /// This copy was told of no wallet.
    #[error("this copy of the collection was told of no wallet")]
    NoWallet,
}

impl Coordinating {
    /// Takes up what others left.
    pub fn start(coordination: Coordination, lanes: &Arc<Lanes<Work, Done>>) -> Self {
        let Coordination { operations, participants, settings } = coordination;
        let coordinator = Arc::new(Coordinator { lanes: Arc::clone(lanes) });
        Self { driver: Driver::start(coordinator, participants, operations, settings), lease: settings.lease }
    }
}

impl Handlers {
    /// Brings an operation to its end, or as far as its caller waits.
    ///
    /// # Errors
    ///
    /// [`Failed`]: no operation is known.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the operation to its driver.
    pub async fn operate(
        &self,
        request: Request,
        trace_id: &TraceId,
        deadline: Option<Instant>,
    ) -> Result<Operated, Failed> {
        let line = OperationLine::of(&request, trace_id);
        let (span, method) = (trace::request(&request), request.deed.kind().method());
        let operated = self.bring(request, deadline).instrument(span.clone()).await;
        figures::count_operation(method, &operated);
        span.in_scope(|| line.log(&operated));
        operated
    }

    async fn bring(&self, request: Request, deadline: Option<Instant>) -> Result<Operated, Failed> {
        let coordinating = self.coordinating.as_ref().ok_or(Failed::NoWallet)?;
        let until = deadline.unwrap_or_else(|| Instant::now() + WAIT_MAX);
        let until = until.checked_sub(ANSWER_TIME).unwrap_or(until);
        let mut replayed = false;
        loop {
            let (operation, is_new) = self.begin(coordinating, request.clone(), deadline).await?;
            replayed |= !is_new;
            if is_new && operation.state == State::Preparing {
                coordinating.driver.drive(operation.clone());
            }
            let operation = coordinating.driver.wait(operation, until).await?;
            // An earlier attempt came to nothing: this request is the retry that makes the next one.
            if is_new || !operation.is_given_up() || !operation.state.is_done() || Instant::now() >= until {
                return Ok(Operated { operation, replayed });
            }
            replayed = false;
        }
    }

    async fn begin(
        &self,
        coordinating: &Coordinating,
        request: Request,
        deadline: Option<Instant>,
    ) -> Result<(Operation, bool), Failed> {
        let lane = request.player.clone();
        let begin = Begin { request, id: draw_id(), lease: coordinating.lease };
        match self.lanes.submit(lane.as_str().as_bytes(), Work::Begin(Box::new(begin)), deadline).await? {
            Done::Begun { operation, is_new } => Ok((*operation, is_new)),
            Done::Unstored(refusal) => Err(Failed::Unstored(refusal)),
            _ => Err(Failed::Lane(Refused::Fault)),
        }
    }

    /// Looks at what dissolving `ids` would give, as everything stands now.
    ///
    /// # Errors
    ///
    /// [`Failed`]; the first esprit that is in the way is named.
    pub async fn preview(&self, player: &PlayerId, ids: &[EspritId]) -> Result<(Arc<CachedView>, Preview), Failed> {
        let seen = self.view(player).await?;
        let portrait = &seen.view.portrait;
        let mut esprits = Vec::with_capacity(ids.len());
        for id in ids {
            match portrait.esprits.iter().find(|esprit| esprit.id == *id) {
                Some(esprit) => esprits.push(esprit),
                None => return Err(self.why_not(player, id).await),
            }
        }
        let is_worn_by = |id: &EspritId| portrait.pieces.iter().any(|piece| piece.esprit.as_ref() == Some(id));
        let refund = refund_of(&seen.view.catalog, &portrait.team, is_worn_by, &esprits);
        let refund = refund.map_err(|stop| match stop {
            Stop::Rejected(rejection) => Failed::Rejected(rejection),
            Stop::Refused(refusal) => Failed::Unstored(refusal),
        })?;
        let versions = esprits.into_iter().map(|esprit| Seen { esprit: esprit.id.clone(), version: esprit.version });
        let preview = Preview { esprits: versions.collect(), refund };
        Ok((seen, preview))
    }

    /// Why an esprit is not among those that are there.
    async fn why_not(&self, player: &PlayerId, id: &EspritId) -> Failed {
        let esprit = id.clone();
        match self.esprit(player, id).await.map(|found| found.and_then(|found| found.dissolved_at)) {
            Ok(Some(dissolved_at)) => Failed::Rejected(Rejection::EspritDissolved { esprit, dissolved_at }),
            Ok(None) => Failed::Unstored(Refusal::EspritNotFound { player: player.clone(), esprit }),
            Err(error) => Failed::Store(error),
        }
    }

    /// Reads a page of operations.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn list_operations(&self, listing: &Listing, limit: u32) -> Result<Page<Operation>, Failed> {
        Ok(page(self.operations()?.list(listing, limit.saturating_add(1)).await?, limit))
    }

    /// Makes an operation due at once; tells whether it was there and not done.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn hasten(&self, player: &PlayerId, id: &OperationId) -> Result<bool, Failed> {
        Ok(self.operations()?.hasten(player, id).await?)
    }

    /// The operations outside of batches.
    ///
    /// # Errors
    ///
    /// [`Failed::NoWallet`].
    pub fn operations(&self) -> Result<&Operations, Failed> {
        self.coordinating.as_ref().map(|coordinating| coordinating.driver.operations()).ok_or(Failed::NoWallet)
    }
}

/// The coordinator's own half of an operation, through the lanes.
struct Coordinator {
    lanes: Arc<Lanes<Work, Done>>,
}

/// Under whose name an operation is kept that nobody asked for here.
const ADOPTER: &str = "collection";

#[async_trait]
impl auric_twophase::Coordinator for Coordinator {
    async fn decide(&self, operation: &Operation, proposal: Option<Decision>) -> Result<Operation, Unanswered> {
        // Without its plan nobody knows what it has marked: it waits for a copy that can read it.
        let plan = serde_json::from_str(&operation.plan)
            .map_err(|error| Unanswered(format!("its plan cannot be read here: {error}")))?;
        let lane = operation.player.clone();
        let work = Work::Decide(Box::new(Decide { operation: operation.clone(), plan, proposal }));
        match self.lanes.submit(lane.as_str().as_bytes(), work, None).await {
            Ok(Done::Decided(operation)) => Ok(*operation),
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
