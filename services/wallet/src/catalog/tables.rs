//! The files as they are written, and what must hold between their keys.

use std::collections::{BTreeMap, BTreeSet};

use auric_catalog::CatalogError;
use auric_ids::{AssetId, PoolId, StatId};
use auric_money::Amount;
use serde::Deserialize;

use super::{ASSETS, LEVELS};
use crate::domain::{Asset, AssetKind, Progression, Recharging};

/// The longest interval of a recharging asset.
const REGEN_SECONDS_MAX: u64 = 31 * 24 * 3_600;

/// The most levels of a curve.
const LEVELS_MAX: u64 = 10_000;

/// One `[asset]` of `assets.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetTable {
    kind: Kind,
    maximum: Option<u64>,
    pools: Option<Vec<PoolId>>,
    base_capacity: Option<u64>,
    capacity_points: Option<AssetId>,
    capacity_per_point: Option<u64>,
    regen_amount: Option<u64>,
    regen_seconds: Option<u64>,
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
    Recharging,
}

/// `levels.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelsTable {
    xp: AssetId,
    levels_gained: AssetId,
    stat_points: AssetId,
    stat_points_per_level: u64,
    curve: Curve,
    #[serde(default)]
    stats: BTreeMap<StatId, AssetId>,
}

/// How much experience a level takes: listed, or growing evenly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    thresholds: Option<Vec<u64>>,
    first: Option<u64>,
    increase: Option<u64>,
    level_max: Option<u64>,
}

impl AssetTable {
    /// The asset that the table describes.
    pub fn asset(self, id: &AssetId) -> Result<Asset, CatalogError> {
        let fault = |key: &str, reason: String| Err(CatalogError::new(ASSETS, format!("{id}.{key}"), reason));
        if let Some(maximum) = self.maximum
            && !(1..=Amount::MAX_UNITS).contains(&maximum)
        {
            return fault("maximum", format!("must be 1 to {}, is {maximum}", Amount::MAX_UNITS));
        }
        let has_pools = self.pools.is_some();
        let recharges = [self.base_capacity, self.capacity_per_point, self.regen_amount, self.regen_seconds];
        let recharges = recharges.iter().any(Option::is_some) || self.capacity_points.is_some();
        if has_pools && self.kind != Kind::Credit {
            return fault("pools", "only a credit asset has pools".to_owned());
        }
        if recharges && self.kind != Kind::Recharging {
            return fault("kind", "only a recharging asset has a capacity and regenerates".to_owned());
        }
        if self.maximum.is_some() && self.kind == Kind::Recharging {
            return fault("maximum", "a recharging asset has a capacity instead".to_owned());
        }
        let (maximum, retired) = (self.maximum, self.retired);
        let kind = match self.kind {
            Kind::Currency => AssetKind::Currency,
            Kind::Points => AssetKind::Points,
            Kind::Token => AssetKind::Token,
            Kind::Credit => AssetKind::Credit { pools: distinct(id, self.pools.unwrap_or_default())? },
            Kind::Recharging => AssetKind::Recharging(self.recharging(id)?),
        };
        Ok(Asset { kind, maximum, retired })
    }

    fn recharging(self, id: &AssetId) -> Result<Recharging, CatalogError> {
        let fault = |key: &str, reason: String| CatalogError::new(ASSETS, format!("{id}.{key}"), reason);
        let in_range = |key: &str, value: Option<u64>, least: u64, most: u64| match value {
            None => Err(fault(key, "is missing".to_owned())),
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(value) => Err(fault(key, format!("must be {least} to {most}, is {value}"))),
        };
        let base_units = in_range("base_capacity", self.base_capacity, 0, Amount::MAX_UNITS)?;
        let regen_units = in_range("regen_amount", self.regen_amount, 0, Amount::MAX_UNITS)?;
        let seconds = in_range("regen_seconds", self.regen_seconds, 1, REGEN_SECONDS_MAX)?;
        let raised_by = match (self.capacity_points, self.capacity_per_point) {
            (Some(points), per_point) => {
                Some((points, in_range("capacity_per_point", per_point, 1, Amount::MAX_UNITS)?))
            }
            (None, Some(_)) => return Err(fault("capacity_points", "is missing".to_owned())),
            (None, None) => None,
        };
        Ok(Recharging { base_units, raised_by, regen_units, interval_micros: seconds.saturating_mul(1_000_000) })
    }
}

