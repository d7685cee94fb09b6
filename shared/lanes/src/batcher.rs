use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

/// The machinery's own account of a failure: for the log, never for a caller.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// What a lane does with a batch: one transaction.
#[async_trait]
pub trait Batcher: Send + Sync + 'static {
    /// One keyed mutation. It is lent, not given, so that a batch can be run again.
    type Work: Send + Sync + 'static;

    /// What its caller is told, a rule's refusal included.
    type Answer: Send + 'static;

    /// Runs the whole batch in one transaction, and answers once it is durable.
    ///
    /// The same work may come again, alone or in another company, after any failure: it must be keyed, and an answer that was given
    /// once must be given again.
    ///
    /// # Shape
    ///
    /// An answer for each work, in order. `batch` is never empty.
    ///
    /// # Cancellation
    ///
    /// A run that takes longer than [`LaneSettings::run_time_max`](crate::LaneSettings::run_time_max) is dropped, and counts as
    /// [`BatchError::Lost`]: dropping it must undo what is not yet committed, or leave it such that it cannot come after a later run of the
    /// same work.
    async fn run(&self, lane: LaneId, batch: &[Self::Work]) -> Result<Vec<Self::Answer>, BatchError>;
}

/// Why a batch was not answered, in the words that decide what the lane does next.
#[derive(Debug, Error)]
pub enum BatchError {
    /// Another transaction was in the way, and nothing was applied: the batch is run once more, then each work alone.
    #[error("the batch met another transaction")]
    Contended(#[source] Cause),

    /// The connection was lost, perhaps at the commit, so nobody knows what was applied: the batch is run again by key.
    ///
    /// The batcher must not use that connection again.
    #[error("the connection was lost and the outcome is unknown")]
    Lost(#[source] Cause),

    /// No transaction could begin, so nothing happened: the callers are told at once.
    #[error("no transaction could begin")]
    Unavailable(#[source] Cause),

    /// Anything else, with nothing applied: the batch is halved until the culprit is alone.
    #[error("the batch failed")]
    Fault(#[source] Cause),
}

/// The number of a lane, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u16);

impl LaneId {
    pub(crate) fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
