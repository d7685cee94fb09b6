//! What the next pull depends on, and what a pull makes of it: the one step that drawing repeats and the odds follow.

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
    /// The least tier of the next pull: what the first pulls promise when it is due, or `floor` when that is higher.
    #[must_use]
    pub fn floor(&self, tiers: &Tiers, floor: Option<usize>) -> Option<usize> {
        let is_due = |first: &Promise| !self.first_kept && self.pulls.saturating_add(1) >= first.pulls;
        let first = tiers.first.filter(is_due).map(|first| first.slot);
        // A smaller place is a higher tier.
        floor.into_iter().chain(first).min()
    }

    /// The chance of each tier in the next pull: they are a billion together.
    ///
    /// The highest tier has its whole chance, the next what of its own is left then, and so on; the lowest has all that is left, and so
    /// has the tier of `floor`.
    pub fn shares(&self, slots: &[Slot], floor: Option<usize>) -> impl Iterator<Item = Ppb> {
        let last = slots.len().saturating_sub(1);
        let least = floor.map_or(last, |floor| floor.min(last));
        let mut left = Ppb::ONE;
        slots.iter().zip(self.counts).enumerate().map(move |(place, (slot, count))| {
            let share = if place >= least { left } else { slot.rate_at(count).min(left) };
            left = left.minus(share);
            share
        })
    }

    /// What a pull that hit the item at `place` of tier `hit` makes of this.
    #[must_use]
    pub fn after(mut self, tiers: &Tiers, hit: usize, place: usize, how: How) -> Self {
        for (index, slot) in tiers.slots.iter().enumerate() {
            let Some(track) = &slot.track else { continue };
            let count = &mut self.counts[index];
            let missed = if how.advances { track.scheme.missed(*count) } else { *count };
            *count = match index.cmp(&hit) {
                std::cmp::Ordering::Equal if how.resets => 0,
                // Pity took no part: what the hit would have reset stays.
                std::cmp::Ordering::Equal => *count,
                std::cmp::Ordering::Less => missed,
                std::cmp::Ordering::Greater if !how.resets => missed,
                std::cmp::Ordering::Greater => match track.on_higher {
                    OnHigher::Keep => missed,
                    OnHigher::Reset => 0,
                    OnHigher::Freeze => *count,
                },
            };
        }
        if how.resets {
            self.lucks[hit] = tiers.slots[hit].choice.scheme().after(self.lucks[hit], place);
            if let Some(first) = tiers.first
                && self.pulls < first.pulls
            {
                self.pulls = self.pulls.saturating_add(1);
                self.first_kept |= hit <= first.slot;
                // Once it is kept or over, all players are alike.
                if self.first_kept || self.pulls >= first.pulls {
                    (self.pulls, self.first_kept) = (first.pulls, true);
                }
            }
        }
        self
    }
}
