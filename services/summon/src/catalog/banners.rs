//! Banners: what they cost can be paid, what they promise can be kept, and no set of paid chances has a prize.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_ids::{BannerId, RarityId, SpeciesId};
use auric_time::Timestamp;
use chrono::{DateTime, NaiveTime};

use super::BANNERS;
use super::loot::Parts;
use super::species::Species;
use super::tables::{BannerTable, BannersFile, CostTable, GroupTable, PeriodTable};
use crate::domain::pity::{FirstPulls, Spark};
use crate::domain::{Banner, CostOption, Every, Limit, Loot, Payment, Period, PityGroup, Tiers};

/// The most pulls of one summon.
const COUNT_MAX: u32 = 100;

/// The most pulls that a limit can allow in a period.
const LIMIT_MAX: u32 = 1_000_000;

type ById = BTreeMap<BannerId, Arc<Banner>>;

fn fault(key: impl Into<String>, reason: impl Into<String>) -> CatalogError {
    CatalogError::new(BANNERS, key, reason)
}

/// Builds the banners of `file`.
pub fn build(
    file: &BannersFile,
    rarities: &[RarityId],
    species: &BTreeMap<SpeciesId, Species>,
) -> Result<ById, CatalogError> {
    if file.banners.is_empty() {
        return Err(fault("banners", "has no banner"));
    }
    let unused = |kind: &str, used: BTreeSet<&str>, all: Vec<&str>| match all.into_iter().find(|id| !used.contains(id))
    {
        Some(id) => Err(fault(format!("{kind}.{id}"), "no banner uses it")),
        None => Ok(()),
    };
    unused(
        "pity_groups",
        file.banners.values().map(|banner| banner.pity_group.as_str()).collect(),
        file.pity_groups.keys().map(auric_ids::PityGroupId::as_str).collect(),
    )?;
    unused(
        "tables",
        file.banners.values().map(|banner| banner.table.as_str()).collect(),
        file.tables.keys().map(String::as_str).collect(),
    )?;
    let mut by_id = ById::new();
    for (id, table) in &file.banners {
        by_id.insert(id.clone(), Arc::new(banner(file, id, table, rarities, species)?));
    }
    check_sets(file, &by_id)?;
    Ok(by_id)
}

fn banner(
    file: &BannersFile,
    id: &BannerId,
    table: &BannerTable,
    rarities: &[RarityId],
    species: &BTreeMap<SpeciesId, Species>,
) -> Result<Banner, CatalogError> {
    let key = format!("banners.{id}");
    let Some(group) = file.pity_groups.get(&table.pity_group) else {
        return Err(fault(format!("{key}.pity_group"), format!("{} is not in pity_groups", table.pity_group)));
    };
    let Some(loot_table) = file.tables.get(&table.table) else {
        return Err(fault(format!("{key}.table"), format!("{} is not in tables", table.table)));
    };
    if table.title.trim().is_empty() {
        return Err(fault(format!("{key}.title"), "must not be empty"));
    }
    let (loot_key, group_key) = (format!("tables.{}", table.table), format!("pity_groups.{}", table.pity_group));
    let parts = Parts { key: &loot_key, group_key: &group_key, rarities, species };
    let mut loot = parts.loot(loot_table, group)?;
    let counts = counts(&key, &table.counts)?;
    if let Some(floor) = &table.floor {
        let floor_key = format!("{key}.floor");
        if !counts.contains(&floor.count) {
            return Err(fault(format!("{floor_key}.count"), format!("no summon has {} pulls", floor.count)));
        }
        let Loot::Tiers(tiers) = &mut loot else { return Err(fault(floor_key, "a box promises nothing")) };
        let promise = parts.promise(&tiers.slots, &floor.tier, floor.count);
        tiers.floor = Some(promise.map_err(|reason| fault(floor_key, reason))?);
    }
    let (opens_at, closes_at) = times(&key, table)?;
    let limit = match &table.limit {
        None => None,
        Some(limit) if !(1..=LIMIT_MAX).contains(&limit.pulls) => {
            let reason = format!("must be 1 to {LIMIT_MAX}, is {}", limit.pulls);
            return Err(fault(format!("{key}.limit.pulls"), reason));
        }
        Some(limit) => {
            let zone = (limit.time_zone.as_deref(), limit.resets_at.as_deref());
            Some(Limit { pulls: limit.pulls, period: period(&format!("{key}.limit"), limit.every, zone)? })
        }
    };
    let spark_items = spark_items(&key, table, group, &loot)?;
    Ok(Banner {
        id: id.clone(),
        title: table.title.clone(),
        is_enabled: table.is_enabled,
        opens_at,
        closes_at,
        costs: costs(&key, table, &counts)?,
        counts,
        limit,
        group: Arc::new(self::group(table, group)),
        loot,
        spark_items,
    })
}

