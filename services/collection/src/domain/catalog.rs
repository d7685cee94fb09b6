//! The catalog: species, how rare they are, and what a player may have.

use std::collections::BTreeMap;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, ClassId, ElementId, EquipmentKindId, EquipmentSlotId, RarityId, SpeciesId, SynergyId};
use serde::{Deserialize, Serialize};

use super::{Stats, Synergy};

/// The rules of the game, as far as the collection goes by them.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Of all its files.
    pub hash: CatalogHash,
    /// Of the two files that coordinators have too: species and rarities.
    pub esprits_hash: CatalogHash,
    /// Every rarity.
    pub rarities: BTreeMap<RarityId, Rarity>,
    /// Every species, the retired ones too.
    pub species: BTreeMap<SpeciesId, Species>,
    /// What players call each element.
    pub elements: BTreeMap<ElementId, String>,
    /// Every class.
    pub classes: BTreeMap<ClassId, Class>,
    /// Every kind of equipment.
    pub equipment: BTreeMap<EquipmentKindId, EquipmentKind>,
    /// What members of a team do for each other.
    pub synergies: BTreeMap<SynergyId, Synergy>,
    /// How esprits grow.
    pub growth: Growth,
    /// What a level costs, by rarity: each has something.
    pub upgrades: BTreeMap<RarityId, Vec<UpgradeCost>>,
    /// The numbers of the collection itself.
    pub settings: Settings,
}

/// How rare a species can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rarity {
    /// What players call it.
    pub name: String,
    /// Its place, the most common lowest.
    pub rank: u32,
    /// What dissolving an esprit of it gives.
    pub dissolve_rewards: Vec<Units>,
}

/// Some units of an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Of what.
    pub asset: AssetId,
    /// How many.
    pub amount: u64,
}

/// What raising an esprit by a level costs of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeCost {
    /// Of what.
    pub asset: AssetId,
    /// How many units from level 1 to level 2.
    pub base: u64,
    /// How many units more for each level above.
    pub per_level: u64,
}

/// A kind of esprit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Species {
    /// What players call it.
    pub name: String,
    /// How rare it is.
    pub rarity: RarityId,
    /// Its element.
    pub element: ElementId,
    /// Its class.
    pub class: ClassId,
    /// Its stats at level 1.
    pub base_stats: Stats,
    /// Whether none comes any more; those that players have stay.
    pub retired: bool,
}

/// How esprits grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How many thousandths of the base stat each level adds.
    pub permille_per_level: u64,
    /// The highest level, by rarity.
    pub level_max: BTreeMap<RarityId, u32>,
}

/// What an esprit does in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// What players call it.
    pub name: String,
    /// How many thousandths of power a point of each stat is worth.
    pub power_weights: Stats,
}

/// A kind of equipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquipmentKind {
    /// What players call it.
    pub name: String,
    /// Where it is worn: one piece a place.
    pub slot: EquipmentSlotId,
    /// What it adds to each stat.
    pub flat: Stats,
    /// How many thousandths of each stat it adds then.
    pub permille: Stats,
}

/// The numbers of the collection itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Esprits that one player may have, promised ones included.
    pub esprits_max: u64,
    /// Pieces of equipment that one player may have.
    pub equipment_max: u64,
    /// Members of a team: 1 to [`super::TEAM_SIZE_MAX`].
    pub team_size: usize,
}

impl UpgradeCost {
    /// What leaving `level` for the next one costs.
    #[must_use]
    pub fn at(&self, level: u32) -> Units {
        let above = u64::from(level.saturating_sub(1));
        Units { asset: self.asset.clone(), amount: self.base.saturating_add(self.per_level.saturating_mul(above)) }
    }
}

impl Catalog {
    /// What raising an esprit of `species` from `level` costs; nothing when the catalog does not know the species.
    #[must_use]
    pub fn upgrade_cost(&self, species: &SpeciesId, level: u32) -> Option<Vec<Units>> {
        let costs = self.upgrades.get(&self.species.get(species)?.rarity)?;
        Some(costs.iter().map(|cost| cost.at(level)).collect())
    }

    /// The highest level of `species`; nothing when the catalog does not know it.
    #[must_use]
    pub fn level_max(&self, species: &SpeciesId) -> Option<u32> {
        self.growth.level_max.get(&self.species.get(species)?.rarity).copied()
    }

    /// What dissolving an esprit of `species` gives; nothing when the catalog does not know the species.
    #[must_use]
    pub fn dissolve_rewards(&self, species: &SpeciesId) -> Option<&[Units]> {
        Some(&self.rarities.get(&self.species.get(species)?.rarity)?.dissolve_rewards)
    }
}
