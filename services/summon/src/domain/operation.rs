//! What a summon is made of: what was asked, what it costs, what was drawn or taken, and why not.

use std::collections::BTreeMap;
use std::fmt;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, BannerId, CostId, EspritId, OperationId, PityGroupId, PlayerId, RarityId, SpeciesId};
use auric_keys::{Canon, Fingerprint, MutationKey};
use auric_money::Amount;
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks, under which key.
    pub key: MutationKey,
    /// Whose summon it is.
    pub player: PlayerId,
    /// From which banner.
    pub banner: BannerId,
    /// What.
    pub wanted: Wanted,
}

/// What a caller wants of a banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Draws.
    Pulls {
        /// How they are paid; the banner's first option where none is named.
        cost: Option<CostId>,
        /// How many.
        count: u32,
    },
    /// One esprit of this species, for spark points.
    Spark(SpeciesId),
}

/// The RPC that draws.
pub const SUMMON: &str = "Summon";

/// The RPC that takes for spark points.
pub const EXCHANGE_SPARK: &str = "ExchangeSpark";

impl Wanted {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Pulls { .. } => SUMMON,
            Self::Spark(_) => EXCHANGE_SPARK,
        }
    }

    /// How many esprits it is.
    #[must_use]
    pub const fn count(&self) -> u32 {
        match self {
            Self::Pulls { count, .. } => *count,
            Self::Spark(_) => 1,
        }
    }

    /// The RPC of a first request that differs from this one in `fields`: of those that name both what only one of the two has, it is the other.
    #[must_use]
    pub fn first_method(&self, fields: &[String]) -> &'static str {
        let is_other = ["count", "species_id"].iter().all(|name| fields.iter().any(|field| field == name));
        match (self, is_other) {
            (Self::Pulls { .. }, true) | (Self::Spark(_), false) => EXCHANGE_SPARK,
            (Self::Pulls { .. }, false) | (Self::Spark(_), true) => SUMMON,
        }
    }
}

impl Ask {
    /// Shortens what is asked, without its key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fields =
            vec![("player_id", Canon::of(self.player.as_str())), ("banner_id", Canon::of(self.banner.as_str()))];
        match &self.wanted {
            Wanted::Pulls { cost, count } => {
                let mut units = Canon::default();
                units.units(u64::from(*count));
                fields.push(("count", units));
                fields.extend(cost.as_ref().map(|cost| ("cost_id", Canon::of(cost.as_str()))));
            }
            Wanted::Spark(species) => fields.push(("species_id", Canon::of(species.as_str()))),
        }
        Fingerprint::of(self.wanted.method(), fields)
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let banner = &self.banner;
        match &self.wanted {
            Wanted::Pulls { cost: Some(cost), count } => write!(out, "{count} of {banner} by {cost}"),
            Wanted::Pulls { cost: None, count } => write!(out, "{count} of {banner}"),
            Wanted::Spark(species) => write!(out, "{species} of {banner} for spark points"),
        }
    }
}

/// What is paid for all pulls of a summon together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Which asset.
    pub asset: AssetId,
    /// How many units.
    pub amount: Amount,
}

/// What a summon does, as it was when it was begun: participants are told what follows from it, and it is drawn from its catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// From which banner.
    pub banner: BannerId,
    /// How it is paid; nothing when nothing is drawn.
    pub cost: Option<CostId>,
    /// The species that is taken for spark points, in place of draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark: Option<SpeciesId>,
    /// How many pulls.
    pub count: u32,
    /// What is paid; nothing when it is free.
    pub price: Option<Price>,
    /// The banners that share its pity.
    pub group: PityGroupId,
    /// The catalog that it is drawn from.
    pub catalog: CatalogHash,
    /// The catalog that the collection is asked about.
    pub esprits: CatalogHash,
    /// The pair of seeds that its player saw when it was begun; nothing in plans that did not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// What was drawn, or taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The player's counter of summons that the draws come from.
    pub nonce: u64,
    /// The pair of seeds that they come from.
    #[serde(default)]
    pub epoch: u64,
    /// One for each pull, in order.
    pub pulls: Vec<Pull>,
}

/// One pull, as it is delivered and logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its place in the player's log of the group, from 1.
    pub number: u64,
    /// Its place in the summon, from 0.
    pub slot: u32,
    /// The esprit that is delivered.
    pub esprit: EspritId,
    /// Of which species.
    pub species: SpeciesId,
    /// How rare.
    pub rarity: RarityId,
    /// Whether it is featured; nothing where nothing of its rarity is.
    pub featured: Option<bool>,
    /// The pity before it, as JSON.
    pub before: String,
    /// The pity after it, as JSON.
    pub after: String,
    /// The numbers that were drawn, in order; none when it was taken for spark points.
    pub draws: Vec<u64>,
}

/// Names the esprit of a slot: the same for whoever delivers it.
///
/// # Errors
///
/// Never in practice: an operation's id and a number are a name.
pub fn esprit_of(operation: &OperationId, slot: u32) -> Result<EspritId, auric_ids::IdError> {
    EspritId::parse(&format!("{operation}.{slot}"))
}

/// Why a rule said no: the key's answer for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nobody can summon from the banner now.
    BannerClosed {
        /// Which.
        banner: BannerId,
        /// Why, for a person.
        why: String,
    },
    /// What was free in this period is used.
    FreeUsed {
        /// At which banner.
        banner: BannerId,
        /// By which option.
        cost: CostId,
        /// When it is free again.
        again_at: Timestamp,
    },
    /// The player has no more pulls in this period.
    LimitReached {
        /// At which banner.
        banner: BannerId,
        /// How many there are in a period.
        limit: u32,
        /// How many are left of them.
        left: u32,
        /// How many were asked for.
        count: u32,
        /// When there are more.
        again_at: Timestamp,
    },
    /// The player has not the points that the species costs.
    SparkPointsShort {
        /// At which banner.
        banner: BannerId,
        /// What was to be taken.
        species: SpeciesId,
        /// What it costs.
        price_points: u64,
        /// What the player has.
        points: u64,
    },
    /// Another service said no.
    Participant {
        /// Which.
        service: String,
        /// Its word for it.
        reason: String,
        /// Its sentence.
        message: String,
        /// What it said, by name.
        metadata: BTreeMap<String, String>,
    },
}

impl Refusal {
    /// The machine's word for it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::BannerClosed { .. } => "BANNER_CLOSED",
            Self::FreeUsed { .. } => "FREE_SUMMON_USED",
            Self::LimitReached { .. } => "LIMIT_REACHED",
            Self::SparkPointsShort { .. } => "INSUFFICIENT_SPARK_POINTS",
            Self::Participant { reason, .. } => reason,
        }
    }
}

/// One field of a request that does not fit the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// Its name.
    pub path: &'static str,
    /// What it must be, and what it is.
    pub fault: String,
}

/// Why nothing was begun; nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unstored {
    /// The key was used for another request.
    KeyReused {
        /// The fields that differ.
        fields: Vec<String>,
        /// The RPC that it was used for first.
        first_method: &'static str,
    },
    /// The catalog in force has no such banner.
    BannerNotFound(BannerId),
    /// The banner does not have what is asked for.
    Invalid(BadField),
}
