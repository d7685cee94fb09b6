//! What a player's misses are worth: how the chance of a tier grows with them, and when they are forgotten.

mod hard;
mod meter;
mod soft;
mod spark;
mod table;

use std::collections::BTreeMap;

use auric_ids::{BannerId, PityGroupId, RarityId, SpeciesId};
use serde::{Deserialize, Serialize};

pub use hard::Hard;
pub use meter::Meter;
pub use soft::Soft;
pub use spark::{Spark, SparkFault, choose, exchange, offered};
pub use table::Table;

use super::ppb::Ppb;

/// How the chance of a tier grows with what its pity has counted. Drawing and the odds both ask this and nothing else.
pub trait Hazard {
    /// The chance of the next pull at `count`, of which `base` is the chance without pity.
    fn rate(&self, base: Ppb, count: u32) -> Ppb;

    /// What a miss makes of `count`. It comes to rest at a number whose miss is itself.
    fn missed(&self, count: u32) -> u32;

    /// How far `count` is on its way to certainty, or to the end of the scheme where nothing is certain: the pity bar.
    fn filled(&self, count: u32) -> Ppb;
}

/// One of the schemes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Certain at a pull.
    Hard(Hard),
    /// Rises from a pull on, then certain.
    Soft(Soft),
    /// A chance for each pull.
    Table(Table),
    /// A bar that fills.
    Meter(Meter),
}

/// What a hit of a higher tier does to what a lower one has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHigher {
    /// A miss like any other: what was due stays due.
    #[default]
    Keep,
    /// Forgotten.
    Reset,
    /// Neither: the count stays.
    Freeze,
}

/// Banners that share a player's pity.
#[derive(Clone, Debug)]
pub struct PityGroup {
    /// Its name.
    pub id: PityGroupId,
    /// What the first pulls promise.
    pub first: Option<FirstPulls>,
    /// Points for every pull, to be exchanged for an item.
    pub spark: Option<Spark>,
}

/// A promise that is kept once: among the first pulls one is of this tier or a higher one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPulls {
    /// How many pulls; at least 1.
    pub within: u32,
    /// The tier.
    pub tier: RarityId,
}

/// How far a player has come in one pity group. The default is a player who never pulled.
///
/// Its JSON has its keys in alphabetical order, as receipts need them, and leaves out what is zero; a tier or a banner that the catalog no longer has stays in it
/// untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pity {
    /// Per banner, the player's box.
    #[serde(skip_serializing_if = "is_default")]
    pub boxes: BTreeMap<BannerId, BoxPity>,
    /// Whether the promise of the first pulls was kept.
    #[serde(skip_serializing_if = "is_default")]
    pub first_kept: bool,
    /// Per banner, the player's path.
    #[serde(skip_serializing_if = "is_default")]
    pub paths: BTreeMap<BannerId, PathPity>,
    /// Pulls that took part in the pity.
    #[serde(skip_serializing_if = "is_default")]
    pub pulls: u64,
    /// Spark points that were not exchanged yet.
    #[serde(skip_serializing_if = "is_default")]
    pub spark_points: u64,
    /// Per tier, what was counted.
    #[serde(skip_serializing_if = "is_default")]
    pub tiers: BTreeMap<RarityId, TierPity>,
}

/// What was counted for one tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierPity {
    /// Misses since the last hit; of a meter, the parts per billion of its bar.
    #[serde(skip_serializing_if = "is_default")]
    pub count: u32,
    /// Hits in a row that were not featured.
    #[serde(skip_serializing_if = "is_default")]
    pub losses: u16,
}

/// A player's path on one banner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathPity {
    /// Hits since the path began that were something else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub points: u16,
    /// What the player wants.
    pub target: SpeciesId,
}

/// A player's box on one banner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxPity {
    /// Boxes that were finished.
    #[serde(skip_serializing_if = "is_default")]
    pub finished: u64,
    /// What was taken from the present one.
    #[serde(skip_serializing_if = "is_default")]
    pub taken: BTreeMap<SpeciesId, u32>,
}

impl Hazard for Scheme {
    fn rate(&self, base: Ppb, count: u32) -> Ppb {
        match self {
            Self::Hard(scheme) => scheme.rate(base, count),
            Self::Soft(scheme) => scheme.rate(base, count),
            Self::Table(scheme) => scheme.rate(base, count),
            Self::Meter(scheme) => scheme.rate(base, count),
        }
    }

    fn missed(&self, count: u32) -> u32 {
        match self {
            Self::Hard(scheme) => scheme.missed(count),
            Self::Soft(scheme) => scheme.missed(count),
            Self::Table(scheme) => scheme.missed(count),
            Self::Meter(scheme) => scheme.missed(count),
        }
    }

    fn filled(&self, count: u32) -> Ppb {
        match self {
            Self::Hard(scheme) => scheme.filled(count),
            Self::Soft(scheme) => scheme.filled(count),
            Self::Table(scheme) => scheme.filled(count),
            Self::Meter(scheme) => scheme.filled(count),
        }
    }
}

impl Scheme {
    /// The counts that a player can have, from none on, each the miss of the one before.
    pub fn counts(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(0), |count| Some(self.missed(*count)).filter(|next| next != count))
    }
}

/// How far `count` is on its way to `last`.
fn fraction(count: u32, last: u32) -> Ppb {
    let parts = u64::from(count).saturating_mul(u64::from(Ppb::ONE.parts()));
    Ppb::at_most_one(parts.checked_div(u64::from(last)).unwrap_or(u64::MAX))
}

/// What the JSON leaves out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_who_never_pulled_is_an_empty_object() {
        assert_eq!(serde_json::to_string(&Pity::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Pity>("{}").unwrap(), Pity::default());
    }

    #[test]
    fn a_pity_is_kept_as_it_is() {
        let text = concat!(
            r#"{"boxes":{"fair":{"finished":1,"taken":{"dimlight":2}}},"first_kept":true,"#,
            r#""paths":{"aurora":{"points":1,"target":"nerissa"}},"pulls":34,"spark_points":34,"#,
            r#""tiers":{"epic":{"count":3},"legendary":{"count":33,"losses":1}}}"#
        );
        let pity: Pity = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&pity).unwrap(), text);
    }
}
