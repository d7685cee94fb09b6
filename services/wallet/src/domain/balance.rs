//! One balance, and the only way to change it.

use auric_ids::{AssetId, PlayerId, PoolId};
use auric_money::Amount;
use serde::{Deserialize, Serialize};

use super::Settled;
use super::asset::no_pool;

/// Which balance: its order is the order of locking and of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BalanceKey {
    /// Whose.
    pub player: PlayerId,
    /// Of what.
    pub asset: AssetId,
    /// In which pool; the empty one where the asset has none.
    #[serde(default = "super::asset::no_pool", skip_serializing_if = "is_empty")]
    pub pool: PoolId,
}

impl BalanceKey {
    /// The balance of an asset that has no pools.
    #[must_use]
    pub fn plain(player: &PlayerId, asset: &AssetId) -> Self {
        Self { player: player.clone(), asset: asset.clone(), pool: no_pool() }
    }
}

/// What a player can spend of one asset, what is set aside, what is promised to come, and what is owed.
///
/// Invariant: `available_units + held_units + room_units <= Amount::MAX_UNITS`, `owed_units` by itself, and nobody who owes has something
/// available: every increase pays first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    available_units: u64,
    held_units: u64,
    room_units: u64,
    owed_units: u64,
}

/// What a movement adds to (positive) or takes from (negative) each part of a balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Of the available units.
    pub available_units: i64,
    /// Of the held units.
    pub held_units: i64,
    /// Of the room.
    pub room_units: i64,
    /// Of what is owed.
    pub owed_units: i64,
}

/// A balance and all that is stored beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What is there.
    pub balance: Balance,
    /// How often a credit pool was renewed.
    pub generation: u64,
    /// The newest period that a payment set it for; 0 for none.
    pub period: u64,
    /// The terms that a recharging balance was settled under; absent for every other kind.
    pub settled: Option<Settled>,
    /// The newest entry of it; absent where it was written before that was kept.
    pub newest: Option<Newest>,
    /// 0 for a balance that was never written; the store writes only over the version that was loaded.
    pub version: u64,
}

/// The newest entry of a balance: if it goes missing, it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Its number among the player's.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Row {
    /// Whether the row of `key` changes only together with its player's head: by movements, each of which is an entry.
    ///
    /// The terms of what recharges, and a pool's generation and period, can change without one.
    #[must_use]
    pub fn follows_head(&self, key: &BalanceKey) -> bool {
        key.pool.as_str().is_empty() && self.settled.is_none() && self.generation == 0 && self.period == 0
    }
}

impl Balance {
    /// Takes up a balance that was stored.
    ///
    /// `None` when the parts break the invariant: the store was changed by someone else's hand.
    #[must_use]
    pub fn from_parts(parts: [u64; 4]) -> Option<Self> {
        let [available_units, held_units, room_units, owed_units] = parts;
        let total = available_units.checked_add(held_units)?.checked_add(room_units)?;
        let fits = total <= Amount::MAX_UNITS && owed_units <= Amount::MAX_UNITS;
        let is_paid = available_units == 0 || owed_units == 0;
        (fits && is_paid).then_some(Self { available_units, held_units, room_units, owed_units })
    }

    /// Available, held, room, owed.
    #[must_use]
    pub const fn parts(self) -> [u64; 4] {
        [self.available_units, self.held_units, self.room_units, self.owed_units]
    }

    /// Units that can be spent now.
    #[must_use]
    pub const fn available_units(self) -> u64 {
        self.available_units
    }

    /// Units that open holds have set aside.
    #[must_use]
    pub const fn held_units(self) -> u64 {
        self.held_units
    }

    /// Units that open holds have promised to add.
    #[must_use]
    pub const fn room_units(self) -> u64 {
        self.room_units
    }

    /// Units that a refund took beyond what was there; the next increases pay them first.
    #[must_use]
    pub const fn owed_units(self) -> u64 {
        self.owed_units
    }

    /// What counts against a maximum: available, held and room together.
    #[must_use]
    pub const fn total_units(self) -> u64 {
        self.available_units.saturating_add(self.held_units).saturating_add(self.room_units)
    }

    /// The balance after `change`; `None` when a part would be below zero, or all of it beyond the bound.
    #[must_use]
    pub fn after(self, change: Change) -> Option<Self> {
        Self::from_parts([
            self.available_units.checked_add_signed(change.available_units)?,
            self.held_units.checked_add_signed(change.held_units)?,
            self.room_units.checked_add_signed(change.room_units)?,
            self.owed_units.checked_add_signed(change.owed_units)?,
        ])
    }
}

