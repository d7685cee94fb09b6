//! What an event says, whoever said it. Names of players, objects and prices are still text: nobody has looked at them.

use serde::{Deserialize, Serialize};

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An object was paid.
    Sale {
        /// What was paid.
        object: String,
        /// Who paid, where the event says so.
        player: Option<String>,
        /// What was bought.
        items: Vec<Item>,
        /// When the period begins that was paid, in seconds since 1970.
        period_seconds: Option<i64>,
    },
    /// So much of an object was given back, in all.
    Refund {
        /// Of what.
        object: String,
        /// Who had paid, where the event says so.
        player: Option<String>,
        /// How much.
        share: Share,
    },
    /// The payer of an object wants money back.
    Dispute {
        /// Of what.
        object: String,
        /// Who had paid, where the event says so.
        player: Option<String>,
        /// How much.
        share: Share,
        /// How that stands.
        state: DisputeState,
    },
    /// Something that the wallet need not know.
    NoEffect(super::Ignored),
    /// Nobody has said yet what this type of event means.
    Unknown {
        /// The provider's word for it.
        event_type: String,
    },
    /// The event is not as its type should be.
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// The event asks for what only a person can decide.
    Undecidable {
        /// What that is.
        detail: String,
    },
}

/// Something that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The provider's name for what it costs.
    pub price: String,
    /// How many of it.
    pub quantity: u64,
}

/// A part of the whole that was paid.
///
/// Invariant: `0 < part <= whole`.
///
/// # Units
///
/// The provider's smallest unit of money, the same in both. It says how much of a payment was taken back, never what a payment gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    part: i64,
    whole: i64,
}

impl Share {
    /// Reads two sums of money of one currency; [`None`] when they cannot be a part and its whole.
    #[must_use]
    pub fn new(part: i64, whole: i64) -> Option<Self> {
        (0 < part && part <= whole).then_some(Self { part, whole })
    }

    /// How much was taken back.
    #[must_use]
    pub const fn part(self) -> i64 {
        self.part
    }

    /// How much was paid.
    #[must_use]
    pub const fn whole(self) -> i64 {
        self.whole
    }
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// Nobody has decided.
    Open,
    /// The money is ours again.
    Won,
    /// The money is gone.
    Lost,
}

impl Meaning {
    /// The object whose payment is taken back, where the event does that.
    #[must_use]
    pub fn takes_back(&self) -> Option<&str> {
        match self {
            Self::Refund { object, .. } | Self::Dispute { object, .. } => Some(object),
            _ => None,
        }
    }
}
