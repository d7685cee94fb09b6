//! The odds of one player's next pull, in integers.

use auric_ids::{RarityId, SpeciesId};

use super::Chance;
use super::luck::outcomes;
use crate::domain::banner::Banner;
use crate::domain::loot::Loot;
use crate::domain::pity::{Hazard as _, Pity};
use crate::domain::ppb::Ppb;
use crate::domain::pull::Play;
use crate::domain::state::{How, State};

/// The odds of the next pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Tiers, highest first; their chances are one together.
    pub tiers: Vec<TierOdds>,
    /// Items, tier by tier; their chances are one together.
    pub items: Vec<ItemOdds>,
}

/// A tier in the next pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierOdds {
    /// Which.
    pub tier: RarityId,
    /// Its chance.
    pub chance: Chance,
    /// Misses since the last hit, or what fills the bar; none without pity.
    pub count: Option<u32>,
    /// How far the pity is on its way: what a player sees as a percentage.
    pub filled: Option<Ppb>,
}

/// An item in the next pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemOdds {
    /// Which.
    pub species: SpeciesId,
    /// Its tier.
    pub tier: RarityId,
    /// Whether it is featured; none where nothing is.
    pub featured: Option<bool>,
    /// Its chance.
    pub chance: Chance,
}

/// Tells the odds of the next pull of a player with `pity`, without the floor that a summon of several promises.
#[must_use]
pub fn next(banner: &Banner, how: How, pity: &Pity) -> Next {
    let play = Play::new(banner, how, pity);
    let mut told = Next { tiers: Vec::new(), items: Vec::new() };
    match &banner.loot {
        Loot::Tiers(tiers) => {
            let seen = if how.resets { *play.state() } else { State::NO_PITY };
            let shares = seen.shares(&tiers.slots, seen.floor(tiers, None));
            for ((place, slot), share) in tiers.slots.iter().enumerate().zip(shares) {
                let count = slot.track.as_ref().map(|_| play.state().counts[place]);
                let filled = slot.track.as_ref().zip(count).map(|(track, count)| track.scheme.filled(count));
                told.tiers.push(TierOdds { tier: slot.tier.clone(), chance: Chance::of(share), count, filled });
                let scheme = slot.choice.scheme();
                let mut chances = vec![Chance { over: 0, under: 1 }; slot.items.len()];
                outcomes(scheme, seen.lucks[place], |item, chance| chances[item] = Chance::of(share).then(chance));
                told.items.extend(slot.items.iter().zip(chances).enumerate().map(|(item, (species, chance))| {
                    ItemOdds {
                        species: species.clone(),
                        tier: slot.tier.clone(),
                        featured: scheme.is_featured(item),
                        chance,
                    }
                }));
            }
        }
        Loot::Box(loot) => {
            let total = play.left().iter().fold(0_u64, |sum, left| sum.saturating_add(u64::from(*left)));
            for (item, left) in loot.items.iter().zip(play.left()) {
                let chance = Chance::CERTAIN.and(u64::from(*left), total);
                let (species, tier) = (item.species.clone(), item.tier.clone());
                told.items.push(ItemOdds { species, tier, featured: None, chance });
            }
            for tier in loot.tiers() {
                let left = loot.items.iter().zip(play.left()).filter(|(item, _)| item.tier == *tier);
                let left = left.fold(0_u64, |sum, (_, left)| sum.saturating_add(u64::from(*left)));
                let chance = Chance::CERTAIN.and(left, total);
                told.tiers.push(TierOdds { tier: tier.clone(), chance, count: None, filled: None });
            }
        }
    }
    told
}
