//! Counts what a simulation draws.

use auric_ids::{RarityId, SpeciesId};

use super::banner::Banner;
use super::loot::Loot;
use super::pull::Drawn;

/// What was drawn so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many pulls.
    pub pulls: u64,
    /// From the highest tier to the lowest; of a box in the order of its items.
    pub tiers: Vec<TierTally>,
    /// Tier by tier; of a box in its own order.
    pub items: Vec<ItemTally>,
    /// Where each slot's items begin.
    starts: Vec<usize>,
    /// The tier of each slot.
    places: Vec<usize>,
}

/// How often a tier was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierTally {
    /// Which.
    pub tier: RarityId,
    /// How often.
    pub hits: u64,
    /// How often it was featured.
    pub featured_hits: u64,
    /// The most pulls from one hit to the next, or from the start to the first.
    pub longest: u64,
    last: u64,
}

/// How often an item was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemTally {
    /// Which.
    pub species: SpeciesId,
    /// Its tier.
    pub tier: RarityId,
    /// How often.
    pub hits: u64,
}

impl Tally {
    /// Begins with nothing.
    #[must_use]
    pub fn new(banner: &Banner) -> Self {
        let item =
            |species: &SpeciesId, tier: &RarityId| ItemTally { species: species.clone(), tier: tier.clone(), hits: 0 };
        let (mut items, mut starts, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let tiers: Vec<&RarityId> = match &banner.loot {
            Loot::Tiers(tiers) => {
                for (place, slot) in tiers.slots.iter().enumerate() {
                    starts.push(items.len());
                    places.push(place);
                    items.extend(slot.items.iter().map(|species| item(species, &slot.tier)));
                }
                tiers.slots.iter().map(|slot| &slot.tier).collect()
            }
            Loot::Box(loot) => {
                let tiers = loot.tiers();
                // Each item of a box is a slot, and its only item stands at the slot's own place.
                starts = vec![0; loot.items.len()];
                places.extend(loot.items.iter().filter_map(|item| tiers.iter().position(|tier| **tier == item.tier)));
                items.extend(loot.items.iter().map(|boxed| item(&boxed.species, &boxed.tier)));
                tiers
            }
        };
        let tiers = tiers.into_iter().map(|tier| TierTally {
            tier: tier.clone(),
            hits: 0,
            featured_hits: 0,
            longest: 0,
            last: 0,
        });
        Self { pulls: 0, tiers: tiers.collect(), items, starts, places }
    }

    /// Counts a pull.
    pub fn note(&mut self, drawn: &Drawn<'_>) {
        self.pulls = self.pulls.saturating_add(1);
        let place = self.starts.get(drawn.slot).map(|start| start.saturating_add(drawn.place));
        if let Some(item) = place.and_then(|place| self.items.get_mut(place)) {
            item.hits = item.hits.saturating_add(1);
        }
        if let Some(tier) = self.places.get(drawn.slot).and_then(|place| self.tiers.get_mut(*place)) {
            tier.hits = tier.hits.saturating_add(1);
            tier.featured_hits = tier.featured_hits.saturating_add(u64::from(drawn.featured == Some(true)));
            tier.longest = tier.longest.max(self.pulls.saturating_sub(tier.last));
            tier.last = self.pulls;
        }
    }
}
