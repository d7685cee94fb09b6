//! Reads the wallet's part of `game/`: the assets, and how experience becomes levels.

mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::AssetId;

use crate::domain::{AssetKind, Assets, Progression};
use tables::{AssetTable, LevelsTable};

/// The file with the assets.
const ASSETS: &str = "assets.toml";

/// The file that says how experience becomes levels; a game without levels has none.
const LEVELS: &str = "levels.toml";

/// A valid catalog, and its text.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub assets: Assets,
    /// The text of its files, to be kept under its hash.
    pub content: String,
}

/// What `auric check` says about a valid catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSummary {
    /// The catalog's SHA-256, 64 hexadecimal digits.
    pub hash: String,
    /// The assets that can be moved: those that are not retired.
    pub assets: BTreeSet<AssetId>,
}

impl CatalogSummary {
    /// Sums up `assets`.
    #[must_use]
    pub fn of(assets: &Assets) -> Self {
        let in_use = assets.iter().filter(|(_, asset)| !asset.retired).map(|(id, _)| id.clone());
        Self { hash: assets.hash.to_string(), assets: in_use.collect() }
    }
}

/// Reads and validates the catalog in `folder`.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn load(folder: &Path) -> Result<Loaded, CatalogError> {
    let mut sources = vec![Source::read(folder, ASSETS)?];
    if folder.join(LEVELS).exists() {
        sources.push(Source::read(folder, LEVELS)?);
    }
    let texts: BTreeMap<&str, &str> =
        sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
    let content = serde_json::to_string(&texts)
        .map_err(|error| CatalogError::new(ASSETS, "", format!("cannot be kept: {error}")))?;
    Ok(Loaded { assets: assets(&sources)?, content })
}

/// Reads a catalog that was kept.
///
/// # Errors
///
/// [`CatalogError`] when this version does not understand it.
pub fn parse(content: &str) -> Result<Assets, CatalogError> {
    let texts: BTreeMap<String, String> = serde_json::from_str(content)
        .map_err(|error| CatalogError::new(ASSETS, "", format!("was not kept as a catalog: {error}")))?;
    // In the order of load, which the hash depends on.
    let mut sources: Vec<Source> = texts.into_iter().map(|(name, text)| Source { name, text }).collect();
    sources.sort_by_key(|source| source.name != ASSETS);
    assets(&sources)
}

/// Tests that `next` takes nothing away that players may have.
///
/// # Errors
///
/// [`CatalogError`] for an asset that is gone or of another kind.
pub fn follows(before: &Assets, next: &Assets) -> Result<(), CatalogError> {
    for (id, asset) in before.iter() {
        let Some(found) = next.get(id) else {
            let reason = "was in force and cannot be removed: players may have some; set retired = true";
            return Err(CatalogError::new(ASSETS, id.as_str(), reason));
        };
        if word(&found.kind) != word(&asset.kind) {
            let reason = format!("was {} and cannot become {}", word(&asset.kind), word(&found.kind));
            return Err(CatalogError::new(ASSETS, format!("{id}.kind"), reason));
        }
        if let (AssetKind::Credit { pools: before }, AssetKind::Credit { pools }) = (&asset.kind, &found.kind)
            && let Some(gone) = before.iter().find(|pool| !pools.contains(pool))
        {
            let reason = format!("the pool {gone} was in force and cannot be removed: players may have credits in it");
            return Err(CatalogError::new(ASSETS, format!("{id}.pools"), reason));
        }
    }
    Ok(())
}

fn assets(sources: &[Source]) -> Result<Assets, CatalogError> {
    let source = |name: &str| sources.iter().find(|source| source.name == name);
    let tables: BTreeMap<AssetId, AssetTable> = match source(ASSETS) {
        Some(source) => source.parse()?,
        None => return Err(CatalogError::new(ASSETS, "", "is missing")),
    };
    if tables.is_empty() {
        return Err(CatalogError::new(ASSETS, "", "has no asset"));
    }
    let assets = tables.into_iter().map(|(id, table)| Ok((id.clone(), table.asset(&id)?)));
    let assets: BTreeMap<_, _> = assets.collect::<Result<_, CatalogError>>()?;
    let progression: Option<Progression> = match source(LEVELS) {
        Some(source) => Some(source.parse::<LevelsTable>()?.progression(&assets)?),
        None => None,
    };
    tables::check_capacities(&assets)?;
    Ok(Assets::new(CatalogHash::of(sources), assets, progression))
}

const fn word(kind: &AssetKind) -> &'static str {
    match kind {
        AssetKind::Currency => "currency",
        AssetKind::Points => "points",
        AssetKind::Token => "token",
        AssetKind::Credit { .. } => "credit",
        AssetKind::Recharging(_) => "recharging",
    }
}

#[cfg(test)]
mod tests;
