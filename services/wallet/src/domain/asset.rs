//! What the catalog says about assets: how each behaves, and its bounds.

use std::collections::BTreeMap;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, PoolId};
use auric_money::Amount;

/// The assets in force, by id.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Which files they came from; every entry is stamped with it.
    pub hash: CatalogHash,
    by_id: BTreeMap<AssetId, Asset>,
}

/// One asset of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// How it behaves.
    pub kind: AssetKind,
    /// The most that available, held and room may be together, per player and pool; at most [`Amount::MAX_UNITS`].
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
}

impl Assets {
    /// Puts a validated catalog into force.
    #[must_use]
    pub fn new(hash: CatalogHash, by_id: BTreeMap<AssetId, Asset>) -> Self {
        Self { hash, by_id }
    }

    /// The asset of that id, retired or not.
    #[must_use]
    pub fn get(&self, id: &AssetId) -> Option<&Asset> {
        self.by_id.get(id)
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
}

impl Asset {
    /// The pools in the order of spending; one nameless pool for an asset that has none.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolId> {
        match &self.kind {
            AssetKind::Credit { pools } => pools.clone(),
            AssetKind::Currency | AssetKind::Points | AssetKind::Token => vec![no_pool()],
        }
    }

    /// The bound that a credit is tested against: the catalog's, or what a balance can hold at all.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.maximum.unwrap_or(Amount::MAX_UNITS)
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
