//! Loot tables: rates that are a billion together, items that exist, have the tier they stand under, and can be drawn.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use auric_catalog::CatalogError;
use auric_ids::{RarityId, SpeciesId};

use super::BANNERS;
use super::pity::scheme;
use super::species::Species;
use super::tables::{BoxTable, GroupTable, LootTable, TierTable};
use crate::domain::selection::{Choice, Featured, Path, Weighted, Weights};
use crate::domain::{BoxItem, BoxLoot, Loot, Ppb, Promise, Renews, Slot, TIERS_MAX, Tiers, Track};

/// The most items of one tier or box.
const ITEMS_MAX: usize = 2_000;

/// What a loot table is built from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The loot table's key, such as `tables.standard`.
    pub key: &'a str,
    /// The pity group's key, such as `pity_groups.standard`.
    pub group_key: &'a str,
    /// From the lowest to the highest.
    pub rarities: &'a [RarityId],
    /// All there are.
    pub species: &'a BTreeMap<SpeciesId, Species>,
}

/// The most ways that the counts of a group's tiers can stand: so many are followed to tell the odds, in less than 50 ms.
const PITY_STATES_MAX: usize = 50_000;

fn fault(key: String, reason: impl Into<String>) -> CatalogError {
    CatalogError::new(BANNERS, key, reason)
}

impl Parts<'_> {
    /// Builds the loot that `table` describes under the pity of `group`.
    pub fn loot(&self, table: &LootTable, group: &GroupTable) -> Result<Loot, CatalogError> {
        match (&table.boxed, table.tiers.is_empty()) {
            (Some(_), false) => Err(fault(self.key.to_owned(), "must have either tiers or a box")),
            (None, true) => Err(fault(self.key.to_owned(), "has neither tiers nor a box")),
            (None, false) => self.tiers(&table.tiers, group).map(Loot::Tiers),
            (Some(_), true) if !group.tiers.is_empty() || group.first.is_some() => {
                let reason = format!("a box has no pity, and {} has some", self.group_key);
                Err(fault(format!("{}.box", self.key), reason))
            }
            (Some(boxed), true) => self.boxed(boxed).map(Loot::Box),
        }
    }

    fn tiers(&self, tables: &BTreeMap<RarityId, TierTable>, group: &GroupTable) -> Result<Tiers, CatalogError> {
        let key = format!("{}.tiers", self.key);
        if let Some(stray) = tables.keys().find(|tier| !self.rarities.contains(tier)) {
            return Err(fault(format!("{key}.{stray}"), format!("is not in {}", super::RARITIES)));
        }
        if tables.len() > TIERS_MAX {
            return Err(fault(key, format!("has {} tiers; at most {TIERS_MAX}", tables.len())));
        }
        let sum = tables.values().fold(0_u64, |sum, table| sum.saturating_add(table.rate_ppb));
        if sum != u64::from(Ppb::ONE.parts()) {
            return Err(fault(key, format!("the rates are {sum} parts together, not 1_000_000_000")));
        }
        if let Some(tier) = group.tiers.keys().find(|tier| !tables.contains_key(*tier)) {
            let reason = format!("is not a tier of {}, which shares this pity", self.key);
            return Err(fault(format!("{}.tiers.{tier}", self.group_key), reason));
        }
        let highest_first = self.rarities.iter().rev().filter_map(|tier| tables.get_key_value(tier));
        let slots = highest_first
            .map(|(tier, table)| self.slot(&format!("{key}.{tier}"), tier, table, group))
            .collect::<Result<Vec<_>, _>>()?;
        self.check_reachable(&slots)?;
        self.check_depth(&slots)?;
        let first = match &group.first {
            None => None,
            Some(first) => {
                let promise = self.promise(&slots, &first.tier, first.within);
                Some(promise.map_err(|reason| fault(format!("{}.first", self.group_key), reason))?)
            }
        };
        Ok(Tiers { slots, first, floor: None })
    }

    /// Promises `tier` or better among `pulls`.
    pub fn promise(&self, slots: &[Slot], tier: &RarityId, pulls: u32) -> Result<Promise, String> {
        if !(1..=super::pity::PULLS_MAX).contains(&pulls) {
            return Err(format!("promises something within {pulls} pulls; must be 1 to {}", super::pity::PULLS_MAX));
        }
        match slots.iter().position(|slot| slot.tier == *tier) {
            None => Err(format!("promises {tier}, which is not a tier of {}", self.key)),
            Some(slot) if slot == slots.len().saturating_sub(1) => {
                Err(format!("promises {tier}, which is the lowest tier of {}", self.key))
            }
            Some(slot) => Ok(Promise { pulls, slot }),
        }
    }

    fn slot(&self, key: &str, tier: &RarityId, table: &TierTable, group: &GroupTable) -> Result<Slot, CatalogError> {
        let rate = Ppb::at_most_one(table.rate_ppb);
        let track_key = format!("{}.tiers.{tier}", self.group_key);
        let track = match group.tiers.get(tier) {
            None => None,
            Some(track) => Some(Track { scheme: scheme(&track_key, track, rate)?, on_higher: track.on_higher }),
        };
        let both = table.featured.keys().find(|species| table.items.contains_key(*species));
        if let Some(both) = both {
            return Err(fault(format!("{key}.featured.{both}"), "is among the items too"));
        }
        let species: Vec<SpeciesId> = table.featured.keys().chain(table.items.keys()).cloned().collect();
        if species.is_empty() || species.len() > ITEMS_MAX {
            return Err(fault(key.to_owned(), format!("must have 1 to {ITEMS_MAX} items, has {}", species.len())));
        }
        for item in &species {
            let found = self.known(&format!("{key}.{item}"), item)?;
            if found.rarity != *tier {
                return Err(fault(format!("{key}.{item}"), format!("is {}, not {tier}", found.rarity)));
            }
        }
        Ok(Slot { tier: tier.clone(), rate, track, choice: choice(key, table)?, items: species })
    }

    fn known(&self, key: &str, id: &SpeciesId) -> Result<&Species, CatalogError> {
        match self.species.get(id) {
            None => Err(fault(key.to_owned(), format!("is not in {}", super::ESPRITS))),
            Some(species) if species.retired => Err(fault(key.to_owned(), "is retired: nobody can get it any more")),
            Some(species) => Ok(species),
        }
    }

    fn check_reachable(&self, slots: &[Slot]) -> Result<(), CatalogError> {
        for (index, slot) in slots.iter().enumerate() {
            let key = format!("{}.tiers.{}", self.key, slot.tier);
            let is_lowest = index == slots.len().saturating_sub(1);
            if is_lowest && slot.track.is_some() {
                let reason = "is the lowest tier: what the others leave is its chance, and pity has no part in it";
                return Err(fault(format!("{}.tiers.{}", self.group_key, slot.tier), reason));
            }
            if slot.rate == Ppb::ZERO && slot.track.is_none() {
                return Err(fault(format!("{key}.rate_ppb"), "is 0 and has no pity: its items cannot be drawn"));
            }
        }
        Ok(())
    }

    /// Odds that cannot be told are not drawn by either.
    fn check_depth(&self, slots: &[Slot]) -> Result<(), CatalogError> {
        let counts = slots.iter().filter_map(|slot| slot.track.as_ref()).map(|track| track.scheme.counts().count());
        let states = counts.fold(1_usize, usize::saturating_mul);
        if states > PITY_STATES_MAX {
            let reason =
                format!("the counts of its tiers can stand in {states} ways together; at most {PITY_STATES_MAX}");
            return Err(fault(self.group_key.to_owned(), reason));
        }
        Ok(())
    }

    fn boxed(&self, table: &BoxTable) -> Result<BoxLoot, CatalogError> {
        let key = format!("{}.box", self.key);
        if table.items.is_empty() || table.items.len() > ITEMS_MAX {
            return Err(fault(key, format!("must have 1 to {ITEMS_MAX} items, has {}", table.items.len())));
        }
        let items = table.items.iter().map(|(species, copies)| {
            let key = format!("{key}.items.{species}");
            let found = self.known(&key, species)?;
            let copies = NonZeroU32::new(*copies).ok_or_else(|| fault(key, "is 0: it cannot be drawn"))?;
            Ok(BoxItem { species: species.clone(), tier: found.rarity.clone(), copies })
        });
        let items = items.collect::<Result<Vec<_>, CatalogError>>()?;
        let renews = match &table.renews_without {
            None => Renews::Empty,
            Some(species) => match items.iter().position(|item| item.species == *species) {
                Some(place) => Renews::Without(place),
                None => return Err(fault(format!("{key}.renews_without"), format!("{species} is not in the box"))),
            },
        };
        Ok(BoxLoot { items, renews })
    }
}

