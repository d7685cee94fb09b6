//! Every answer that is not an effect: what a rule refused, and what was never decided.

use auric_ids::{
    AssetId, CallerId, EventId, HoldId, IdempotencyKey, ObjectId, PlayerId, PoolId, ProviderId, RetailTokenId,
};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BalanceKey, Generation, Method, Movement};

/// What a mutation came to: applied, or refused by a rule. Both are stored under its key and answered for ever.
pub type Outcome = Result<Posted, Rejection>;

/// What was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Every balance change: player by player and asset by asset in the order of the legs, credits before debits.
    pub movements: Vec<Movement>,
    /// When.
    pub time: Timestamp,
    /// When the hold that was made lapses by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether the hold was released before it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voided: bool,
    /// The retail token that was issued or used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retail_token: Option<RetailTokenId>,
}

/// A rule said no. Nothing was moved, and the same key gets the same no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// At least one balance is too small, or would become too large.
    OutOfBounds {
        /// Every balance at fault, in the order of their keys; never empty.
        faults: Vec<BoundFault>,
    },
    /// The claim was made already, under another key.
    ClaimMade {
        /// Who made it.
        caller: CallerId,
        /// Under which key.
        idempotency_key: IdempotencyKey,
        /// What it paid.
        first: Posted,
    },
    /// The player's audit is not where the request expected it.
    StaleVersion {
        /// Whose.
        player: PlayerId,
        /// What the request expected.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The hold was made already, of other legs or by another caller.
    HoldIdReused {
        /// Which hold.
        hold: HoldId,
    },
    /// The hold has ended, otherwise than the request asks.
    HoldEnded {
        /// Which hold.
        hold: HoldId,
        /// How: committed, released, expired or voided.
        state: String,
        /// When.
        ended_at: Timestamp,
        /// What was set aside, leg by leg.
        amounts: Vec<u64>,
        /// What was taken of it, leg by leg; empty when nothing was.
        committed: Vec<u64>,
    },
    /// More was to be taken than is held.
    AboveHeld {
        /// Which hold.
        hold: HoldId,
        /// Which leg, from 0.
        leg: usize,
        /// What was set aside.
        held_units: u64,
        /// What was to be taken.
        asked_units: u64,
    },
    /// A part was to be taken of a hold that is whole or nothing.
    HoldIsWhole {
        /// Which hold.
        hold: HoldId,
        /// What was set aside, leg by leg.
        amounts: Vec<u64>,
    },
    /// The event was told of another payment, or told something else of it.
    PaymentEventReused {
        /// Who told it.
        provider: ProviderId,
        /// Which event.
        event: EventId,
        /// The payment that it was told of.
        object: ObjectId,
        /// What it told, in a word.
        kind: String,
    },
    /// Somebody else made the payment.
    PaymentOfAnother {
        /// Whom they paid.
        provider: ProviderId,
        /// Which payment.
        object: ObjectId,
        /// Who.
        player: PlayerId,
    },
    /// Something was generated with the token before.
    RetailTokenUsed {
        /// Which token.
        token: RetailTokenId,
        /// What was generated.
        first: Generation,
    },
    /// The key was voided before its request came.
    MutationVoided {
        /// When.
        voided_at: Timestamp,
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
    /// The request does not fit the catalog in force, or the hold that it names.
    Invalid(Vec<BadField>),
    /// The key belongs to another request.
    KeyReused {
        /// The fields that differ; empty when only the method does.
        fields: Vec<String>,
        /// The method of the first request.
        first_method: Method,
    },
    /// There is no such hold, yet.
    HoldNotFound(HoldId),
    /// The hold is another caller's.
    NotYourHold(HoldId),
    /// There is no such retail token, yet.
    RetailTokenNotFound(RetailTokenId),
}

/// A request field and its fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The path in the request, such as `legs[3].asset_id`.
    pub path: String,
    /// What is wrong with the value.
    pub fault: String,
}

/// Why a draft did not become part of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A rule said no: kept under the key.
    Rejected(Box<Rejection>),
    /// Never decided: not kept.
    Unstored(Unstored),
}

impl Stop {
    /// What a rule said.
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self::Rejected(Box::new(rejection))
    }

    /// One field that does not fit.
    pub(super) fn invalid(path: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Unstored(Unstored::Invalid(vec![BadField::new(path, fault)]))
    }
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
            Self::OutOfBounds { faults } => {
                let insufficient = faults.iter().any(|fault| matches!(fault, BoundFault::Insufficient { .. }));
                if insufficient { "INSUFFICIENT_FUNDS" } else { "ABOVE_MAXIMUM" }
            }
            Self::ClaimMade { .. } => "CLAIM_MADE",
            Self::StaleVersion { .. } => "STALE_VERSION",
            Self::HoldIdReused { .. } => "HOLD_ID_REUSED",
            Self::HoldEnded { .. } => "HOLD_ENDED",
            Self::AboveHeld { .. } => "ABOVE_HELD",
            Self::HoldIsWhole { .. } => "HOLD_IS_WHOLE",
            Self::PaymentEventReused { .. } => "PAYMENT_EVENT_REUSED",
            Self::PaymentOfAnother { .. } => "PAYMENT_OF_ANOTHER_PLAYER",
            Self::RetailTokenUsed { .. } => "RETAIL_TOKEN_USED",
            Self::MutationVoided { .. } => "MUTATION_VOIDED",
        }
    }
}

impl BoundFault {
    /// The fault of a balance that holds less than is asked.
    pub(super) fn insufficient(key: &BalanceKey, available_units: u64, asked_units: u64) -> Self {
        let BalanceKey { player, asset, pool } = key.clone();
        Self::Insufficient { player, asset, pool, available_units, asked_units }
    }

    /// The fault of a balance that has no room for what is asked.
    pub(super) fn above_maximum(key: &BalanceKey, total_units: u64, asked_units: u64, maximum_units: u64) -> Self {
        let BalanceKey { player, asset, pool } = key.clone();
        Self::AboveMaximum { player, asset, pool, total_units, asked_units, maximum_units }
    }

    /// The balance at fault.
    #[must_use]
    pub fn key(&self) -> BalanceKey {
        let (Self::Insufficient { player, asset, pool, .. } | Self::AboveMaximum { player, asset, pool, .. }) = self;
        BalanceKey { player: player.clone(), asset: asset.clone(), pool: pool.clone() }
    }
}
