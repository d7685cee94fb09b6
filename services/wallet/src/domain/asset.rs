//! What the catalog says about assets: how each behaves, its bounds, and how experience becomes levels.

use std::collections::BTreeMap;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, PoolId, StatId};
use auric_money::Amount;

/// The assets in force, by id, and the progression over them.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Which files they came from; every entry is stamped with it.
    pub hash: CatalogHash,
    by_id: BTreeMap<AssetId, Asset>,
    progression: Option<Progression>,
}

/// One asset of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// How it behaves.
    pub kind: AssetKind,
    /// The most that available, held and room may be together, per player and pool; at most [`Amount::MAX_UNITS`].
    ///
    /// A recharging asset has its capacity instead.
    pub maximum: Option<u64>,
    /// A retired asset keeps its balances and history, and takes part in no new mutation.
    pub retired: bool,
}

/// How an asset behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetKind {
    /// Money: goes up and down.
    Currency,
    /// Only ever grows: experience, stat points spent.
    Points,
    /// Counted things that are used up: summon tokens, stat points.
    Token,
    /// Money in pools that are emptied in this order.
    Credit {
        /// At least one pool, in the order of spending.
        pools: Vec<PoolId>,
    },
    /// Refills by the clock up to a capacity: energy, stamina, hp, drop charges.
    Recharging(Recharging),
}

/// How a recharging asset refills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recharging {
    /// The capacity of a player who spent no points on it.
    pub base_units: u64,
    /// The points asset that raises the capacity, and by how much a point.
    pub raised_by: Option<(AssetId, u64)>,
    /// What comes back at the end of each interval.
    pub regen_units: u64,
    /// The interval; never 0.
    pub interval_micros: u64,
}

/// How experience becomes levels, and levels become stat points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progression {
    /// The points asset that players earn.
    pub xp: AssetId,
    /// The points asset that counts the levels ever gained beyond the first.
    pub levels_gained: AssetId,
    /// The token that a level grants.
    pub stat_points: AssetId,
    /// How many of them.
    pub stat_points_per_level: u64,
    /// The experience that level 2, 3, … begins at: ascending, never empty.
    pub thresholds: Vec<u64>,
    /// What stat points can be spent on: the points asset that counts what was spent.
    pub stats: BTreeMap<StatId, AssetId>,
}

impl Assets {
    /// Puts a validated catalog into force.
    #[must_use]
    pub fn new(hash: CatalogHash, by_id: BTreeMap<AssetId, Asset>, progression: Option<Progression>) -> Self {
        Self { hash, by_id, progression }
    }

    /// The asset of that id, retired or not.
    #[must_use]
    pub fn get(&self, id: &AssetId) -> Option<&Asset> {
        self.by_id.get(id)
    }

    /// How experience becomes levels, when the game has levels.
    #[must_use]
    pub const fn progression(&self) -> Option<&Progression> {
        self.progression.as_ref()
    }

    /// All assets, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&AssetId, &Asset)> {
        self.by_id.iter()
    }

    /// How many assets there are, retired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no asset at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The assets that must be at hand when `id` changes: what it is bounded by, and what it brings about.
    pub fn related<'a>(&'a self, id: &'a AssetId) -> Vec<&'a AssetId> {
        let mut related = Vec::new();
        let Some(asset) = self.by_id.get(id) else { return related };
        match &asset.kind {
            AssetKind::Recharging(recharging) => related.extend(recharging.raised_by.iter().map(|(points, _)| points)),
            AssetKind::Points => {
                for (raised, recharging) in self.raised_by(id) {
                    related.push(raised);
                    related.extend(recharging.raised_by.iter().map(|(points, _)| points));
                }
                if let Some(progression) = self.progression.as_ref().filter(|progression| progression.xp == *id) {
                    related.extend([&progression.levels_gained, &progression.stat_points]);
                }
            }
            AssetKind::Currency | AssetKind::Token | AssetKind::Credit { .. } => {}
        }
        related
    }

    /// The recharging assets whose capacity `points` raises.
    pub fn raised_by<'a>(&'a self, points: &'a AssetId) -> impl Iterator<Item = (&'a AssetId, &'a Recharging)> {
        self.by_id.iter().filter_map(move |(id, asset)| match &asset.kind {
            AssetKind::Recharging(recharging) => {
                let raised = recharging.raised_by.as_ref().is_some_and(|(by, _)| by == points);
                raised.then_some((id, recharging))
            }
            _ => None,
        })
    }
}

impl Asset {
    /// The pools in the order of spending; one nameless pool for an asset that has none.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolId> {
        match &self.kind {
            AssetKind::Credit { pools } => pools.clone(),
            AssetKind::Currency | AssetKind::Points | AssetKind::Token | AssetKind::Recharging(_) => vec![no_pool()],
        }
    }

    /// The bound that a credit is tested against: the catalog's, or what a balance can hold at all.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.maximum.unwrap_or(Amount::MAX_UNITS)
    }
}

impl Recharging {
    /// The capacity of a player who spent `points` on it.
    #[must_use]
    pub fn capacity_units(&self, points: u64) -> u64 {
        let per_point = self.raised_by.as_ref().map_or(0, |(_, units)| *units);
        self.base_units.saturating_add(points.saturating_mul(per_point)).min(Amount::MAX_UNITS)
    }
}

impl Progression {
    /// How many levels beyond the first `xp` is good for.
    #[must_use]
    pub fn levels_at(&self, xp: u64) -> u64 {
        let passed = self.thresholds.partition_point(|threshold| *threshold <= xp);
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

/// The name of the only pool of an asset that has no pools.
pub fn no_pool() -> PoolId {
    static NONE: std::sync::LazyLock<PoolId> = std::sync::LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a constant: a pool's name may be empty")]
        PoolId::parse("").expect("a pool's name may be empty")
    });
    NONE.clone()
}
