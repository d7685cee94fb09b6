//! Of the collection's files what a banner must know: the order of the rarities, and each species' rarity.

use std::collections::BTreeMap;

use auric_catalog::{CatalogError, Source};
use auric_ids::{AssetId, RarityId, SpeciesId};
use auric_money::Amount;
use serde::Deserialize;

use super::{ESPRITS, RARITIES};

/// One species.
#[derive(Clone, Debug, Deserialize)]
pub struct Species {
    /// How rare it is.
    pub rarity: RarityId,
    /// Whether nobody can get it any more.
    #[serde(default)]
    pub retired: bool,
}

#[derive(Debug, Deserialize)]
struct RarityTable {
    rank: u32,
    #[serde(default)]
    dissolve_rewards: Vec<Reward>,
}

#[derive(Debug, Deserialize)]
struct Reward {
    #[expect(dead_code, reason = "it must be an asset's id; the collection pays it")]
    asset: AssetId,
    #[expect(dead_code, reason = "it must be an amount; the collection pays it")]
    amount: Amount,
}

/// Reads the rarities, from the lowest rank to the highest.
pub fn rarities(source: &Source) -> Result<Vec<RarityId>, CatalogError> {
    let tables: BTreeMap<RarityId, RarityTable> = source.parse()?;
    if tables.is_empty() {
        return Err(CatalogError::new(RARITIES, "", "has no rarity"));
    }
    let mut by_rank: BTreeMap<u32, RarityId> = BTreeMap::new();
    for (id, table) in tables {
        if table.dissolve_rewards.is_empty() {
            let reason = "is missing: an esprit that is dissolved must be worth something";
            return Err(CatalogError::new(RARITIES, format!("{id}.dissolve_rewards"), reason));
        }
        if let Some(other) = by_rank.get(&table.rank) {
            let reason = format!("{} is the rank of {other} already", table.rank);
            return Err(CatalogError::new(RARITIES, format!("{id}.rank"), reason));
        }
        by_rank.insert(table.rank, id);
    }
    Ok(by_rank.into_values().collect())
}

/// Reads the species, each of one of `rarities`.
pub fn species(source: &Source, rarities: &[RarityId]) -> Result<BTreeMap<SpeciesId, Species>, CatalogError> {
    let species: BTreeMap<SpeciesId, Species> = source.parse()?;
    let stray = species.iter().find(|(_, species)| !rarities.contains(&species.rarity));
    match stray {
        Some((id, species)) => {
            let reason = format!("{} is not in {RARITIES}", species.rarity);
            Err(CatalogError::new(ESPRITS, format!("{id}.rarity"), reason))
        }
        None => Ok(species),
    }
}
