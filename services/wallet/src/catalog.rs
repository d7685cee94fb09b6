//! Reads the wallet's part of `game/`: the assets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::{AssetId, PoolId};
use auric_money::Amount;
use serde::Deserialize;

use crate::domain::{Asset, AssetKind, Assets};

/// The file with the assets.
const ASSETS: &str = "assets.toml";

/// What `auric check` says about a valid catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSummary {
    /// The catalog's SHA-256, 64 hexadecimal digits.
    pub hash: String,
    /// How many assets there are.
    pub assets: usize,
}

impl CatalogSummary {
    /// Sums up `assets`.
    #[must_use]
    pub fn of(assets: &Assets) -> Self {
        Self { hash: assets.hash.to_string(), assets: assets.len() }
    }
}

/// Reads and validates the catalog in `folder`.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn load(folder: &Path) -> Result<Assets, CatalogError> {
    let source = Source::read(folder, ASSETS)?;
    let tables: BTreeMap<AssetId, AssetTable> = source.parse()?;
    if tables.is_empty() {
        return Err(CatalogError::new(ASSETS, "", "has no asset"));
    }
    let assets = tables.into_iter().map(|(id, table)| Ok((id.clone(), table.asset(&id)?)));
    let assets = assets.collect::<Result<_, CatalogError>>()?;
    Ok(Assets::new(CatalogHash::of(&[source]), assets))
}

/// One `[asset]` of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssetTable {
    kind: Kind,
    maximum: Option<u64>,
    pools: Option<Vec<PoolId>>,
    #[serde(default)]
    retired: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Currency,
    Points,
    Token,
    Credit,
}

impl AssetTable {
    fn asset(self, id: &AssetId) -> Result<Asset, CatalogError> {
        let fault = |key: &str, reason: String| Err(CatalogError::new(ASSETS, format!("{id}.{key}"), reason));
        if let Some(maximum) = self.maximum
            && !(1..=Amount::MAX_UNITS).contains(&maximum)
        {
            return fault("maximum", format!("must be 1 to {}, is {maximum}", Amount::MAX_UNITS));
        }
        let kind = match (self.kind, self.pools) {
            (Kind::Credit, Some(pools)) => AssetKind::Credit { pools: distinct(id, pools)? },
            (Kind::Credit, None) => return fault("pools", "a credit asset must name its pools".to_owned()),
            (_, Some(_)) => return fault("pools", "only a credit asset has pools".to_owned()),
            (Kind::Currency, None) => AssetKind::Currency,
            (Kind::Points, None) => AssetKind::Points,
            (Kind::Token, None) => AssetKind::Token,
        };
        Ok(Asset { kind, maximum: self.maximum, retired: self.retired })
    }
}

fn distinct(id: &AssetId, pools: Vec<PoolId>) -> Result<Vec<PoolId>, CatalogError> {
    let fault = |reason: String| Err(CatalogError::new(ASSETS, format!("{id}.pools"), reason));
    if pools.is_empty() {
        return fault("must name at least one pool".to_owned());
    }
    let mut seen = BTreeSet::new();
    for pool in &pools {
        if pool.as_str().is_empty() {
            return fault("a pool must have a name".to_owned());
        }
        if !seen.insert(pool) {
            return fault(format!("names the pool {pool} twice"));
        }
    }
    Ok(pools)
}

#[cfg(test)]
mod tests {
    use super::load;

    fn fault(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("assets.toml"), text).unwrap();
        load(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_catalog_is_valid_and_has_the_five_pillars() {
        // R-W1
        let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
        let assets = load(&game).unwrap();
        for pillar in ["lumees", "auric_coin", "azurites", "aether", "shards"] {
            assert!(assets.get(&pillar.parse().unwrap()).is_some(), "{pillar}");
        }
    }

    #[test]
    fn a_fault_names_the_file_the_key_and_the_reason() {
        let max = "assets.toml: lumees.maximum: must be 1 to 9007199254740991, is 0";
        assert_eq!(fault("[lumees]\nkind = \"currency\"\nmaximum = 0"), max);
        assert!(fault("[lumees]\nkind = \"gold\"").starts_with("assets.toml: lumees.kind: unknown variant `gold`"));
        assert!(fault("[LUMEES]\nkind = \"currency\"").contains("has 'L' at position 1"));
        assert_eq!(fault("[c]\nkind = \"credit\"\npools = []"), "assets.toml: c.pools: must name at least one pool");
        assert_eq!(
            fault("[c]\nkind = \"credit\"\npools = [\"a\", \"a\"]"),
            "assets.toml: c.pools: names the pool a twice"
        );
        assert_eq!(fault("[c]\nkind = \"credit\""), "assets.toml: c.pools: a credit asset must name its pools");
        assert_eq!(
            fault("[c]\nkind = \"token\"\npools = [\"a\"]"),
            "assets.toml: c.pools: only a credit asset has pools"
        );
        assert_eq!(fault(""), "assets.toml: -: has no asset");
    }
}