impl Change {
    /// Adds `units` to what can be spent.
    #[must_use]
    pub fn credit(units: u64) -> Self {
        Self { available_units: signed(units), ..Self::default() }
    }

    /// Takes `units` from what can be spent.
    #[must_use]
    pub fn debit(units: u64) -> Self {
        Self { available_units: signed(units).saturating_neg(), ..Self::default() }
    }

    /// Sets `units` aside.
    #[must_use]
    pub fn hold(units: u64) -> Self {
        Self { held_units: signed(units), ..Self::debit(units) }
    }

    /// Gives `units` that were set aside back.
    #[must_use]
    pub fn unhold(units: u64) -> Self {
        Self { available_units: signed(units), ..Self::take_held(units) }
    }

    /// Takes `units` that were set aside.
    #[must_use]
    pub fn take_held(units: u64) -> Self {
        Self { held_units: signed(units).saturating_neg(), ..Self::default() }
    }

    /// Promises room for `units`.
    #[must_use]
    pub fn promise(units: u64) -> Self {
        Self { room_units: signed(units), ..Self::default() }
    }

    /// Takes back room for `promised_units`, and adds `units` of it to what can be spent.
    #[must_use]
    pub fn fulfil(promised_units: u64, units: u64) -> Self {
        Self { room_units: signed(promised_units).saturating_neg(), ..Self::credit(units) }
    }

    /// Takes `units` from what can be spent, and lets `owed_units` more be owed.
    #[must_use]
    pub fn take_back(units: u64, owed_units: u64) -> Self {
        Self { owed_units: signed(owed_units), ..Self::debit(units) }
    }

    /// The same change, when `owed_units` are owed: what it adds to the available units pays them first.
    #[must_use]
    pub(super) fn paying(self, owed_units: u64) -> Self {
        let paid = self.available_units.clamp(0, signed(owed_units));
        let available_units = self.available_units.saturating_sub(paid);
        Self { available_units, owed_units: self.owed_units.saturating_sub(paid), ..self }
    }

    /// Available, held, room, owed.
    #[must_use]
    pub const fn parts(self) -> [i64; 4] {
        [self.available_units, self.held_units, self.room_units, self.owed_units]
    }

    /// The change with these parts: available, held, room, owed.
    #[must_use]
    pub const fn from_parts(parts: [i64; 4]) -> Self {
        let [available_units, held_units, room_units, owed_units] = parts;
        Self { available_units, held_units, room_units, owed_units }
    }
}

fn is_empty(pool: &PoolId) -> bool {
    pool.as_str().is_empty()
}

/// A number of units as a change. Numbers beyond `i64` stop there, where [`Balance::after`] refuses them.
fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Balance, Change};
    use auric_money::Amount;

    #[test]
    fn no_part_goes_below_zero() {
        let ten = Balance::from_parts([10, 0, 0, 0]).unwrap();
        assert_eq!(ten.after(Change::debit(10)), Some(Balance::default()));
        assert_eq!(ten.after(Change::debit(11)), None);
        assert_eq!(ten.after(Change { held_units: -1, ..Change::default() }), None);
        assert_eq!(ten.after(Change { available_units: i64::MIN, ..Change::default() }), None);
    }

    #[test]
    fn the_sum_of_the_parts_is_bounded() {
        assert!(Balance::from_parts([Amount::MAX_UNITS, 0, 0, 0]).is_some());
        assert_eq!(Balance::from_parts([Amount::MAX_UNITS, 1, 0, 0]), None);
        assert_eq!(Balance::from_parts([u64::MAX, 1, 1, 0]), None);
        assert_eq!(Balance::default().after(Change::credit(u64::MAX)), None);
    }

    #[test]
    fn what_is_owed_is_paid_first() {
        let owing = Balance::from_parts([0, 3, 0, 20]).unwrap();
        assert_eq!(owing.after(Change::credit(5)), None, "nobody who owes has something");
        let pay = |units| owing.after(Change::credit(units).paying(20)).unwrap().parts();
        assert_eq!((pay(5), pay(20), pay(21)), ([0, 3, 0, 15], [0, 3, 0, 0], [1, 3, 0, 0]));
        assert_eq!(Change::debit(5).paying(20), Change::debit(5));
    }
}
