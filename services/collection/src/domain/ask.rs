//! One request that changes something.

use auric_catalog::CatalogHash;
use auric_ids::{CallerId, OperationId, PlayerId, TraceId};

use super::{Intent, Keyed, Outcome};

/// One request that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub caller: CallerId,
    /// The trace that it came in; not part of its meaning.
    pub trace_id: TraceId,
    /// What is asked.
    pub action: Action,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Promise that a commit will succeed.
    Prepare(Prepare),
    /// Do what was promised.
    Commit(Commit),
    /// Give up what was promised, or what would be.
    Cancel(Cancel),
    /// Change something, under a key.
    Keyed(Keyed),
}

/// What is to be promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// The operation's name.
    pub operation: OperationId,
    /// Whose it is.
    pub player: PlayerId,
    /// The catalog that the coordinator decides by.
    pub catalog: CatalogHash,
    /// What is to be promised.
    pub intent: Intent,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The operation's name.
    pub operation: OperationId,
    /// Whose it is.
    pub player: PlayerId,
    /// What is to be done.
    pub outcome: Outcome,
}

/// What is to be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The operation's name.
    pub operation: OperationId,
    /// Whose it is.
    pub player: PlayerId,
}

impl Action {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Keyed(keyed) => keyed.change.method(),
            Self::Prepare(_) => "Prepare",
            Self::Commit(_) => "Commit",
            Self::Cancel(_) => "Cancel",
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn player(&self) -> &PlayerId {
        match self {
            Self::Prepare(prepare) => &prepare.player,
            Self::Commit(commit) => &commit.player,
            Self::Cancel(cancel) => &cancel.player,
            Self::Keyed(keyed) => &keyed.player,
        }
    }

    /// The operation that it is a verb of, if it is a verb.
    #[must_use]
    pub const fn operation(&self) -> Option<&OperationId> {
        match self {
            Self::Prepare(prepare) => Some(&prepare.operation),
            Self::Commit(commit) => Some(&commit.operation),
            Self::Cancel(cancel) => Some(&cancel.operation),
            Self::Keyed(_) => None,
        }
    }
}
