//! What a change of the catalog changes for players.

use std::collections::BTreeMap;

use auric_ids::BannerId;

use super::{Consolidated, consolidated};
use crate::domain::banner::{Banner, Banners, CostOption, Payment};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which banner.
    pub banner: BannerId,
    /// What, such as `rate of legendary` or `cost aether`.
    pub what: String,
    /// How it is before; none: it was not there.
    pub before: Option<String>,
    /// How it is next; none: it is gone.
    pub next: Option<String>,
}

/// Lists what players would notice of `next` after `before`: banners, costs, times, and the odds in the long run.
#[must_use]
pub fn diff(before: &Banners, next: &Banners) -> Vec<Difference> {
    let ids: std::collections::BTreeSet<&BannerId> =
        before.iter().chain(next.iter()).map(|banner| &banner.id).collect();
    let mut found = Vec::new();
    for id in ids {
        let sides = [before.get(id), next.get(id)].map(|banner| banner.map(|banner| facts(banner)).unwrap_or_default());
        let names: std::collections::BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
        for what in names {
            let [before, next] = [0, 1].map(|side: usize| sides[side].get(what).cloned());
            if before != next {
                found.push(Difference { banner: id.clone(), what: what.clone(), before, next });
            }
        }
    }
    found
}

fn facts(banner: &Banner) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    facts.insert("title".to_owned(), banner.title.clone());
    facts.insert("enabled".to_owned(), banner.is_enabled.to_string());
    facts.insert("pity group".to_owned(), banner.group.id.to_string());
    facts.insert("counts".to_owned(), format!("{:?}", banner.counts));
    let times = [("opens", banner.opens_at), ("closes", banner.closes_at)];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.to_string()))));
    if let Some(limit) = &banner.limit {
        facts.insert("limit".to_owned(), format!("{} pulls a {}", limit.pulls, limit.period.every));
    }
    if let Some(spark) = &banner.group.spark {
        facts.insert("spark price".to_owned(), format!("{} points", spark.price_points));
    }
    for cost in &banner.costs {
        facts.insert(format!("cost {}", cost.id), price(cost));
    }
    for count in &banner.counts {
        let named = if *count == 1 { String::new() } else { format!(" by {count}") };
        match consolidated(banner, crate::domain::How::PAID, *count, None) {
            Ok(told) => rates(&mut facts, &named, &told),
            Err(fault) => {
                facts.insert(format!("rates{named}"), fault.to_string());
            }
        }
    }
    facts
}

fn rates(facts: &mut BTreeMap<String, String>, named: &str, told: &Consolidated) {
    for tier in &told.tiers {
        facts.insert(format!("rate of {}{named}", tier.tier), tier.rate.to_string());
    }
    for item in &told.items {
        facts.insert(format!("rate of {}{named}", item.species), item.rate.to_string());
    }
}

fn price(cost: &CostOption) -> String {
    let pity = match (cost.advances_pity, cost.resets_pity) {
        (true, true) => "",
        (false, false) => ", without pity",
        (true, false) => ", misses count only",
        (false, true) => ", misses do not count",
    };
    match &cost.payment {
        Payment::Currency { asset, amount } | Payment::Token { asset, amount } => format!("{amount} {asset}{pity}"),
        Payment::Free { period } => format!("free once a {}{pity}", period.every),
    }
}
