//! One balance, and the only way to change it.

use auric_ids::{AssetId, PlayerId, PoolId};
use auric_money::Amount;

/// Which balance: its order is the order of locking and of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalanceKey {
    /// Whose.
    pub player: PlayerId,
    /// Of what.
    pub asset: AssetId,
    /// In which pool; the empty one where the asset has none.
    pub pool: PoolId,
}

/// What a player can spend of one asset, what is set aside, and what is promised to come.
///
/// Invariant: `available_units + held_units + room_units <= Amount::MAX_UNITS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    available_units: u64,
    held_units: u64,
    room_units: u64,
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
}

impl Balance {
    /// Takes up a balance that was stored.
    ///
    /// `None` when the three parts break the invariant: the store was changed by someone else's hand.
    #[must_use]
    pub fn from_parts(available_units: u64, held_units: u64, room_units: u64) -> Option<Self> {
        let total = available_units.checked_add(held_units)?.checked_add(room_units)?;
        (total <= Amount::MAX_UNITS).then_some(Self { available_units, held_units, room_units })
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

    /// What counts against a maximum: the three parts together.
    #[must_use]
    pub const fn total_units(self) -> u64 {
        self.available_units.saturating_add(self.held_units).saturating_add(self.room_units)
    }

    /// The balance after `change`; `None` when a part would be below zero, or all of it beyond the bound.
    #[must_use]
    pub fn after(self, change: Change) -> Option<Self> {
        Self::from_parts(
            self.available_units.checked_add_signed(change.available_units)?,
            self.held_units.checked_add_signed(change.held_units)?,
            self.room_units.checked_add_signed(change.room_units)?,
        )
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
        let ten = Balance::from_parts(10, 0, 0).unwrap();
        assert_eq!(ten.after(Change::debit(10)), Some(Balance::default()));
        assert_eq!(ten.after(Change::debit(11)), None);
        assert_eq!(ten.after(Change { held_units: -1, ..Change::default() }), None);
        assert_eq!(ten.after(Change { available_units: i64::MIN, ..Change::default() }), None);
    }

    #[test]
    fn the_sum_of_the_parts_is_bounded() {
        assert!(Balance::from_parts(Amount::MAX_UNITS, 0, 0).is_some());
        assert_eq!(Balance::from_parts(Amount::MAX_UNITS, 1, 0), None);
        assert_eq!(Balance::from_parts(u64::MAX, 1, 1), None);
        assert_eq!(Balance::default().after(Change::credit(u64::MAX)), None);
    }
}
