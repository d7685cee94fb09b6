//! Summon's answers as documents: the field names are those of the API, and stay.

use std::collections::HashMap;

use auric_api::summon::v1 as api;
use serde::Serialize;

use crate::output::{self, grouped};

/// What something costs, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceDocument {
    pub asset_id: String,
    pub amount: i64,
}

/// One summon, from its payment to its esprits.
#[derive(Debug, Serialize)]
pub struct SummonDocument {
    pub idempotency_key: String,
    pub replayed: bool,
    pub operation_id: String,
    pub player_id: String,
    pub banner_id: String,
    pub cost_id: String,
    pub spark_species_id: String,
    pub count: i32,
    pub price: Option<PriceDocument>,
    pub state: &'static str,
    pub pulls: Vec<PullDocument>,
    pub attempt: i32,
    pub catalog_hash: String,
    pub create_time: String,
    pub decide_time: String,
    pub refusal: String,
    /// The player's pity after it; absent when it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pity: Option<PityDocument>,
}

/// One slot of a summon.
#[derive(Debug, Serialize)]
pub struct PullDocument {
    pub number: i64,
    pub pity_group_id: String,
    pub banner_id: String,
    pub operation_id: String,
    pub slot: i32,
    pub esprit_id: String,
    pub species_id: String,
    /// What players call the species; empty when the collection did not say.
    pub name: String,
    pub rarity: String,
    pub featured: Option<bool>,
    pub pity_before: serde_json::Value,
    pub pity_after: serde_json::Value,
    pub draws: Vec<u64>,
    pub exchanged: bool,
    pub nonce: i64,
    pub catalog_hash: String,
    pub create_time: String,
}

/// A player's pity at one banner.
#[derive(Debug, Serialize)]
pub struct PityDocument {
    pub player_id: String,
    pub banner_id: String,
    pub pity_group_id: String,
    pub pulls: i64,
    pub tiers: Vec<TierDocument>,
    pub spark_points: i64,
    pub catalog_hash: String,
    pub free_cost_ids: Vec<String>,
    pub limit_left: Option<i32>,
}

/// How far a player has come to one rarity.
#[derive(Debug, Serialize)]
pub struct TierDocument {
    pub rarity: String,
    pub count: i32,
    pub filled_ppb: i32,
    pub chance_ppb: i32,
    pub losses: i32,
}

impl From<api::Price> for PriceDocument {
    fn from(price: api::Price) -> Self {
        let api::Price { asset_id, amount } = price;
        Self { asset_id, amount }
    }
}

impl PriceDocument {
    /// Writes a price for a person.
    pub fn text(price: Option<&Self>) -> String {
        price.map_or_else(|| "free".to_owned(), |price| format!("{} {}", grouped(price.amount), price.asset_id))
    }
}

impl SummonDocument {
    /// Takes `summon` as it was answered under `key`; `names` are those of esprits.
    pub fn new(key: String, replayed: bool, summon: api::Summon, names: &HashMap<String, String>) -> Self {
        let state = state(summon.state());
        Self {
            idempotency_key: key,
            replayed,
            operation_id: summon.operation_id,
            player_id: summon.player_id,
            banner_id: summon.banner_id,
            cost_id: summon.cost_id,
            spark_species_id: summon.spark_species_id,
            count: summon.count,
            price: summon.price.map(PriceDocument::from),
            state,
            pulls: summon.pulls.into_iter().map(|pull| PullDocument::new(pull, names)).collect(),
            attempt: summon.attempt,
            catalog_hash: summon.catalog_hash,
            create_time: output::time(summon.create_time.as_ref()),
            decide_time: output::time(summon.decide_time.as_ref()),
            refusal: summon.refusal,
            pity: None,
        }
    }
}

const fn state(state: api::SummonState) -> &'static str {
    match state {
        api::SummonState::Unspecified => "unspecified",
        api::SummonState::Preparing => "preparing",
        api::SummonState::Delivering => "delivering",
        api::SummonState::Delivered => "delivered",
        api::SummonState::Refused => "refused",
        api::SummonState::GivenUp => "given_up",
    }
}

impl PullDocument {
    /// Takes one pull; `names` are those of esprits.
    pub fn new(pull: api::Pull, names: &HashMap<String, String>) -> Self {
        Self {
            name: names.get(&pull.esprit_id).cloned().unwrap_or_default(),
            number: pull.number,
            pity_group_id: pull.pity_group_id,
            banner_id: pull.banner_id,
            operation_id: pull.operation_id,
            slot: pull.slot,
            esprit_id: pull.esprit_id,
            species_id: pull.species_id,
            rarity: pull.rarity,
            featured: pull.featured,
            pity_before: serde_json::from_str(&pull.pity_before).unwrap_or_default(),
            pity_after: serde_json::from_str(&pull.pity_after).unwrap_or_default(),
            draws: pull.draws,
            exchanged: pull.exchanged,
            nonce: pull.nonce,
            catalog_hash: pull.catalog_hash,
            create_time: output::time(pull.create_time.as_ref()),
        }
    }

    /// What a person calls it.
    pub fn called(&self) -> &str {
        if self.name.is_empty() { &self.species_id } else { &self.name }
    }

    /// Whether it is featured, for a person; nothing where nothing of its rarity is.
    pub const fn featured_text(&self) -> &'static str {
        match self.featured {
            Some(true) => "featured",
            Some(false) => "not featured",
            None => "",
        }
    }
}

impl From<api::Pity> for PityDocument {
    fn from(pity: api::Pity) -> Self {
        let tier = |tier: api::TierPity| {
            let api::TierPity { rarity, count, filled_ppb, chance_ppb, losses } = tier;
            TierDocument { rarity, count, filled_ppb, chance_ppb, losses }
        };
        Self {
            player_id: pity.player_id,
            banner_id: pity.banner_id,
            pity_group_id: pity.pity_group_id,
            pulls: pity.pulls,
            tiers: pity.tiers.into_iter().map(tier).collect(),
            spark_points: pity.spark_points,
            catalog_hash: pity.catalog_hash,
            free_cost_ids: pity.free_cost_ids,
            limit_left: pity.limit_left,
        }
    }
}
