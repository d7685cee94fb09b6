//! Odds and simulations, between protobuf and the domain.

use auric_api::summon::v1 as api;
use auric_edge::Decoder;
use auric_ids::{BannerId, CostId, PlayerId};
use tonic::Status;

use super::decode::summon_count;
use super::encode::count;
use crate::domain::odds::{Chance, Consolidated, Decimal, Next, OddsFault, Until};
use crate::domain::{Report, Tally, Wait};
use crate::handlers::{Manner, Progress};

/// Pulls that one simulation may have.
const PULLS_MAX: u64 = 10_000_000;

/// How far a rate in the long run can be off.
const ERROR_MAX: &str = "0.000000000001";

/// How a banner is drawn from.
pub struct Asked {
    pub banner: BannerId,
    pub cost: Option<CostId>,
    pub count: u32,
}

pub fn get(request: &api::GetOddsRequest) -> Result<(Asked, Option<PlayerId>), Status> {
    let mut decoder = Decoder::default();
    let banner = decoder.id("banner_id", &request.banner_id);
    let player = decoder.optional_id("player_id", &request.player_id);
    let cost = decoder.optional_id("cost_id", &request.cost_id);
    let count = summon_count(&mut decoder, request.count);
    let asked = banner.zip(count).map(|(banner, count)| Asked { banner, cost, count });
    decoder.finish(asked.map(|asked| (asked, player)))
}

pub fn simulate(request: &api::SimulateRequest) -> Result<(Asked, u64), Status> {
    let mut decoder = Decoder::default();
    let banner = decoder.id("banner_id", &request.banner_id);
    let cost = decoder.optional_id("cost_id", &request.cost_id);
    let count = summon_count(&mut decoder, request.count);
    let pulls = u64::try_from(request.pulls).ok().filter(|pulls| (1..=PULLS_MAX).contains(pulls));
    if pulls.is_none() {
        decoder.fault("pulls", format!("must be 1 to {PULLS_MAX}, is {}", request.pulls));
    }
    let decoded = || Some((Asked { banner: banner?, cost, count: count? }, pulls?));
    decoder.finish(decoded())
}

/// The odds of a banner as the API says them.
#[must_use]
pub fn report(manner: &Manner, player: Option<&PlayerId>, catalog: String, report: &Report, curves: bool) -> api::Odds {
    api::Odds {
        banner_id: manner.banner.id.to_string(),
        player_id: player.map(ToString::to_string).unwrap_or_default(),
        cost_id: manner.cost.id.to_string(),
        count: i32::try_from(manner.count).unwrap_or(i32::MAX),
        catalog_hash: catalog,
        next: Some(next(&report.next)),
        long_run: Some(long_run(&report.long_run)),
        waits: report.waits.iter().map(|told| wait(told, curves)).collect(),
    }
}

fn next(next: &Next) -> api::NextOdds {
    let tiers = next.tiers.iter().map(|tier| api::TierOdds {
        rarity: tier.tier.to_string(),
        chance: Some(fraction(tier.chance)),
        chance_ppb: ppb(tier.chance.decimal()),
        count: tier.count.map(fit),
        filled_ppb: tier.filled.map(|filled| fit(filled.parts())),
    });
    let items = next.items.iter().map(|item| api::ItemOdds {
        species_id: item.species.to_string(),
        rarity: item.tier.to_string(),
        featured: item.featured,
        chance: Some(fraction(item.chance)),
    });
    api::NextOdds { tiers: tiers.collect(), items: items.collect() }
}

fn long_run(told: &Result<Consolidated, OddsFault>) -> api::LongRunOdds {
    let told = match told {
        Ok(told) => told,
        Err(fault) => return api::LongRunOdds { fault: fault.to_string(), ..api::LongRunOdds::default() },
    };
    let tiers = told.tiers.iter().map(|tier| api::TierShare {
        rarity: tier.tier.to_string(),
        rate: tier.rate.to_string(),
        mean_pulls: tier.mean_pulls.to_string(),
    });
    let items = told.items.iter().map(|item| api::ItemShare {
        species_id: item.species.to_string(),
        rarity: item.tier.to_string(),
        featured: item.featured,
        rate: item.rate.to_string(),
    });
    let error_max = ERROR_MAX.to_owned();
    api::LongRunOdds { tiers: tiers.collect(), items: items.collect(), error_max, fault: String::new() }
}

fn wait(wait: &Wait, curves: bool) -> api::Wait {
    let told = |told: &Result<Option<Until>, OddsFault>| {
        told.as_ref().ok().and_then(Option::as_ref).map(|told| until(told, curves))
    };
    let fault = wait.from_start.as_ref().err().or(wait.from_now.as_ref().err());
    api::Wait {
        rarity: wait.tier.to_string(),
        featured: wait.featured,
        from_start: told(&wait.from_start),
        from_now: told(&wait.from_now),
        fault: fault.map(ToString::to_string).unwrap_or_default(),
    }
}

fn until(until: &Until, curves: bool) -> api::Until {
    let curve = until.curve.iter().filter(|_| curves).map(|chance| ppb(*chance));
    api::Until {
        mean_pulls: until.mean.to_string(),
        p50_pulls: count(until.p50),
        p90_pulls: count(until.p90),
        p99_pulls: count(until.p99),
        worst_pulls: until.worst.map(count),
        curve_ppb: curve.collect(),
    }
}

fn fraction(chance: Chance) -> api::Fraction {
    api::Fraction { numerator: chance.over.to_string(), denominator: chance.under.to_string() }
}

/// Parts per billion, rounded.
fn ppb(chance: Decimal) -> i64 {
    i64::try_from(chance.parts().saturating_add(500_000_000) / 1_000_000_000).unwrap_or(i64::MAX)
}

fn fit(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub fn progress(progress: &Progress) -> api::SimulateResponse {
    api::SimulateResponse { tally: Some(tally(&progress.tally)), done: progress.done }
}

fn tally(tally: &Tally) -> api::Tally {
    let tiers = tally.tiers.iter().map(|tier| api::TierTally {
        rarity: tier.tier.to_string(),
        hits: count(tier.hits),
        featured_hits: count(tier.featured_hits),
        longest_pulls: count(tier.longest),
    });
    let items = tally.items.iter().map(|item| api::ItemTally {
        species_id: item.species.to_string(),
        rarity: item.tier.to_string(),
        hits: count(item.hits),
    });
    api::Tally { pulls: count(tally.pulls), tiers: tiers.collect(), items: items.collect() }
}
