//! Every answer that is not an effect: what a rule refused, and what was never decided.

use auric_ids::{AssetId, PlayerId, PoolId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BalanceKey, Movement};

/// What a mutation came to: applied, or refused by a rule. Both are stored under its key and answered for ever.
pub type Outcome = Result<Posted, Rejection>;

/// What was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Every balance change: a balance's credits before its debits, each in the order of the legs.
    pub movements: Vec<Movement>,
    /// When.
    pub time: Timestamp,
}

/// A rule said no. Nothing was moved, and the same key gets the same no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// At least one balance is too small, or would become too large.
    OutOfBounds {
        /// Every balance at fault, in the order of their keys; never empty.
        faults: Vec<BoundFault>,
        /// When it was refused.
        time: Timestamp,
    },
}

/// Why one balance cannot take a posting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum BoundFault {
    /// More was to be taken than is there.
    Insufficient {
        /// Whose.
        player: PlayerId,
        /// Of what.
        asset: AssetId,
        /// In which pool; empty for all pools together, and where the asset has none.
        pool: PoolId,
        /// What could be spent, with what the same posting adds.
        available_units: u64,
        /// What was to be taken.
        asked_units: u64,
    },
    /// More was to be added than fits.
    AboveMaximum {
        /// Whose.
        player: PlayerId,
        /// Of what.
        asset: AssetId,
        /// In which pool; empty where the asset has none.
        pool: PoolId,
        /// Available, held and room before the posting.
        total_units: u64,
        /// What was to be added, less what the same posting takes.
        asked_units: u64,
        /// The bound.
        maximum_units: u64,
    },
}

/// Why a mutation was not decided. Nothing is stored: the key stays free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unstored {
    /// The request does not fit the catalog in force.
    Invalid(Vec<BadField>),
    /// The key belongs to another request.
    KeyReused {
        /// The fields that differ; empty when only the method does.
        fields: Vec<String>,
        /// The method of the first request.
        first_method: super::Method,
    },
}

/// A request field and its fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The path in the request, such as `legs[3].asset_id`.
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

impl Rejection {
    /// The word for it, as the API says it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::OutOfBounds { faults, .. } => {
                let insufficient = faults.iter().any(|fault| matches!(fault, BoundFault::Insufficient { .. }));
                if insufficient { "INSUFFICIENT_FUNDS" } else { "ABOVE_MAXIMUM" }
            }
        }
    }

    /// When it was refused.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::OutOfBounds { time, .. } => *time,
        }
    }
}

impl BoundFault {
    /// The balance at fault.
    #[must_use]
    pub fn key(&self) -> BalanceKey {
        let (Self::Insufficient { player, asset, pool, .. } | Self::AboveMaximum { player, asset, pool, .. }) = self;
        BalanceKey { player: player.clone(), asset: asset.clone(), pool: pool.clone() }
    }
}
