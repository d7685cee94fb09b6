//! Reads the gateway's part of `game/`: what is sold for real money.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::{AssetId, PoolId, ProviderId};
use serde::Deserialize;

use crate::domain::{Kind, Leg, Product, Products};

/// The file with the products; a game that sells nothing has none.
const PRODUCTS: &str = "products.toml";

/// The wallet's file with the assets, which the products give.
const ASSETS: &str = "assets.toml";

/// The most units that one leg may give: what a wallet's balance holds.
const UNITS_MAX: u64 = 9_007_199_254_740_991;

/// The most of a product that one payment may buy, whatever the file says.
const QUANTITY_MAX: u64 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductTable {
    kind: KindWord,
    legs: Vec<LegTable>,
    #[serde(default)]
    prices: BTreeMap<ProviderId, Vec<String>>,
    #[serde(default)]
    retail_token: bool,
    #[serde(default = "one")]
    quantity_max: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindWord {
    Purchase,
    Renewal,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LegTable {
    asset: AssetId,
    #[serde(default)]
    pool: Option<PoolId>,
    units: u64,
}

/// What the gateway must know of an asset; everything else is the wallet's.
#[derive(Debug, Deserialize)]
struct AssetTable {
    kind: String,
    #[serde(default)]
    pools: Vec<PoolId>,
}

const fn one() -> u64 {
    1
}

/// Reads and validates the products in `folder`; none where there is no such file.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn load(folder: &Path) -> Result<Products, CatalogError> {
    if !folder.join(PRODUCTS).exists() {
        return Ok(Products::default());
    }
    let source = Source::read(folder, PRODUCTS)?;
    let assets: BTreeMap<AssetId, AssetTable> = Source::read(folder, ASSETS)?.parse()?;
    let tables: BTreeMap<String, ProductTable> = source.parse()?;
    let mut by_price = BTreeMap::new();
    let mut products = BTreeMap::new();
    for (name, table) in tables {
        for (provider, price) in prices(&table) {
            if let Some(other) = by_price.insert((provider.clone(), price.clone()), name.clone()) {
                let reason = format!("{price} is the price of {other} already");
                return Err(CatalogError::new(PRODUCTS, format!("{name}.prices.{provider}"), reason));
            }
        }
        products.insert(name.clone(), product(&name, table, &assets)?);
    }
    let hash = CatalogHash::of(&[source]).to_string();
    Ok(Products::new(hash, products, by_price))
}

fn prices(table: &ProductTable) -> impl Iterator<Item = (&ProviderId, &String)> {
    table.prices.iter().flat_map(|(provider, prices)| prices.iter().map(move |price| (provider, price)))
}

fn product(name: &str, table: ProductTable, assets: &BTreeMap<AssetId, AssetTable>) -> Result<Product, CatalogError> {
    let fault = |key: &str, reason: String| CatalogError::new(PRODUCTS, format!("{name}.{key}"), reason);
    if table.legs.is_empty() {
        return Err(fault("legs", "gives nothing".to_owned()));
    }
    if !(1..=QUANTITY_MAX).contains(&table.quantity_max) {
        return Err(fault("quantity_max", format!("must be 1 to {QUANTITY_MAX}, is {}", table.quantity_max)));
    }
    let kind = match table.kind {
        KindWord::Purchase => Kind::Purchase,
        KindWord::Renewal => Kind::Renewal,
    };
    if table.retail_token && kind == Kind::Renewal {
        return Err(fault("retail_token", "a renewal is issued none: it comes again each period".to_owned()));
    }
    let mut named = BTreeSet::new();
    let mut legs = Vec::new();
    for (index, leg) in table.legs.into_iter().enumerate() {
        let fault = |key: &str, reason: String| fault(&format!("legs[{index}].{key}"), reason);
        let Some(asset) = assets.get(&leg.asset) else {
            return Err(fault("asset", format!("{ASSETS} has no {}", leg.asset)));
        };
        check_leg(kind, &leg, asset).map_err(|(key, reason)| fault(key, reason))?;
        let units_max = UNITS_MAX / table.quantity_max;
        if leg.units > units_max || (leg.units == 0 && kind == Kind::Purchase) {
            return Err(fault("units", format!("must be 1 to {units_max}, is {}", leg.units)));
        }
        if !named.insert((leg.asset.clone(), leg.pool.clone())) {
            return Err(fault("asset", format!("{} is given twice", leg.asset)));
        }
        legs.push(Leg { asset: leg.asset, pool: leg.pool, units: leg.units });
    }
    Ok(Product { kind, legs, retail_token: table.retail_token, quantity_max: table.quantity_max })
}

fn check_leg(kind: Kind, leg: &LegTable, asset: &AssetTable) -> Result<(), (&'static str, String)> {
    if asset.kind == "points" {
        return Err(("asset", format!("{} are points: what only grows cannot be paid back", leg.asset)));
    }
    match (&leg.pool, asset.kind == "credit") {
        (Some(pool), true) if asset.pools.contains(pool) => Ok(()),
        (Some(pool), true) => Err(("pool", format!("{} has no pool {pool}", leg.asset))),
        (None, true) => Err(("pool", format!("is missing: {} has pools", leg.asset))),
        (Some(_), false) => Err(("pool", format!("{} has no pools", leg.asset))),
        (None, false) if kind == Kind::Renewal => {
            Err(("asset", format!("{} has no pool that could be set", leg.asset)))
        }
        (None, false) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
