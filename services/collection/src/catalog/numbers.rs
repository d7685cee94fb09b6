//! `collection.toml`: how much a player can have, how esprits grow, and what elements and classes there are.

use std::collections::BTreeMap;

use auric_catalog::CatalogError;
use auric_ids::{AssetId, ClassId, ElementId, RarityId};
use serde::Deserialize;

use super::tables::UNITS_MAX;
use super::{COLLECTION, RARITIES};
use crate::domain::{Class, Growth, Rarity, Settings, Stats, TEAM_SIZE_MAX, UpgradeCost};

/// The most esprits that a player may be let have.
const ESPRITS_MAX: u64 = 100_000;

/// The most pieces of equipment that a player may be let have: all of them are loaded to change one.
const EQUIPMENT_MAX: u64 = 5_000;

/// The highest level that there may be.
const LEVEL_MAX: u32 = 1_000;

/// The most that one level may add.
const PERMILLE_PER_LEVEL_MAX: u64 = 1_000;

/// The most thousandths of power that one point of a stat may be worth.
const WEIGHT_MAX: u64 = 1_000_000;

/// `collection.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionTable {
    esprits_max: u64,
    equipment_max: u64,
    team: TeamTable,
    growth: GrowthTable,
    upgrade: UpgradeTable,
    elements: BTreeMap<ElementId, String>,
    classes: BTreeMap<ClassId, ClassTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamTable {
    size: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrowthTable {
    permille_per_level: u64,
    level_max: BTreeMap<RarityId, u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeTable {
    costs: BTreeMap<RarityId, Vec<CostTable>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostTable {
    asset: AssetId,
    base: u64,
    #[serde(default)]
    per_level: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassTable {
    name: String,
    power_weights: WeightsTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightsTable {
    hp: u64,
    attack: u64,
    defense: u64,
    speed: u64,
}

/// What the file says.
#[derive(Debug)]
pub struct Numbers {
    pub settings: Settings,
    pub growth: Growth,
    pub upgrades: BTreeMap<RarityId, Vec<UpgradeCost>>,
    pub elements: BTreeMap<ElementId, String>,
    pub classes: BTreeMap<ClassId, Class>,
}

impl CollectionTable {
    /// What the file says, where `rarities` are the ones that there are.
    pub fn numbers(self, rarities: &BTreeMap<RarityId, Rarity>) -> Result<Numbers, CatalogError> {
        let fault = |key: String, reason: String| Err(CatalogError::new(COLLECTION, key, reason));
        let Self { esprits_max, equipment_max, team, growth, upgrade, elements, classes } = self;
        if !(1..=ESPRITS_MAX).contains(&esprits_max) {
            return fault("esprits_max".to_owned(), format!("must be 1 to {ESPRITS_MAX}, is {esprits_max}"));
        }
        if equipment_max > EQUIPMENT_MAX {
            return fault("equipment_max".to_owned(), format!("must be 0 to {EQUIPMENT_MAX}, is {equipment_max}"));
        }
        if !(1..=TEAM_SIZE_MAX).contains(&team.size) {
            return fault("team.size".to_owned(), format!("must be 1 to {TEAM_SIZE_MAX}, is {}", team.size));
        }
        if !(1..=PERMILLE_PER_LEVEL_MAX).contains(&growth.permille_per_level) {
            let reason = format!("must be 1 to {PERMILLE_PER_LEVEL_MAX}, is {}", growth.permille_per_level);
            return fault("growth.permille_per_level".to_owned(), reason);
        }
        if let Some(missing) = rarities.keys().find(|id| !growth.level_max.contains_key(*id)) {
            return fault(format!("growth.level_max.{missing}"), "is missing".to_owned());
        }
        for (rarity, level_max) in &growth.level_max {
            let key = format!("growth.level_max.{rarity}");
            if !rarities.contains_key(rarity) {
                return fault(key, format!("{rarity} is not in {RARITIES}"));
            }
            if !(1..=LEVEL_MAX).contains(level_max) {
                return fault(key, format!("must be 1 to {LEVEL_MAX}, is {level_max}"));
            }
        }
        let upgrades = upgrade.upgrades(rarities, &growth.level_max)?;
        let classes = classes.into_iter().map(|(id, table)| Ok((id.clone(), table.class(&id)?)));
        let GrowthTable { permille_per_level, level_max } = growth;
        Ok(Numbers {
            settings: Settings { esprits_max, equipment_max, team_size: team.size },
            growth: Growth { permille_per_level, level_max },
            upgrades,
            elements,
            classes: classes.collect::<Result<_, CatalogError>>()?,
        })
    }
}

impl UpgradeTable {
    /// What a level costs: something at each rarity, and no level more than a wallet can hold.
    fn upgrades(
        self,
        rarities: &BTreeMap<RarityId, Rarity>,
        level_max: &BTreeMap<RarityId, u32>,
    ) -> Result<BTreeMap<RarityId, Vec<UpgradeCost>>, CatalogError> {
        let fault = |key: String, reason: String| Err(CatalogError::new(COLLECTION, key, reason));
        if let Some(missing) = rarities.keys().find(|id| !self.costs.contains_key(*id)) {
            return fault(format!("upgrade.costs.{missing}"), "is missing".to_owned());
        }
        let mut upgrades = BTreeMap::new();
        for (rarity, tables) in self.costs {
            let key = format!("upgrade.costs.{rarity}");
            if !rarities.contains_key(&rarity) {
                return fault(key, format!("{rarity} is not in {RARITIES}"));
            }
            if tables.is_empty() {
                return fault(key, "must cost something".to_owned());
            }
            let highest = level_max.get(&rarity).copied().unwrap_or(LEVEL_MAX);
            let mut costs: Vec<UpgradeCost> = Vec::new();
            for (index, CostTable { asset, base, per_level }) in tables.into_iter().enumerate() {
                let cost = UpgradeCost { asset, base, per_level };
                if base == 0 || cost.at(highest).amount > UNITS_MAX {
                    let reason = format!("must be at least 1, and at most {UNITS_MAX} at level {highest}");
                    return fault(format!("{key}[{index}].base"), reason);
                }
                if costs.iter().any(|other| other.asset == cost.asset) {
                    return fault(format!("{key}[{index}].asset"), format!("names {} twice", cost.asset));
                }
                costs.push(cost);
            }
            upgrades.insert(rarity, costs);
        }
        Ok(upgrades)
    }
}

impl ClassTable {
    fn class(self, id: &ClassId) -> Result<Class, CatalogError> {
        let WeightsTable { hp, attack, defense, speed } = self.power_weights;
        for (key, weight) in [("hp", hp), ("attack", attack), ("defense", defense), ("speed", speed)] {
            if weight > WEIGHT_MAX {
                let key = format!("classes.{id}.power_weights.{key}");
                return Err(CatalogError::new(COLLECTION, key, format!("must be 0 to {WEIGHT_MAX}, is {weight}")));
            }
        }
        Ok(Class { name: self.name, power_weights: Stats { hp, attack, defense, speed } })
    }
}