impl LevelsTable {
    /// The progression that the file describes, over `assets`.
    pub fn progression(self, assets: &BTreeMap<AssetId, Asset>) -> Result<Progression, CatalogError> {
        let of_kind = |key: &str, id: &AssetId, kind: &AssetKind| match assets.get(id) {
            None => Err(CatalogError::new(LEVELS, key, format!("{id} is not in {ASSETS}"))),
            Some(asset) if asset.kind == *kind => Ok(()),
            Some(_) => Err(CatalogError::new(LEVELS, key, format!("{id} must be {}", super::word(kind)))),
        };
        of_kind("xp", &self.xp, &AssetKind::Points)?;
        of_kind("levels_gained", &self.levels_gained, &AssetKind::Points)?;
        of_kind("stat_points", &self.stat_points, &AssetKind::Token)?;
        for (stat, points) in &self.stats {
            of_kind(&format!("stats.{stat}"), points, &AssetKind::Points)?;
        }
        if self.stat_points_per_level > Amount::MAX_UNITS {
            let reason = format!("must be at most {}", Amount::MAX_UNITS);
            return Err(CatalogError::new(LEVELS, "stat_points_per_level", reason));
        }
        Ok(Progression {
            xp: self.xp,
            levels_gained: self.levels_gained,
            stat_points: self.stat_points,
            stat_points_per_level: self.stat_points_per_level,
            thresholds: self.curve.thresholds()?,
            stats: self.stats,
        })
    }
}

impl Curve {
    fn thresholds(self) -> Result<Vec<u64>, CatalogError> {
        let fault = |key: &str, reason: String| Err(CatalogError::new(LEVELS, format!("curve.{key}"), reason));
        let thresholds = match (self.thresholds, self.first, self.increase, self.level_max) {
            (Some(thresholds), None, None, None) => thresholds,
            (None, Some(first), Some(increase), Some(level_max)) => {
                if first == 0 {
                    return fault("first", "must be at least 1".to_owned());
                }
                if !(2..=LEVELS_MAX).contains(&level_max) {
                    return fault("level_max", format!("must be 2 to {LEVELS_MAX}, is {level_max}"));
                }
                evenly(first, increase, level_max)
            }
            _ => {
                let reason = "must have either thresholds, or first, increase and level_max".to_owned();
                return Err(CatalogError::new(LEVELS, "curve", reason));
            }
        };
        if thresholds.is_empty() || thresholds.len() as u64 > LEVELS_MAX {
            return fault("thresholds", format!("must have 1 to {LEVELS_MAX} numbers, has {}", thresholds.len()));
        }
        if thresholds.first() == Some(&0) || thresholds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fault("thresholds", "must be at least 1 and ascending".to_owned());
        }
        if thresholds.last().is_some_and(|last| *last > Amount::MAX_UNITS) {
            return fault("thresholds", format!("must stay within {}", Amount::MAX_UNITS));
        }
        Ok(thresholds)
    }
}

/// The experience that level 2, 3, … begins at, when each level costs `increase` more than the one before.
fn evenly(first: u64, increase: u64, level_max: u64) -> Vec<u64> {
    let mut total: u64 = 0;
    let costs = (0..level_max.saturating_sub(1)).map(|level| first.saturating_add(increase.saturating_mul(level)));
    costs
        .map(|cost| {
            total = total.saturating_add(cost);
            total
        })
        .collect()
}

/// Tests that what raises a capacity is points.
pub fn check_capacities(assets: &BTreeMap<AssetId, Asset>) -> Result<(), CatalogError> {
    for (id, asset) in assets {
        let AssetKind::Recharging(Recharging { raised_by: Some((points, _)), .. }) = &asset.kind else { continue };
        let is_points = assets.get(points).is_some_and(|asset| asset.kind == AssetKind::Points);
        if !is_points {
            let reason = format!("{points} must be a points asset of this file");
            return Err(CatalogError::new(ASSETS, format!("{id}.capacity_points"), reason));
        }
    }
    Ok(())
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
