//! What a banner can give: tiers with rates and items, or a box that is emptied.

use std::num::NonZeroU32;

use auric_ids::{RarityId, SpeciesId};

use super::pity::{OnHigher, Scheme};
use super::ppb::Ppb;
use super::selection::Choice;

/// The most tiers that a loot table has.
pub const TIERS_MAX: usize = 8;

/// What a banner can give.
#[derive(Clone, Debug)]
pub enum Loot {
    /// A tier is drawn by its rate, then one of its items.
    Tiers(Tiers),
    /// A box of items that do not come back until it is renewed.
    Box(BoxLoot),
}

/// Tiers with rates, and the promises over them.
#[derive(Clone, Debug)]
pub struct Tiers {
    /// Highest first; never empty, at most [`TIERS_MAX`].
    pub slots: Vec<Slot>,
    /// What a player's first pulls promise.
    pub first: Option<Promise>,
    /// What a summon of so many pulls promises.
    pub floor: Option<Promise>,
}

/// Among so many pulls one is of this tier or a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// How many pulls; at least 1.
    pub pulls: u32,
    /// The tier's place among the slots.
    pub slot: usize,
}

/// One tier of a loot table.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Which tier.
    pub tier: RarityId,
    /// Its chance before pity; those of a table are a billion together.
    pub rate: Ppb,
    /// The pity that raises it, when it has one.
    pub track: Option<Track>,
    /// How one of its items is chosen.
    pub choice: Choice,
    /// Its items; the choice names them by their place.
    pub items: Vec<SpeciesId>,
}

/// A tier's pity: how its chance grows, and what a better hit does to it.
#[derive(Clone, Debug)]
pub struct Track {
    /// How the chance grows with every miss.
    pub scheme: Scheme,
    /// What a hit of a higher tier does to the count.
    pub on_higher: OnHigher,
}

/// A box of items without replacement.
#[derive(Clone, Debug)]
pub struct BoxLoot {
    /// What is in a full box; never empty.
    pub items: Vec<BoxItem>,
    /// When it is filled again.
    pub renews: Renews,
}

/// One kind of item in a box.
#[derive(Clone, Debug)]
pub struct BoxItem {
    /// Which.
    pub species: SpeciesId,
    /// Its tier.
    pub tier: RarityId,
    /// How many a full box has.
    pub copies: NonZeroU32,
}

/// When a box is filled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renews {
    /// When it is empty.
    Empty,
    /// As soon as the item at this place was drawn the last time, whatever else is left.
    Without(usize),
}

impl Slot {
    /// The chance of the tier when `count` is what its pity has counted, before higher tiers took their share.
    #[must_use]
    pub fn rate_at(&self, count: u32) -> Ppb {
        use super::pity::Hazard as _;
        self.track.as_ref().map_or(self.rate, |track| track.scheme.rate(self.rate, count))
    }
}

impl BoxLoot {
    /// How many of each item a full box has.
    #[must_use]
    pub fn full(&self) -> Vec<u32> {
        self.items.iter().map(|item| item.copies.get()).collect()
    }

    /// The tiers of its items, each once, in the order of the items.
    #[must_use]
    pub fn tiers(&self) -> Vec<&RarityId> {
        let mut tiers: Vec<&RarityId> = Vec::new();
        for item in &self.items {
            if !tiers.contains(&&item.tier) {
                tiers.push(&item.tier);
            }
        }
        tiers
    }
}
