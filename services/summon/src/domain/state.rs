//! What the next pull depends on, and what a pull makes of it: the one step that drawing repeats and the odds follow.

use std::cmp::Ordering;

use super::loot::{Promise, Slot, TIERS_MAX, Tiers};
use super::pity::{Hazard as _, OnHigher};
use super::ppb::Ppb;
use super::selection::Luck;

/// What a pull does to pity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// A miss counts.
    pub advances: bool,
    /// Pity takes part: it raises the chance, and a hit resets it. Otherwise the pull is one of a player who never pulled.
    pub resets: bool,
}

/// What the next pull of one player depends on, tier by tier in the order of the loot table's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// What each tier's pity has counted; 0 without pity.
    pub counts: [u32; TIERS_MAX],
    /// What each tier's earlier hits mean.
    pub lucks: [Luck; TIERS_MAX],
    /// Pulls so far, as long as the first ones promise something; then it rests.
    pub pulls: u32,
    /// Whether that promise was kept.
    pub first_kept: bool,
}

impl How {
    /// A pull that is paid for: pity takes part and counts.
    pub const PAID: Self = Self { advances: true, resets: true };
}

impl State {
    /// A player whose pity takes no part: who never pulled, and is promised nothing.
    pub const NO_PITY: Self = Self {
        counts: [0; TIERS_MAX],
        lucks: [Luck { losses: 0, points: 0, target: None }; TIERS_MAX],
        pulls: u32::MAX,
        first_kept: true,
    };

    /// The least tier of the next pull: what the first pulls promise when it is due, or `floor` when that is higher.
    #[must_use]
    pub fn floor(&self, tiers: &Tiers, floor: Option<usize>) -> Option<usize> {
        let is_due = |first: &Promise| !self.first_kept && self.pulls.saturating_add(1) >= first.pulls;
        let first = tiers.first.filter(is_due).map(|first| first.slot);
        // A smaller place is a higher tier.
        floor.into_iter().chain(first).min()
    }

    /// The chance of each tier in the next pull of at least the tier at `floor`: they are a billion together.
    pub fn shares(&self, slots: &[Slot], floor: Option<usize>) -> impl Iterator<Item = Ppb> {
        shares(slots.iter().zip(self.counts).map(|(slot, count)| slot.rate_at(count)), slots.len(), floor)
    }

    /// What a pull that hit the item at `place` of tier `hit` makes of this.
    #[must_use]
    pub fn after(mut self, tiers: &Tiers, hit: usize, place: usize, how: How) -> Self {
        for (place, slot) in tiers.slots.iter().enumerate() {
            if let Some(track) = &slot.track {
                let count = self.counts[place];
                let missed = track.scheme.missed(count);
                self.counts[place] = counted(track.on_higher, count, missed, place.cmp(&hit), how);
            }
        }
        if how.resets {
            self.lucks[hit] = tiers.slots[hit].choice.scheme().after(self.lucks[hit], place);
            if let Some(first) = tiers.first {
                (self.pulls, self.first_kept) = first_after(first, self.pulls, self.first_kept, hit);
            }
        }
        self
    }
}

/// Shares a billion among the tiers, whose own chances are `rates`, highest first.
///
/// The highest tier has its whole chance, the next what of its own is left then, and so on; the lowest of the `slots` has all that is
/// left, and so has the one at `floor`.
pub(super) fn shares(
    rates: impl Iterator<Item = Ppb>,
    slots: usize,
    floor: Option<usize>,
) -> impl Iterator<Item = Ppb> {
    let last = slots.saturating_sub(1);
    let least = floor.map_or(last, |floor| floor.min(last));
    let mut left = Ppb::ONE;
    rates.enumerate().map(move |(place, rate)| {
        let share = if place >= least { left } else { rate.min(left) };
        left = left.minus(share);
        share
    })
}

/// What a pull makes of one tier's count, where `missed` is what a miss makes of it; the tier is higher than the one that was hit
/// (`Less`: its place is smaller), hit itself, or lower.
pub(super) fn counted<N: Copy + Default>(on_higher: OnHigher, count: N, missed: N, place: Ordering, how: How) -> N {
    let after_miss = if how.advances { missed } else { count };
    match place {
        Ordering::Less => after_miss,
        Ordering::Equal if how.resets => N::default(),
        // Pity took no part: what the hit would have reset stays.
        Ordering::Equal => count,
        Ordering::Greater if !how.resets => after_miss,
        Ordering::Greater => match on_higher {
            OnHigher::Keep => after_miss,
            OnHigher::Reset => N::default(),
            OnHigher::Freeze => count,
        },
    }
}

/// What a hit of the tier at `hit` makes of the promise of the first pulls; once it is kept or over, all players are alike.
pub(super) fn first_after(first: Promise, pulls: u32, is_kept: bool, hit: usize) -> (u32, bool) {
    let pulls = pulls.saturating_add(1);
    if is_kept || hit <= first.slot || pulls >= first.pulls { (first.pulls, true) } else { (pulls, false) }
}