fn group(table: &BannerTable, group: &GroupTable) -> PityGroup {
    PityGroup {
        id: table.pity_group.clone(),
        first: group.first.as_ref().map(|first| FirstPulls { within: first.within, tier: first.tier.clone() }),
        spark: group.spark.as_ref().map(|spark| Spark { price_points: spark.price_points }),
    }
}

fn counts(key: &str, counts: &[u32]) -> Result<Vec<u32>, CatalogError> {
    let distinct: BTreeSet<u32> = counts.iter().copied().collect();
    let in_bounds = counts.iter().all(|count| (1..=COUNT_MAX).contains(count));
    if counts.is_empty() || !in_bounds || distinct.len() != counts.len() {
        let reason = format!("must be different numbers from 1 to {COUNT_MAX}, one at least");
        return Err(fault(format!("{key}.counts"), reason));
    }
    Ok(distinct.into_iter().collect())
}

fn times(key: &str, table: &BannerTable) -> Result<(Option<Timestamp>, Option<Timestamp>), CatalogError> {
    let instant = |field: &str, datetime: &Option<toml::value::Datetime>| match datetime {
        None => Ok(None),
        Some(datetime) => match DateTime::parse_from_rfc3339(&datetime.to_string()) {
            Ok(instant) => Ok(Some(Timestamp::from(instant.to_utc()))),
            Err(_) => Err(fault(
                format!("{key}.{field}"),
                "must have a date, a time and an offset, such as 2027-01-31T12:00:00Z",
            )),
        },
    };
    let (opens_at, closes_at) = (instant("opens_at", &table.opens_at)?, instant("closes_at", &table.closes_at)?);
    if let (Some(opens_at), Some(closes_at)) = (opens_at, closes_at)
        && opens_at >= closes_at
    {
        return Err(fault(format!("{key}.closes_at"), "must be after opens_at"));
    }
    Ok((opens_at, closes_at))
}

fn costs(key: &str, table: &BannerTable, counts: &[u32]) -> Result<Vec<CostOption>, CatalogError> {
    if table.costs.is_empty() {
        return Err(fault(format!("{key}.costs"), "has no way to pay"));
    }
    let mut costs = Vec::new();
    for (id, cost) in &table.costs {
        let key = format!("{key}.costs.{id}");
        let option = CostOption {
            id: id.clone(),
            payment: payment(&key, cost)?,
            advances_pity: cost.advances_pity,
            resets_pity: cost.resets_pity,
        };
        let is_free = matches!(option.payment, Payment::Free { .. });
        if is_free && !counts.contains(&1) {
            return Err(fault(format!("{key}.free"), "is for a summon of one pull, and there is none"));
        }
        if let Some(count) = counts.iter().find(|count| !is_free && option.total(**count).is_none()) {
            return Err(fault(
                format!("{key}.amount"),
                format!("is more than can be paid when it is taken {count} times"),
            ));
        }
        costs.push(option);
    }
    Ok(costs)
}

