//! Why a request has no effect.

use auric_catalog::CatalogHash;
use auric_ids::{EquipmentId, EspritId, OperationId, PlayerId, SpeciesId};
use auric_time::Timestamp;
use auric_twophase::Participation;

/// Why a request has no effect. Nothing is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not fit what was promised, or what is there.
    Invalid(Vec<BadField>),
    /// Nobody has put that catalog into force on this database yet.
    CatalogUnknown(CatalogHash),
    /// The catalog in force here does not know the species yet: another copy has read newer files.
    SpeciesUnknown(SpeciesId),
    /// The player has no room.
    CollectionFull {
        /// Whose.
        player: PlayerId,
        /// Esprits that are there.
        esprits: u64,
        /// Esprits that open operations promise.
        promised: u64,
        /// Esprits that were to be promised.
        asked: u64,
        /// The bound.
        maximum: u64,
    },
    /// The part has ended otherwise, and stays so.
    Ended {
        /// Of which operation.
        operation: OperationId,
        /// How.
        state: Participation,
        /// When.
        ended_at: Timestamp,
    },
    /// There is nothing to commit.
    NotFound(OperationId),
    /// The operation's name belongs to another request.
    OperationReused {
        /// Which operation.
        operation: OperationId,
        /// The fields that differ; never empty.
        fields: Vec<&'static str>,
    },
    /// Another service coordinates the operation.
    NotYours(OperationId),
    /// The player has no such esprit.
    EspritNotFound {
        /// Whose.
        player: PlayerId,
        /// Which.
        esprit: EspritId,
    },
    /// An operation is about to change the esprit: once it has ended, the same request is decided.
    EspritBusy {
        /// Which.
        esprit: EspritId,
        /// By what.
        operation: OperationId,
    },
    /// The player has no such piece of equipment.
    EquipmentNotFound {
        /// Whose.
        player: PlayerId,
        /// Which.
        piece: EquipmentId,
    },
    /// The key belongs to another request.
    KeyReused {
        /// The fields that differ; empty when only the method does.
        fields: Vec<String>,
        /// The method of the first request.
        first_method: String,
    },
}

/// A request field and its fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The path in the request, such as `grant.esprits[3].esprit_id`.
    pub path: String,
    /// What is wrong with the value.
    pub fault: String,
}

impl BadField {
    /// Names a fault.
    pub fn new(path: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { path: path.into(), fault: fault.into() }
    }
}

impl Refusal {
    /// The word for it, as the API says it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_ARGUMENT",
            Self::CatalogUnknown(_) | Self::SpeciesUnknown(_) => "CATALOG_UNKNOWN",
            Self::CollectionFull { .. } => "COLLECTION_FULL",
            Self::Ended { .. } => "PARTICIPATION_ENDED",
            Self::NotFound(_) => "PARTICIPATION_NOT_FOUND",
            Self::OperationReused { .. } => "OPERATION_ID_REUSED",
            Self::NotYours(_) => "NOT_YOUR_OPERATION",
            Self::EspritNotFound { .. } => "ESPRIT_NOT_FOUND",
            Self::EspritBusy { .. } => "ESPRIT_BUSY",
            Self::EquipmentNotFound { .. } => "EQUIPMENT_NOT_FOUND",
            Self::KeyReused { .. } => "IDEMPOTENCY_KEY_REUSED",
        }
    }
}