fn weights(key: &str, first: usize, items: &BTreeMap<SpeciesId, u32>) -> Result<Option<Weights>, CatalogError> {
    let weights = items.iter().map(|(species, weight)| {
        NonZeroU32::new(*weight)
            .ok_or_else(|| fault(format!("{key}.{species}"), "has the weight 0: it cannot be drawn"))
    });
    Ok(Weights::new(first, &weights.collect::<Result<Vec<_>, _>>()?))
}

fn choice(key: &str, table: &TierTable) -> Result<Choice, CatalogError> {
    let featured_key = format!("{key}.featured");
    let others = weights(&format!("{key}.items"), table.featured.len(), &table.items)?;
    let Some(featured) = weights(&featured_key, 0, &table.featured)? else {
        let stray = [
            ("featured_share_ppb", table.featured_share_ppb.is_some()),
            ("guarantee_after", table.guarantee_after.is_some()),
            ("path_points", table.path_points.is_some()),
        ];
        if let Some((field, _)) = stray.iter().find(|(_, is_there)| *is_there) {
            return Err(fault(format!("{key}.{field}"), "needs featured items"));
        }
        let items = others.ok_or_else(|| fault(key.to_owned(), "has no items"))?;
        return Ok(Choice::Weighted(Weighted { items }));
    };
    let share_key = format!("{key}.featured_share_ppb");
    let share = match (table.featured_share_ppb, others.is_some()) {
        (None, true) => return Err(fault(share_key, "is missing")),
        (None, false) => Ppb::ONE,
        (Some(parts), has_others) => match Ppb::new(parts) {
            None | Some(Ppb::ZERO) => {
                return Err(fault(share_key, format!("must be 1 to 1_000_000_000, is {parts}")));
            }
            Some(Ppb::ONE) if has_others => return Err(fault(share_key, "is everything: the items cannot be drawn")),
            Some(share) if share < Ppb::ONE && !has_others => {
                return Err(fault(share_key, "leaves a share to items, and there are none"));
            }
            Some(share) => share,
        },
    };
    if let Some(losses) = table.guarantee_after
        && !(1..=100).contains(&losses)
    {
        return Err(fault(format!("{key}.guarantee_after"), format!("must be 1 to 100, is {losses}")));
    }
    let featured = Featured { share, guarantee_after: table.guarantee_after, featured, others };
    match table.path_points {
        None => Ok(Choice::Featured(featured)),
        Some(points) if (1..=100).contains(&points) => Ok(Choice::Path(Path { featured, points })),
        Some(points) => Err(fault(format!("{key}.path_points"), format!("must be 1 to 100, is {points}"))),
    }
}
