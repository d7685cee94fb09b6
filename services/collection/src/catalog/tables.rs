//! The files as they are written, and what must hold between their keys.

use std::collections::BTreeMap;

use auric_catalog::CatalogError;
use auric_ids::{AssetId, ClassId, ElementId, RarityId, SpeciesId};
use serde::Deserialize;

use super::{ESPRITS, RARITIES};
use crate::domain::{Rarity, Species, Stats, Units};

/// Units that one reward may give, or one level cost: what every store and every JSON reader can hold.
pub const UNITS_MAX: u64 = (1 << 53) - 1;

/// The most that a base stat may be.
const STAT_MAX: u64 = 1_000_000;

/// One `[rarity]` of `rarities.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RarityTable {
    name: Option<String>,
    rank: u32,
    #[serde(default)]
    dissolve_rewards: Vec<RewardTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RewardTable {
    asset: AssetId,
    amount: u64,
}

/// One `[species]` of `esprits.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesTable {
    name: String,
    rarity: RarityId,
    element: ElementId,
    class: ClassId,
    base_stats: StatsTable,
    #[serde(default)]
    retired: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsTable {
    hp: u64,
    attack: u64,
    defense: u64,
    speed: u64,
}

/// The rarities that the tables describe.
pub fn rarities(tables: BTreeMap<RarityId, RarityTable>) -> Result<BTreeMap<RarityId, Rarity>, CatalogError> {
    let mut ranks = BTreeMap::new();
    let mut rarities = BTreeMap::new();
    for (id, table) in tables {
        let fault = |key: &str, reason: String| Err(CatalogError::new(RARITIES, format!("{id}.{key}"), reason));
        if let Some(other) = ranks.insert(table.rank, id.clone()) {
            return fault("rank", format!("is {}, as that of {other}", table.rank));
        }
        if table.dissolve_rewards.is_empty() {
            return fault("dissolve_rewards", "must give something".to_owned());
        }
        let mut dissolve_rewards: Vec<Units> = Vec::new();
        for (index, RewardTable { asset, amount }) in table.dissolve_rewards.into_iter().enumerate() {
            if !(1..=UNITS_MAX).contains(&amount) {
                let key = format!("dissolve_rewards[{index}].amount");
                return fault(&key, format!("must be 1 to {UNITS_MAX}, is {amount}"));
            }
            if dissolve_rewards.iter().any(|reward| reward.asset == asset) {
                return fault(&format!("dissolve_rewards[{index}].asset"), format!("names {asset} twice"));
            }
            dissolve_rewards.push(Units { asset, amount });
        }
        let name = table.name.unwrap_or_else(|| id.to_string());
        rarities.insert(id, Rarity { name, rank: table.rank, dissolve_rewards });
    }
    Ok(rarities)
}

impl SpeciesTable {
    /// The species that the table describes.
    pub fn species(self, id: &SpeciesId, rarities: &BTreeMap<RarityId, Rarity>) -> Result<Species, CatalogError> {
        let fault = |key: &str, reason: String| Err(CatalogError::new(ESPRITS, format!("{id}.{key}"), reason));
        if !rarities.contains_key(&self.rarity) {
            return fault("rarity", format!("{} is not in {RARITIES}", self.rarity));
        }
        if self.name.is_empty() {
            return fault("name", "must not be empty".to_owned());
        }
        let StatsTable { hp, attack, defense, speed } = self.base_stats;
        for (key, value) in [("hp", hp), ("attack", attack), ("defense", defense), ("speed", speed)] {
            if !(1..=STAT_MAX).contains(&value) {
                return fault(&format!("base_stats.{key}"), format!("must be 1 to {STAT_MAX}, is {value}"));
            }
        }
        Ok(Species {
            name: self.name,
            rarity: self.rarity,
            element: self.element,
            class: self.class,
            base_stats: Stats { hp, attack, defense, speed },
            retired: self.retired,
        })
    }
}