fn payment(key: &str, cost: &CostTable) -> Result<Payment, CatalogError> {
    let amount = |named: &str| match cost.amount {
        Some(amount) => Ok(amount),
        None => Err(fault(format!("{key}.amount"), format!("is missing: {named} has an amount"))),
    };
    match (&cost.currency, &cost.token, &cost.free) {
        (Some(asset), None, None) => Ok(Payment::Currency { asset: asset.clone(), amount: amount("currency")? }),
        (None, Some(asset), None) => Ok(Payment::Token { asset: asset.clone(), amount: amount("token")? }),
        (None, None, Some(PeriodTable { every, time_zone, resets_at })) => {
            if cost.amount.is_some() {
                return Err(fault(format!("{key}.amount"), "is not free"));
            }
            let zone = (time_zone.as_deref(), resets_at.as_deref());
            Ok(Payment::Free { period: period(&format!("{key}.free"), *every, zone)? })
        }
        _ => Err(fault(key, "must have one of currency, token and free")),
    }
}

fn period(key: &str, every: Every, (zone, resets_at): (Option<&str>, Option<&str>)) -> Result<Period, CatalogError> {
    let zone = zone.unwrap_or("UTC");
    let Ok(parsed) = zone.parse() else {
        return Err(fault(format!("{key}.time_zone"), format!("{zone} is no time zone, such as Europe/Berlin")));
    };
    let Ok(resets_at) = NaiveTime::parse_from_str(resets_at.unwrap_or("00:00"), "%H:%M") else {
        return Err(fault(format!("{key}.resets_at"), "must be a time of day, such as 04:00"));
    };
    Ok(Period { every, zone: parsed, resets_at })
}

fn spark_items(
    key: &str,
    table: &BannerTable,
    group: &GroupTable,
    loot: &Loot,
) -> Result<Vec<(SpeciesId, RarityId)>, CatalogError> {
    let key = format!("{key}.spark_items");
    match &group.spark {
        None if table.spark_items.is_empty() => return Ok(Vec::new()),
        None => return Err(fault(key, format!("pity_groups.{} gives no spark points", table.pity_group))),
        Some(spark) if spark.price_points == 0 => {
            return Err(fault(format!("pity_groups.{}.spark.price_points", table.pity_group), "must be at least 1"));
        }
        Some(_) => {}
    }
    let given = given(loot);
    let items = table.spark_items.iter().map(|species| match given.get(species) {
        Some(tier) => Ok((species.clone(), (*tier).clone())),
        None => Err(fault(&key, format!("{species} is not among what the banner gives"))),
    });
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<&SpeciesId> = table.spark_items.iter().collect();
    if distinct.len() != items.len() {
        return Err(fault(key, "names an item twice"));
    }
    Ok(items)
}

/// What a banner can give, and of which tier it is.
fn given(loot: &Loot) -> BTreeMap<&SpeciesId, &RarityId> {
    match loot {
        Loot::Tiers(Tiers { slots, .. }) => {
            slots.iter().flat_map(|slot| slot.items.iter().map(|item| (item, &slot.tier))).collect()
        }
        Loot::Box(boxed) => boxed.items.iter().map(|item| (&item.species, &item.tier)).collect(),
    }
}

/// A prize for a set of which a part is won in paid draws makes the last missing one cost without bound: it is refused, as the law of
/// several countries does.
fn check_sets(file: &BannersFile, banners: &ById) -> Result<(), CatalogError> {
    for (name, set) in &file.sets {
        let key = format!("sets.{name}");
        if set.species.is_empty() || set.prize.is_empty() {
            return Err(fault(key, "must have species and a prize"));
        }
        for banner in banners.values() {
            let is_paid = banner.costs.iter().any(|cost| !matches!(cost.payment, Payment::Free { .. }));
            let given = given(&banner.loot);
            if let Some(species) = set.species.iter().find(|species| is_paid && given.contains_key(species)) {
                let reason =
                    format!("is a prize for completing a set, and {species} is drawn for payment from {}", banner.id);
                return Err(fault(key, reason));
            }
        }
    }
    match file.sets.keys().next() {
        Some(name) => Err(fault(format!("sets.{name}"), "is a prize that nothing pays")),
        None => Ok(()),
    }
}
