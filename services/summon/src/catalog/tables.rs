//! `banners.toml` as it is written.

use std::collections::BTreeMap;

use auric_ids::{AssetId, BannerId, CostId, PityGroupId, RarityId, SpeciesId};
use auric_money::Amount;
use serde::Deserialize;

use crate::domain::Every;
use crate::domain::pity::OnHigher;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BannersFile {
    #[serde(default)]
    pub pity_groups: BTreeMap<PityGroupId, GroupTable>,
    #[serde(default)]
    pub tables: BTreeMap<String, LootTable>,
    pub banners: BTreeMap<BannerId, BannerTable>,
    #[serde(default)]
    pub sets: BTreeMap<String, SetTable>,
}

/// One `[pity_groups.ID]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupTable {
    #[serde(default)]
    pub tiers: BTreeMap<RarityId, TrackTable>,
    pub first: Option<FirstTable>,
    pub spark: Option<SparkTable>,
}

/// One tier's pity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackTable {
    pub scheme: SchemeName,
    pub hard_at: Option<u32>,
    pub soft_from: Option<u32>,
    pub soft_step_ppb: Option<u64>,
    pub rates_ppb: Option<Vec<u64>>,
    pub gain_ppb: Option<u64>,
    #[serde(default)]
    pub on_higher: OnHigher,
}

/// Which scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemeName {
    Hard,
    Soft,
    Table,
    Meter,
}

/// What the first pulls promise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstTable {
    pub within: u32,
    pub tier: RarityId,
}

/// Points for every pull.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkTable {
    pub price_points: u64,
}

/// One `[tables.ID]`: tiers, or a box.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LootTable {
    #[serde(default)]
    pub tiers: BTreeMap<RarityId, TierTable>,
    #[serde(rename = "box")]
    pub boxed: Option<BoxTable>,
}

/// One tier of a loot table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierTable {
    pub rate_ppb: u64,
    #[serde(default)]
    pub items: BTreeMap<SpeciesId, u32>,
    #[serde(default)]
    pub featured: BTreeMap<SpeciesId, u32>,
    pub featured_share_ppb: Option<u64>,
    pub guarantee_after: Option<u16>,
    pub path_points: Option<u16>,
}

/// A box without replacement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxTable {
    pub items: BTreeMap<SpeciesId, u32>,
    pub renews_without: Option<SpeciesId>,
}

/// One `[banners.ID]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BannerTable {
    pub title: String,
    pub pity_group: PityGroupId,
    pub table: String,
    #[serde(default = "enabled")]
    pub is_enabled: bool,
    pub opens_at: Option<toml::value::Datetime>,
    pub closes_at: Option<toml::value::Datetime>,
    pub counts: Vec<u32>,
    pub floor: Option<FloorTable>,
    pub limit: Option<LimitTable>,
    pub costs: BTreeMap<CostId, CostTable>,
    #[serde(default)]
    pub spark_items: Vec<SpeciesId>,
}

const fn enabled() -> bool {
    true
}

/// What a summon of so many pulls promises.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloorTable {
    pub count: u32,
    pub tier: RarityId,
}

/// How many pulls a player has in a period.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitTable {
    pub pulls: u32,
    #[serde(default = "day")]
    pub every: Every,
    pub time_zone: Option<String>,
    pub resets_at: Option<String>,
}

const fn day() -> Every {
    Every::Day
}

/// One way to pay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTable {
    pub currency: Option<AssetId>,
    pub token: Option<AssetId>,
    pub amount: Option<Amount>,
    pub free: Option<PeriodTable>,
    #[serde(default = "enabled")]
    pub advances_pity: bool,
    #[serde(default = "enabled")]
    pub resets_pity: bool,
}

/// A period by the calendar.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodTable {
    pub every: Every,
    pub time_zone: Option<String>,
    pub resets_at: Option<String>,
}

/// A prize for having a whole set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTable {
    pub species: Vec<SpeciesId>,
    pub prize: Vec<PrizeTable>,
}

/// One part of a prize.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrizeTable {
    #[expect(dead_code, reason = "a set prize is refused whatever it pays")]
    pub asset: AssetId,
    #[expect(dead_code, reason = "a set prize is refused whatever it pays")]
    pub amount: Amount,
}
