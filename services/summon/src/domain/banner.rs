//! Banners: when they are open, what a summon costs, and what it can give.

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, BannerId, CostId, RarityId, SpeciesId};
use auric_money::Amount;
use auric_time::Timestamp;
use thiserror::Error;

use super::loot::Loot;
use super::period::Period;
use super::pity::PityGroup;
use super::state::How;

/// The banners in force, by id.
#[derive(Clone, Debug)]
pub struct Banners {
    /// Which files they came from; every pull is stamped with it.
    pub hash: CatalogHash,
    /// Which files the species came from: what the collection is asked about.
    pub esprits_hash: CatalogHash,
    rarities: Vec<RarityId>,
    species: BTreeMap<SpeciesId, RarityId>,
    by_id: BTreeMap<BannerId, Arc<Banner>>,
}

/// One banner.
#[derive(Clone, Debug)]
pub struct Banner {
    /// Its name.
    pub id: BannerId,
    /// What players see.
    pub title: String,
    /// Off: nobody summons from it, whatever the time.
    pub is_enabled: bool,
    /// When it opens; none: always open until it closes.
    pub opens_at: Option<Timestamp>,
    /// When it closes; that moment is not in it any more.
    pub closes_at: Option<Timestamp>,
    /// How many pulls a summon may have, ascending; never empty.
    pub counts: Vec<u32>,
    /// How a summon can be paid; never empty.
    pub costs: Vec<CostOption>,
    /// How many pulls a player has in a period.
    pub limit: Option<Limit>,
    /// The banners that it shares pity with.
    pub group: Arc<PityGroup>,
    /// What it gives.
    pub loot: Loot,
    /// What spark points are exchanged for here.
    pub spark_items: Vec<(SpeciesId, RarityId)>,
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostOption {
    /// Its name within the banner.
    pub id: CostId,
    /// What one pull costs.
    pub payment: Payment,
    /// Whether a miss counts for pity, and a pull for spark points.
    pub advances_pity: bool,
    /// Whether pity takes part: raises the chance, and is reset by a hit.
    pub resets_pity: bool,
}

/// What one pull costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// Money of the game.
    Currency {
        /// Which.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Summon tokens.
    Token {
        /// Which.
        asset: AssetId,
        /// How many.
        amount: Amount,
    },
    /// Nothing, once a period.
    Free {
        /// The period.
        period: Period,
    },
}

/// How many pulls of a banner a player has in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At least 1.
    pub pulls: u32,
    /// The period, a day mostly.
    pub period: Period,
}

/// Why nobody can summon from a banner now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// It is switched off.
    #[error("is switched off")]
    Off,
    /// It opens later.
    #[error("opens at {opens_at}")]
    NotYet {
        /// When.
        opens_at: Timestamp,
    },
    /// It is over.
    #[error("closed at {closed_at}")]
    Over {
        /// When it ended.
        closed_at: Timestamp,
    },
}

impl Banners {
    /// Puts a validated catalog into force; `rarities` from the lowest to the highest.
    #[must_use]
    pub fn new(
        hash: CatalogHash,
        esprits_hash: CatalogHash,
        rarities: Vec<RarityId>,
        species: BTreeMap<SpeciesId, RarityId>,
        by_id: BTreeMap<BannerId, Arc<Banner>>,
    ) -> Self {
        Self { hash, esprits_hash, rarities, species, by_id }
    }

    /// The banner of that id, open or not.
    #[must_use]
    pub fn get(&self, id: &BannerId) -> Option<&Arc<Banner>> {
        self.by_id.get(id)
    }

    /// All banners, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Banner>> {
        self.by_id.values()
    }

    /// The rarities, from the lowest to the highest.
    #[must_use]
    pub fn rarities(&self) -> &[RarityId] {
        &self.rarities
    }

    /// All species and their rarity, retired ones included.
    #[must_use]
    pub const fn species(&self) -> &BTreeMap<SpeciesId, RarityId> {
        &self.species
    }

    /// How many banners there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no banner at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl Banner {
    /// Tests that it is open at `now`.
    ///
    /// # Errors
    ///
    /// [`Closed`] says why not, and since when or until when.
    pub fn check_open(&self, now: Timestamp) -> Result<(), Closed> {
        match (self.is_enabled, self.opens_at, self.closes_at) {
            (false, ..) => Err(Closed::Off),
            (_, Some(opens_at), _) if now < opens_at => Err(Closed::NotYet { opens_at }),
            (.., Some(closed_at)) if now >= closed_at => Err(Closed::Over { closed_at }),
            _ => Ok(()),
        }
    }

    /// The cost option of that name.
    #[must_use]
    pub fn cost(&self, id: &CostId) -> Option<&CostOption> {
        self.costs.iter().find(|cost| cost.id == *id)
    }

    /// Whether a summon may have `count` pulls when it is paid by `cost`.
    #[must_use]
    pub fn allows(&self, cost: &CostOption, count: u32) -> bool {
        self.counts.contains(&count) && (count == 1 || !matches!(cost.payment, Payment::Free { .. }))
    }
}

impl CostOption {
    /// What a pull that is paid like this does to pity.
    #[must_use]
    pub const fn how(&self) -> How {
        How { advances: self.advances_pity, resets: self.resets_pity }
    }

    /// What `count` pulls cost; none when they are free, or more than can be paid. Loading a catalog refuses the latter.
    #[must_use]
    pub fn total(&self, count: u32) -> Option<(&AssetId, Amount)> {
        match &self.payment {
            Payment::Currency { asset, amount } | Payment::Token { asset, amount } => {
                let units = amount.units().checked_mul(u64::from(count))?;
                Some((asset, Amount::new(i64::try_from(units).ok()?).ok()?))
            }
            Payment::Free { .. } => None,
        }
    }
}
