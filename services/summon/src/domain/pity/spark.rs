//! What a player chooses instead of drawing: an item for spark points, and the item that a path leads to.

use auric_ids::{BannerId, RarityId, SpeciesId};
use thiserror::Error;

use super::{PathPity, Pity};
use crate::domain::banner::Banner;
use crate::domain::loot::Loot;
use crate::domain::selection::Choice;

/// Points for every pull that advances pity, to be exchanged for an item of the player's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spark {
    /// What one item costs; at least 1.
    pub price_points: u64,
}

/// Why a choice cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SparkFault {
    /// The banner's group gives no points.
    #[error("the banner {0} gives no spark points")]
    NoSpark(BannerId),
    /// Not among what can be exchanged, or led to.
    #[error("{species} cannot be chosen on the banner {banner}")]
    NotOffered {
        /// On which banner.
        banner: BannerId,
        /// What was chosen.
        species: SpeciesId,
    },
    /// Too few points.
    #[error("{species} costs {price_points} spark points, there are {points}")]
    TooFew {
        /// What was chosen.
        species: SpeciesId,
        /// What it costs.
        price_points: u64,
        /// What the player has.
        points: u64,
    },
}

/// What `species` costs on `banner`, and how rare it is.
///
/// # Errors
///
/// [`SparkFault`] when the banner does not offer it.
pub fn offered<'a>(banner: &'a Banner, species: &SpeciesId) -> Result<(&'a Spark, &'a RarityId), SparkFault> {
    let Some(spark) = &banner.group.spark else { return Err(SparkFault::NoSpark(banner.id.clone())) };
    let offered = banner.spark_items.iter().find(|(offered, _)| offered == species);
    let tier = offered.map(|(_, tier)| (spark, tier));
    tier.ok_or_else(|| SparkFault::NotOffered { banner: banner.id.clone(), species: species.clone() })
}

/// Gives up spark points for `species`.
///
/// # Errors
///
/// [`SparkFault`] when the banner does not offer it, or the points do not suffice.
pub fn exchange(banner: &Banner, pity: &Pity, species: &SpeciesId) -> Result<(Pity, RarityId), SparkFault> {
    let (spark, tier) = offered(banner, species)?;
    match pity.spark_points.checked_sub(spark.price_points) {
        Some(spark_points) => Ok((Pity { spark_points, ..pity.clone() }, tier.clone())),
        None => Err(SparkFault::TooFew {
            species: species.clone(),
            price_points: spark.price_points,
            points: pity.spark_points,
        }),
    }
}

/// Sets what the player's path on `banner` leads to, or nothing; another target than before begins without points.
///
/// # Errors
///
/// [`SparkFault::NotOffered`] when no path of the banner leads there.
pub fn choose(banner: &Banner, pity: &Pity, target: Option<&SpeciesId>) -> Result<Pity, SparkFault> {
    let mut after = pity.clone();
    let Some(target) = target else {
        after.paths.remove(&banner.id);
        return Ok(after);
    };
    let leads_there = match &banner.loot {
        Loot::Tiers(tiers) => tiers.slots.iter().any(|slot| match &slot.choice {
            Choice::Path(path) => path.targets(&slot.items).contains(target),
            Choice::Weighted(_) | Choice::Featured(_) => false,
        }),
        Loot::Box(_) => false,
    };
    if !leads_there {
        return Err(SparkFault::NotOffered { banner: banner.id.clone(), species: target.clone() });
    }
    if after.paths.get(&banner.id).is_none_or(|path| path.target != *target) {
        after.paths.insert(banner.id.clone(), PathPity { points: 0, target: target.clone() });
    }
    Ok(after)
}
