//! Payments for real money: what is known of one, and what of that its player has.
//!
//! What is known only ever grows, and how it grows does not depend on the order: each number is the largest that was told, a dispute goes
//! forward only. What a player has got follows from what is known, and never from the event that came last.

use auric_keys::{Canon, Field};
use std::collections::BTreeMap;

use auric_ids::{AssetId, EventId, ObjectId, PlayerId, PoolId, ProviderId};
use serde::{Deserialize, Serialize};

use super::{MutationKey, Note, Posted};

/// The most legs of one payment.
pub const PAYMENT_LEGS_MAX: usize = 100;

/// Which payment: a provider's own name for a charge or an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentKey {
    /// Whom the player paid.
    pub provider: ProviderId,
    /// The provider's name for it.
    pub object: ObjectId,
}

/// Which event: a provider's own name for something that it told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// Who told it.
    pub provider: ProviderId,
    /// The provider's name for it.
    pub event: EventId,
}

/// What a provider told of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPayment {
    /// Who paid.
    pub player: PlayerId,
    /// Which payment.
    pub payment: PaymentKey,
    /// The provider's name for what it told.
    pub event: EventId,
    /// What it told.
    pub fact: Fact,
    /// Why.
    pub note: Note,
}

/// What a provider told: totals, not changes since the event before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It was paid, and adds.
    Purchase(Vec<Gift>),
    /// It was paid for a period, and sets pools.
    Renewal {
        /// What the pools are set to.
        pools: Vec<Gift>,
        /// Which period; more for a later one.
        period: u64,
    },
    /// Some of it was given back.
    Refund(Share),
    /// It is disputed.
    Dispute {
        /// How the dispute stands.
        state: DisputeState,
        /// How much is disputed.
        share: Share,
    },
}

/// What a payment gives of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// Of what.
    pub asset: AssetId,
    /// In which pool; the empty one where the asset has none.
    pub pool: PoolId,
    /// How much.
    pub units: u64,
}

/// A part of what was paid, in the provider's smallest unit of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The part.
    pub of_it: u64,
    /// What was paid; never 0, never less than the part.
    pub price: u64,
}

/// How a dispute stands; it only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// There is none.
    #[default]
    None,
    /// The money is gone until it is decided.
    Opened,
    /// The money is gone.
    Lost,
    /// The money came back.
    Won,
}

/// All that was told of a payment, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// What was paid; 0 while nobody said.
    pub price: u64,
    /// How much was given back.
    pub refunded: u64,
    /// How much is, or was, disputed.
    pub disputed: u64,
    /// How the dispute stands.
    pub dispute: DisputeState,
}

/// One payment as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Which.
    pub key: PaymentKey,
    /// Who paid.
    pub player: PlayerId,
    /// All that was told.
    pub known: Known,
    /// What it gives, in the order of assets and pools; empty until it is known to have been made.
    pub parts: Vec<Part>,
}

/// What a payment gives of one asset, and what of it was given so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Of what.
    pub asset: AssetId,
    /// In which pool; the empty one where the asset has none.
    #[serde(default = "super::asset::no_pool")]
    pub pool: PoolId,
    /// What it gives in all, while nothing is taken back.
    pub units: u64,
    /// The newest period that it was said to set the pool for; nothing where it adds.
    pub period: Option<u64>,
    /// What was given, less what was taken back, of the generation below.
    pub given_units: u64,
    /// The generation of the pool that it was given to; nothing while nothing was given.
    pub generation: Option<u64>,
    /// Whether it set the pool, and so began that generation.
    pub is_set: bool,
    /// What was given to older generations: it lapsed with them.
    pub lapsed_units: u64,
}

/// A payment and the number of times that it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// The payment.
    pub payment: Payment,
    /// 0 for one that was never written.
    pub version: u64,
}

/// An event that was acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Which.
    pub key: EventKey,
    /// The payment that it told of.
    pub object: ObjectId,
    /// Who had paid.
    pub player: PlayerId,
    /// What it told, in a word.
    pub kind: String,
    /// The mutation that acted on it.
    pub under: MutationKey,
    /// What that was answered.
    pub answer: Posted,
}

impl RecordPayment {
    /// Which event it is.
    #[must_use]
    pub fn event_key(&self) -> EventKey {
        EventKey { provider: self.payment.provider.clone(), event: self.event.clone() }
    }

    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut fact = Canon::default();
        self.fact.write(&mut fact);
        let mut fields = vec![
            ("player_id", Canon::of(self.player.as_str())),
            ("provider", Canon::of(self.payment.provider.as_str())),
            ("event_id", Canon::of(self.event.as_str())),
            ("object_id", Canon::of(self.payment.object.as_str())),
            (self.fact.kind(), fact),
        ];
        fields.extend(self.note.canonical_fields());
        fields
    }
}

