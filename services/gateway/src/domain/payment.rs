//! What the wallet is told. It is kept as JSON before the wallet is told, so that every attempt says the same.

use auric_ids::{AssetId, ObjectId, PlayerId, PoolId};
use serde::{Deserialize, Serialize};

use super::{DisputeState, Share};

/// The new state of one paid object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Who paid.
    pub player: PlayerId,
    /// What was paid, in the provider's name.
    pub object: ObjectId,
    /// What is so now.
    pub effect: Effect,
}

/// What is so of a paid object. Everything is cumulative: it says how things stand, not what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// It was paid: its legs are added.
    Purchase {
        /// What it gives.
        legs: Vec<Leg>,
        /// Whether it is issued a one-time retail token.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retail_token: bool,
    },
    /// A period was paid: its pools are set.
    Renewal {
        /// What they are set to.
        legs: Vec<Leg>,
        /// When the period begins.
        ///
        /// # Units
        ///
        /// Seconds since 1970, UTC.
        period_seconds: i64,
    },
    /// So much money was given back in all.
    Refund {
        /// How much of what was paid.
        share: Share,
    },
    /// The payer wants money back.
    Dispute {
        /// How much of what was paid.
        share: Share,
        /// How it stands.
        state: DisputeState,
    },
}

/// Units of one pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// Of what.
    pub asset: AssetId,
    /// In which pool, where the asset has pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolId>,
    /// How many.
    pub units: u64,
}

impl Effect {
    /// Names it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Purchase { .. } => "purchase",
            Self::Renewal { .. } => "renewal",
            Self::Refund { .. } => "refund",
            Self::Dispute { .. } => "dispute",
        }
    }

    /// Whether it says what its object gives, so that a refund of the object can be understood.
    #[must_use]
    pub const fn is_sale(&self) -> bool {
        matches!(self, Self::Purchase { .. } | Self::Renewal { .. })
    }
}

impl Effect {
    /// Says how much, for a line of the log.
    #[must_use]
    pub fn amount(&self) -> String {
        let legs = |sign: &str, legs: &[Leg]| {
            let spelled: Vec<String> = legs.iter().map(|leg| leg.spell(sign)).collect();
            spelled.join(", ")
        };
        match self {
            Self::Purchase { legs: given, .. } => legs("+", given),
            Self::Renewal { legs: set, .. } => legs("=", set),
            Self::Refund { share } | Self::Dispute { share, .. } => format!("{} of {}", share.part(), share.whole()),
        }
    }
}

impl Leg {
    fn spell(&self, sign: &str) -> String {
        let pool = self.pool.as_ref().map(|pool| format!(" {pool}")).unwrap_or_default();
        format!("{sign}{} {}{pool}", self.units, self.asset)
    }
}
