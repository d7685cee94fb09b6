//! Holds: what is set aside or promised until somebody commits or releases it.

use std::sync::Arc;

use auric_ids::{AssetId, CallerId, HoldId, IdempotencyKey, PlayerId, PoolId};
use auric_keys::{Canon, Field};
use auric_money::Amount;
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BalanceKey, MutationKey, Note, Posted};

/// Legs to set aside, under a name of the caller's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The hold's name.
    pub hold: HoldId,
    /// 1 to [`super::LEGS_MAX`] legs.
    pub legs: Vec<HoldAsk>,
    /// Whether it is committed whole or not at all.
    pub whole: bool,
    /// How long it stands by itself; absent for ever. Only for a hold of one player.
    pub ttl_micros: Option<u64>,
    /// Why.
    pub note: Note,
}

/// One leg to set aside: a debit has a `from`, a credit a `to`, a transfer both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldAsk {
    /// Where units are set aside.
    pub from: Option<End>,
    /// Where room is promised.
    pub to: Option<End>,
    /// How much.
    pub amount: Amount,
}

/// A balance as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whose.
    pub player: PlayerId,
    /// Of what.
    pub asset: AssetId,
    /// In which pool; `None` when the caller named none.
    pub pool: Option<PoolId>,
}

/// What to take of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Which hold.
    pub hold: HoldId,
    /// How much of each leg, in order, 0 included; empty for all of it.
    pub amounts: Vec<u64>,
    /// A player of the hold, for the lane; not part of the request's meaning.
    pub player: Option<PlayerId>,
}

/// A hold to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Which hold.
    pub hold: HoldId,
    /// A player of the hold, for the lane; not part of the request's meaning.
    pub player: Option<PlayerId>,
}

/// What a hold is made with, and never changes: all that its end needs, whatever the catalog says by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTerms {
    /// What is set aside; empty for a tombstone.
    pub legs: Vec<HoldLeg>,
    /// Whether it is committed whole or not at all.
    pub whole: bool,
    /// Why.
    pub note: Note,
}

/// A hold as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub id: HoldId,
    /// Who made it, and may end it.
    pub caller: CallerId,
    /// The key that it was made, or voided, under.
    pub made_under: IdempotencyKey,
    /// What it was made with.
    pub terms: Arc<HoldTerms>,
    /// When it lapses by itself.
    pub expires_at: Option<Timestamp>,
    /// What the Reserve asked for, shortened.
    pub asked: [u8; 32],
    /// The answer to the Reserve.
    pub reserved: Posted,
    /// How it stands.
    pub state: HoldState,
}

/// One leg of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLeg {
    /// How much.
    pub amount: Amount,
    /// Where it is set aside, in the order of taking; empty for a credit. The parts add up to the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<HeldPart>,
    /// Where room is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<BalanceKey>,
}

/// Units that are set aside in one balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPart {
    /// Which balance.
    pub key: BalanceKey,
    /// How many.
    pub units: u64,
    /// The generation of the credit pool that they came from; 0 where pools are not renewed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
}

/// How a hold stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Nobody ended it yet.
    Held,
    /// Taken.
    Committed {
        /// How much of each leg.
        amounts: Vec<u64>,
        /// By what was asked under this key.
        under: MutationKey,
        /// The answer.
        answer: Posted,
    },
    /// Given back.
    Released {
        /// By what was asked under this key.
        under: MutationKey,
        /// The answer.
        answer: Posted,
    },
    /// Its time was up.
    Expired {
        /// When that was written; what it set aside could be spent from `expires_at` on.
        time: Timestamp,
    },
    /// Released before it was made: it can never be made.
    Voided {
        /// By what was asked under this key.
        under: MutationKey,
        /// The answer.
        answer: Posted,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it skips by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Reserve {
    /// Whom it touches, with repetitions.
    pub fn players(&self) -> impl Iterator<Item = &PlayerId> {
        self.legs.iter().flat_map(|leg| leg.from.iter().chain(&leg.to)).map(|end| &end.player)
    }

    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut legs = Canon::default();
        for leg in &self.legs {
            for end in [&leg.from, &leg.to] {
                let end = end.as_ref();
                legs.text(end.map_or("", |end| end.player.as_str())).text(end.map_or("", |end| end.asset.as_str()));
                legs.text(end.and_then(|end| end.pool.as_ref()).map_or("", PoolId::as_str));
            }
            legs.units(leg.amount.units());
        }
        let mut fields = vec![("hold_id", Canon::of(self.hold.as_str())), ("legs", legs)];
        if self.whole {
            fields.push(("whole", Canon::of("true")));
        }
        if let Some(ttl_micros) = self.ttl_micros {
            let mut ttl = Canon::default();
            ttl.units(ttl_micros);
            fields.push(("ttl", ttl));
        }
        fields.extend(self.note.canonical_fields());
        fields
    }
}

impl Commit {
    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut fields = vec![("hold_id", Canon::of(self.hold.as_str()))];
        if !self.amounts.is_empty() {
            let mut amounts = Canon::default();
            for amount in &self.amounts {
                amounts.units(*amount);
            }
            fields.push(("amounts", amounts));
        }
        fields
    }
}

impl Hold {
    /// Every balance that it set aside in or promised to, with repetitions.
    pub fn balances(&self) -> impl Iterator<Item = &BalanceKey> {
        self.terms.legs.iter().flat_map(|leg| leg.from.iter().map(|part| &part.key).chain(&leg.to))
    }

    /// Whose it is, when all of it is one player's; nobody's for a tombstone.
    #[must_use]
    pub fn only_player(&self) -> Option<&PlayerId> {
        let mut players = self.balances().map(|key| &key.player);
        let first = players.next()?;
        players.all(|player| player == first).then_some(first)
    }

    /// Whether nobody ended it yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, HoldState::Held)
    }

    /// Whether its time is up, though nobody wrote that yet.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_open() && self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// The amounts that were set aside, leg by leg.
    #[must_use]
    pub fn amounts(&self) -> Vec<u64> {
        self.terms.legs.iter().map(|leg| leg.amount.units()).collect()
    }
}

impl HoldState {
    /// The word that is stored and shown.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed { .. } => "committed",
            Self::Released { .. } => "released",
            Self::Expired { .. } => "expired",
            Self::Voided { .. } => "voided",
        }
    }
}
