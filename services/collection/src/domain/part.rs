//! The collection's part in an operation that another service coordinates.

use auric_catalog::CatalogHash;
use auric_ids::{CallerId, EspritId, OperationId, PlayerId, SpeciesId};
use auric_time::Timestamp;
use auric_twophase::Participation;
use serde::{Deserialize, Serialize};

/// Esprits that one operation may promise.
pub const GRANT_MAX: u32 = 100;

/// The collection's part in one operation: kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The operation.
    pub operation: OperationId,
    /// Whose it is.
    pub player: PlayerId,
    /// Who coordinates it, and alone may end it.
    pub coordinator: CallerId,
    /// How it stands; never [`Participation::Absent`].
    pub state: Participation,
    /// The catalog that it was prepared under; absent for a tombstone.
    pub catalog: Option<CatalogHash>,
    /// What was promised; absent for a tombstone.
    pub intent: Option<Intent>,
    /// What was done; absent unless it is committed.
    pub outcome: Option<Outcome>,
    /// When it was prepared, or voided.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// What is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Intent {
    /// Esprits for the player.
    Grant {
        /// How many at most: 1 to [`GRANT_MAX`].
        esprits: u32,
    },
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Esprits for the player.
    Grant(Grant),
}

/// Esprits that a player gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// At least one, each id once.
    pub esprits: Vec<Granted>,
}

/// One esprit that a player gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its id, of the coordinator's choice.
    pub esprit: EspritId,
    /// Of which species, by the coordinator's catalog.
    pub species: SpeciesId,
}

impl Intent {
    /// How many esprits may come of it.
    #[must_use]
    pub fn esprits(&self) -> u64 {
        let Self::Grant { esprits } = self;
        u64::from(*esprits)
    }
}

/// The word for a state, as logs and databases have it.
#[must_use]
pub const fn word_of(state: Participation) -> &'static str {
    match state {
        Participation::Absent => "absent",
        Participation::Prepared => "prepared",
        Participation::Committed => "committed",
        Participation::Cancelled => "cancelled",
        Participation::Voided => "voided",
    }
}

/// The state that a word stands for.
#[must_use]
pub fn state_of(word: &str) -> Option<Participation> {
    Participation::ALL.into_iter().find(|state| word_of(*state) == word)
}
