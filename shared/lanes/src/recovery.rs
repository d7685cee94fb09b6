//! What follows a failed run. Pure: the lane does it, this says what.

use std::time::Duration;

use thiserror::Error;

use crate::{BatchError, LaneSettings, Refused};

/// How a run failed: as the batcher says, or worse.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Batch(#[from] BatchError),

    #[error("the batcher panicked: {message}")]
    Panicked { message: String },

    #[error("the batcher gave {answers} answers to {works} works")]
    Miscounted { answers: usize, works: usize },
}

/// What to do with the works of a failed run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Run them again together after a pause of at most this.
    Together(Duration),
    /// Run each alone, after a pause of at most this.
    Singly(Duration),
    /// Run the first half, then the second.
    Halves,
    /// Tell every caller.
    Refuse(Refused),
}

/// What has happened to some works so far, always to all of them alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Whether a run may have been applied without an answer. From then on no refusal but `Unknown` would be true.
    exposed: bool,
    /// The runs in this company that met another transaction.
    contended: u32,
    /// The runs whose connection was lost or, once exposed, could not be had.
    lost: u32,
}

impl History {
    pub(crate) fn exposed(self) -> bool {
        self.exposed
    }

    /// Returns the history of a smaller company of the same works: contention is counted afresh, exposure and losses stay.
    pub(crate) fn of_fewer(self) -> Self {
        Self { contended: 0, ..self }
    }

    /// Returns what callers of these works may be told in place of `refused`.
    pub(crate) fn refusal(self, refused: Refused) -> Refused {
        if self.exposed { Refused::Unknown } else { refused }
    }

    /// Notes a failed run of `size` works, and says what to do with them.
    pub(crate) fn after(&mut self, failure: &Failure, size: usize, settings: &LaneSettings) -> Next {
        let alone = size == 1;
        match failure {
            Failure::Batch(BatchError::Contended(_)) => self.after_contention(alone, settings),
            Failure::Batch(BatchError::Lost(_)) => {
                self.exposed = true;
                self.after_loss(settings)
            }
            // It may have been applied before: giving up now would leave the callers in doubt that another try may end.
            Failure::Batch(BatchError::Unavailable(_)) if self.exposed => self.after_loss(settings),
            Failure::Batch(BatchError::Unavailable(_)) => Next::Refuse(Refused::Unavailable),
            Failure::Batch(BatchError::Fault(_)) if alone => Next::Refuse(self.refusal(Refused::Fault)),
            Failure::Batch(BatchError::Fault(_)) => Next::Halves,
            // A panic may have come after the commit, so that even the culprit's outcome is unknown.
            Failure::Panicked { .. } => {
                self.exposed = true;
                if alone { Next::Refuse(Refused::Unknown) } else { Next::Halves }
            }
            Failure::Miscounted { .. } => {
                self.exposed = true;
                Next::Refuse(Refused::Unknown)
            }
        }
    }

    fn after_contention(&mut self, alone: bool, settings: &LaneSettings) -> Next {
        self.contended = self.contended.saturating_add(1);
        let pause = settings.contended_backoff.ceiling(self.contended);
        match (alone, self.contended) {
            (true, runs) if runs >= settings.contended_runs_max.get() => Next::Refuse(self.refusal(Refused::Contended)),
            (true, _) | (false, 1) => Next::Together(pause),
            (false, _) => Next::Singly(pause),
        }
    }

    fn after_loss(&mut self, settings: &LaneSettings) -> Next {
        self.lost = self.lost.saturating_add(1);
        if self.lost >= settings.lost_runs_max.get() {
            return Next::Refuse(Refused::Unknown);
        }
        Next::Together(settings.lost_backoff.ceiling(self.lost))
    }
}
