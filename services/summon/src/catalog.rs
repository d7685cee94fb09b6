//! Reads summon's part of `game/`: the banners, and of the species what a banner must know.

mod banners;
mod loot;
mod pity;
mod species;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::AssetId;

use crate::domain::{Banner, Banners, CostOption, Loot, pity::Scheme};

/// The file with the species; the collection's own.
const ESPRITS: &str = "esprits.toml";

/// The file with the rarities; the collection's own.
const RARITIES: &str = "rarities.toml";

/// The file with the banners.
const BANNERS: &str = "banners.toml";

/// The files in the order that their hash depends on.
const FILES: [&str; 3] = [ESPRITS, RARITIES, BANNERS];

/// A valid catalog, and its text.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub banners: Banners,
    /// The text of its files, to be kept under its hash.
    pub content: String,
}

/// What `auric check` says about a valid catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSummary {
    /// The catalog's SHA-256, 64 hexadecimal digits.
    pub hash: String,
    /// How many banners there are.
    pub banners: usize,
    /// Each asset that something costs, behind its place such as `banners.toml: banners.standard.costs.token`.
    pub assets: Vec<(String, AssetId)>,
}

impl CatalogSummary {
    /// Sums up `banners`.
    #[must_use]
    pub fn of(banners: &Banners) -> Self {
        let of_banner = |banner: &Arc<Banner>| {
            let place = format!("{BANNERS}: banners.{}.costs", banner.id);
            let named = |cost: &CostOption| {
                let (asset, _) = cost.total(1)?;
                Some((format!("{place}.{}", cost.id), asset.clone()))
            };
            banner.costs.iter().filter_map(named).collect::<Vec<_>>()
        };
        let assets = banners.iter().flat_map(of_banner).collect();
        Self { hash: banners.hash.to_string(), banners: banners.len(), assets }
    }
}

/// Reads and validates the catalog in `folder`.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn load(folder: &Path) -> Result<Loaded, CatalogError> {
    let sources = FILES.iter().map(|name| Source::read(folder, name)).collect::<Result<Vec<_>, _>>()?;
    let texts: BTreeMap<&str, &str> =
        sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
    let content = serde_json::to_string(&texts)
        .map_err(|error| CatalogError::new(BANNERS, "", format!("cannot be kept: {error}")))?;
    Ok(Loaded { banners: banners(&sources)?, content })
}

/// Reads a catalog that was kept.
///
/// # Errors
///
/// [`CatalogError`] when this version does not understand it.
pub fn parse(content: &str) -> Result<Banners, CatalogError> {
    let mut texts: BTreeMap<String, String> = serde_json::from_str(content)
        .map_err(|error| CatalogError::new(BANNERS, "", format!("was not kept as a catalog: {error}")))?;
    // In the order of load, which the hash depends on.
    let sources = FILES.iter().map(|name| match texts.remove(*name) {
        Some(text) => Ok(Source { name: (*name).to_owned(), text }),
        None => Err(CatalogError::new(name, "", "is missing")),
    });
    banners(&sources.collect::<Result<Vec<_>, _>>()?)
}

/// Tests that `next` takes nothing away that players may have.
///
/// # Errors
///
/// [`CatalogError`] for a rarity, a species or a banner that is gone, and for pity that would mean something else.
pub fn follows(before: &Banners, next: &Banners) -> Result<(), CatalogError> {
    if let Some(gone) = before.rarities().iter().find(|rarity| !next.rarities().contains(rarity)) {
        let reason = "was in force and cannot be removed: players may have esprits of it";
        return Err(CatalogError::new(RARITIES, gone.as_str(), reason));
    }
    if let Some(gone) = before.species().keys().find(|species| !next.species().contains_key(*species)) {
        let reason = "was in force and cannot be removed: players may have some; set retired = true";
        return Err(CatalogError::new(ESPRITS, gone.as_str(), reason));
    }
    for banner in before.iter() {
        let Some(found) = next.get(&banner.id) else {
            let reason = "was in force and cannot be removed: players' pity is kept for it; set is_enabled = false";
            return Err(CatalogError::new(BANNERS, format!("banners.{}", banner.id), reason));
        };
        if found.group.id != banner.group.id {
            let reason = format!(
                "was {} and cannot become {}: players' pity would be another's",
                banner.group.id, found.group.id
            );
            return Err(CatalogError::new(BANNERS, format!("banners.{}.pity_group", banner.id), reason));
        }
        same_counting(&banner.loot, &found.loot).map_err(|tier| {
            let key = format!("pity_groups.{}.tiers.{tier}.scheme", banner.group.id);
            CatalogError::new(
                BANNERS,
                key,
                "counts pulls in one catalog and fills a bar in the other; rename the group",
            )
        })?;
    }
    Ok(())
}

/// Tests that no tier's count changes its unit; names the tier that does.
fn same_counting(before: &Loot, next: &Loot) -> Result<(), String> {
    let (Loot::Tiers(before), Loot::Tiers(next)) = (before, next) else { return Ok(()) };
    for slot in &before.slots {
        let found = next.slots.iter().find(|next| next.tier == slot.tier);
        let pair = (&slot.track, found.and_then(|found| found.track.as_ref()));
        if let (Some(before), Some(next)) = pair
            && matches!(before.scheme, Scheme::Meter(_)) != matches!(next.scheme, Scheme::Meter(_))
        {
            return Err(slot.tier.to_string());
        }
    }
    Ok(())
}

fn banners(sources: &[Source]) -> Result<Banners, CatalogError> {
    let [esprits, rarities, banners] = sources else {
        return Err(CatalogError::new(BANNERS, "", "a catalog is three files"));
    };
    let rarities = species::rarities(rarities)?;
    let species = species::species(esprits, &rarities)?;
    let by_id = banners::build(&banners.parse()?, &rarities, &species)?;
    let species = species.into_iter().map(|(id, species)| (id, species.rarity)).collect();
    Ok(Banners::new(CatalogHash::of(sources), CatalogHash::of(&sources[..2]), rarities, species, by_id))
}

#[cfg(test)]
mod tests;