impl Fact {
    /// The word that is stored: the request field's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Purchase(_) => "purchase",
            Self::Renewal { .. } => "renewal",
            Self::Refund(_) => "refund",
            Self::Dispute { .. } => "dispute",
        }
    }

    /// What it says that the payment gives.
    #[must_use]
    pub fn gifts(&self) -> &[Gift] {
        match self {
            Self::Purchase(gifts) | Self::Renewal { pools: gifts, .. } => gifts,
            Self::Refund(_) | Self::Dispute { .. } => &[],
        }
    }

    /// The period that it says that pools are set for.
    const fn period(&self) -> Option<u64> {
        match self {
            Self::Renewal { period, .. } => Some(*period),
            Self::Purchase(_) | Self::Refund(_) | Self::Dispute { .. } => None,
        }
    }

    fn write(&self, canon: &mut Canon) {
        for gift in self.gifts() {
            canon.text(gift.asset.as_str()).text(gift.pool.as_str()).units(gift.units);
        }
        match self {
            Self::Purchase(_) => {}
            Self::Renewal { period, .. } => drop(canon.units(*period)),
            Self::Refund(share) => drop(canon.units(share.of_it).units(share.price)),
            Self::Dispute { state, share } => {
                canon.text(state.as_str()).units(share.of_it).units(share.price);
            }
        }
    }
}

impl DisputeState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Opened => "opened",
            Self::Lost => "lost",
            Self::Won => "won",
        }
    }
}

impl Known {
    /// Adds what `fact` says. The order in which facts are added makes no difference, nor how often.
    fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::Purchase(_) | Fact::Renewal { .. } => {}
            Fact::Refund(share) => {
                self.price = self.price.max(share.price);
                self.refunded = self.refunded.max(share.of_it);
            }
            Fact::Dispute { state, share } => {
                self.price = self.price.max(share.price);
                self.disputed = self.disputed.max(share.of_it);
                self.dispute = self.dispute.max(*state);
            }
        }
    }

    /// What is left of `units` when what was paid back is taken off; a broken unit stays with the player.
    #[must_use]
    pub fn left_of(&self, units: u64) -> u64 {
        let disputed = match self.dispute {
            DisputeState::Opened | DisputeState::Lost => self.disputed,
            DisputeState::None | DisputeState::Won => 0,
        };
        let returned = self.refunded.saturating_add(disputed).min(self.price);
        // Both are below 2^64, so that their product fits.
        let taken = u128::from(units).saturating_mul(u128::from(returned)).checked_div(u128::from(self.price));
        units.saturating_sub(taken.and_then(|taken| u64::try_from(taken).ok()).unwrap_or(0))
    }
}

impl Payment {
    /// A payment that nothing is known of.
    #[must_use]
    pub fn new(key: PaymentKey, player: PlayerId) -> Self {
        Self { key, player, known: Known::default(), parts: Vec::new() }
    }

    /// Adds what `fact` says: of two numbers the larger.
    pub fn learn(&mut self, fact: &Fact) {
        self.known.learn(fact);
        if fact.gifts().is_empty() {
            return;
        }
        let mut parts: BTreeMap<(AssetId, PoolId), Part> = std::mem::take(&mut self.parts)
            .into_iter()
            .map(|part| ((part.asset.clone(), part.pool.clone()), part))
            .collect();
        for Gift { asset, pool, units } in fact.gifts() {
            let part = parts.entry((asset.clone(), pool.clone())).or_insert_with(|| Part {
                asset: asset.clone(),
                pool: pool.clone(),
                units: 0,
                period: None,
                given_units: 0,
                generation: None,
                is_set: false,
                lapsed_units: 0,
            });
            part.units = part.units.max(*units);
            part.period = part.period.max(fact.period());
        }
        self.parts = parts.into_values().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::{DisputeState, Known};

    #[test]
    fn what_is_left_is_in_proportion_to_what_was_not_given_back() {
        let known = |refunded, disputed, dispute| Known { price: 3, refunded, disputed, dispute };
        assert_eq!(Known::default().left_of(50), 50);
        assert_eq!(known(1, 0, DisputeState::None).left_of(50), 34, "a broken unit stays");
        assert_eq!(known(1, 2, DisputeState::Opened).left_of(50), 0, "together they are all of it");
        assert_eq!(known(1, 2, DisputeState::Won).left_of(50), 34);
        assert_eq!(known(3, 3, DisputeState::Lost).left_of(u64::MAX >> 11), 0, "and never more than all");
    }
}
