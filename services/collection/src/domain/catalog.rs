//! The catalog: species, how rare they are, and what a player may have.

use std::collections::BTreeMap;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, RarityId, SpeciesId};

/// The rules of the game, as far as the collection goes by them.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Of all its files.
    pub hash: CatalogHash,
    /// Of the two files that coordinators have too: species and rarities.
    pub esprits_hash: CatalogHash,
    /// Every rarity.
    pub rarities: BTreeMap<RarityId, Rarity>,
    /// Every species, the retired ones too.
    pub species: BTreeMap<SpeciesId, Species>,
    /// The numbers of the collection itself.
    pub settings: Settings,
}

/// How rare a species can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rarity {
    /// What players call it.
    pub name: String,
    /// Its place, the most common lowest.
    pub rank: u32,
    /// What dissolving an esprit of it gives.
    pub dissolve_rewards: Vec<Reward>,
}

/// What a player gets of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward {
    /// Of what.
    pub asset: AssetId,
    /// How much.
    pub units: u64,
}

/// A kind of esprit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Species {
    /// What players call it.
    pub name: String,
    /// How rare it is.
    pub rarity: RarityId,
    /// Its element.
    pub element: String,
    /// Its class.
    pub class: String,
    /// Its stats at level 1.
    pub base_stats: Stats,
    /// Whether none comes any more; those that players have stay.
    pub retired: bool,
}

/// What an esprit is good at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How much it bears.
    pub hp: u64,
    /// How hard it hits.
    pub attack: u64,
    /// How much it parries.
    pub defense: u64,
    /// How early it acts.
    pub speed: u64,
}

/// The numbers of the collection itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Esprits that one player may have, promised ones included.
    pub esprits_max: u64,
}
