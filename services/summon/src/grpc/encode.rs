//! From the domain to protobuf.

use auric_api::summon::v1 as api;
use auric_ids::{BannerId, PlayerId};
use auric_status::Problem;
use auric_time::Timestamp;
use auric_twophase::{Decision, Operation, State};
use serde::de::DeserializeOwned;

use super::status;
use crate::domain::{Banner, CostOption, Every, LoggedPull, Outcome, Payment, Period, Plan, Price, Pull, Refusal};
use crate::handlers::{PityView, TierView};

/// The answer to a summon: what was delivered or will be, or why not.
pub fn summoned(operation: &Operation) -> Result<api::Summon, Problem> {
    match &operation.decision {
        Some(Decision::Commit(_)) => Ok(summon(operation)),
        Some(Decision::Refuse(refusal)) => Err(match serde_json::from_str::<Refusal>(refusal) {
            Ok(refusal) => status::of_refusal(&refusal),
            Err(_) => Problem::internal(),
        }),
        Some(Decision::GiveUp(why)) => Err(status::given_up(operation, why)),
        None => Err(status::pending(operation)),
    }
}

pub fn summon(operation: &Operation) -> api::Summon {
    let plan: Option<Plan> = read(&operation.plan);
    let outcome: Option<Outcome> = match &operation.decision {
        Some(Decision::Commit(outcome)) => read(outcome),
        _ => None,
    };
    let refusal: Option<Refusal> = match &operation.decision {
        Some(Decision::Refuse(refusal)) => read(refusal),
        _ => None,
    };
    let pulls = outcome.iter().zip(&plan).flat_map(|(outcome, plan)| {
        let time = operation.decided_at.unwrap_or(operation.begun_at);
        outcome.pulls.iter().map(move |row| api::Pull {
            pity_group_id: plan.group.to_string(),
            banner_id: plan.banner.to_string(),
            operation_id: operation.id.to_string(),
            nonce: count(outcome.nonce),
            epoch: count(outcome.epoch),
            catalog_hash: plan.catalog.to_string(),
            create_time: Some(timestamp(time)),
            ..pull(row)
        })
    });
    let pulls = pulls.collect();
    let named = |of: fn(&Plan) -> String| plan.as_ref().map(of).unwrap_or_default();
    api::Summon {
        operation_id: operation.id.to_string(),
        player_id: operation.player.to_string(),
        banner_id: named(|plan| plan.banner.to_string()),
        cost_id: named(|plan| plan.cost.as_ref().map(ToString::to_string).unwrap_or_default()),
        spark_species_id: named(|plan| plan.spark.as_ref().map(ToString::to_string).unwrap_or_default()),
        count: plan.as_ref().map_or(0, |plan| i32::try_from(plan.count).unwrap_or(i32::MAX)),
        price: plan.as_ref().and_then(|plan| plan.price.as_ref()).map(price),
        state: state(operation).into(),
        pulls,
        attempt: i32::try_from(operation.attempt).unwrap_or(i32::MAX),
        catalog_hash: named(|plan| plan.catalog.to_string()),
        create_time: Some(timestamp(operation.begun_at)),
        decide_time: operation.decided_at.map(timestamp),
        refusal: refusal.map(|refusal| refusal.reason().to_owned()).unwrap_or_default(),
    }
}

fn state(operation: &Operation) -> api::SummonState {
    match (operation.state, &operation.decision) {
        (State::Preparing, _) => api::SummonState::Preparing,
        (State::Committing, _) => api::SummonState::Delivering,
        (State::Committed, _) => api::SummonState::Delivered,
        (State::Aborting | State::Aborted, Some(Decision::Refuse(_))) => api::SummonState::Refused,
        (State::Aborting | State::Aborted, _) => api::SummonState::GivenUp,
    }
}

fn pull(row: &Pull) -> api::Pull {
    api::Pull {
        number: count(row.number),
        slot: i32::try_from(row.slot).unwrap_or(i32::MAX),
        esprit_id: row.esprit.to_string(),
        species_id: row.species.to_string(),
        rarity: row.rarity.to_string(),
        featured: row.featured,
        pity_before: row.before.clone(),
        pity_after: row.after.clone(),
        draws: row.draws.clone(),
        exchanged: row.draws.is_empty(),
        ..api::Pull::default()
    }
}

pub fn logged_pull(row: &LoggedPull) -> api::Pull {
    api::Pull {
        pity_group_id: row.group.to_string(),
        banner_id: row.banner.to_string(),
        operation_id: row.operation.to_string(),
        nonce: count(row.nonce),
        epoch: count(row.epoch),
        catalog_hash: row.catalog.to_string(),
        create_time: Some(timestamp(row.time)),
        ..pull(&row.pull)
    }
}

pub fn banner(banner: &Banner, now: Timestamp) -> api::Banner {
    api::Banner {
        banner_id: banner.id.to_string(),
        title: banner.title.clone(),
        open: banner.check_open(now).is_ok(),
        open_time: banner.opens_at.map(timestamp),
        close_time: banner.closes_at.map(timestamp),
        counts: banner.counts.iter().map(|count| i32::try_from(*count).unwrap_or(i32::MAX)).collect(),
        costs: banner.costs.iter().map(cost).collect(),
        limit_pulls: banner.limit.as_ref().map_or(0, |limit| i32::try_from(limit.pulls).unwrap_or(i32::MAX)),
        limit_period: banner.limit.as_ref().map(|limit| period(&limit.period)).unwrap_or_default(),
        pity_group_id: banner.group.id.to_string(),
        spark: spark(banner),
    }
}

fn spark(banner: &Banner) -> Option<api::SparkOffer> {
    let spark = banner.group.spark.as_ref().filter(|_| !banner.spark_items.is_empty())?;
    let species_ids = banner.spark_items.iter().map(|(species, _)| species.to_string()).collect();
    Some(api::SparkOffer { price_points: count(spark.price_points), species_ids })
}

fn cost(cost: &CostOption) -> api::CostOption {
    let price = cost.total(1).map(|(asset, amount)| price(&Price { asset: asset.clone(), amount }));
    let free_period = match &cost.payment {
        Payment::Free { period } => self::period(period),
        _ => String::new(),
    };
    api::CostOption {
        cost_id: cost.id.to_string(),
        price,
        free_period,
        advances_pity: cost.advances_pity,
        resets_pity: cost.resets_pity,
    }
}

fn period(period: &Period) -> String {
    let word = match period.every {
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
    };
    word.to_owned()
}

pub fn pity(player: &PlayerId, banner: &BannerId, view: &PityView) -> api::Pity {
    api::Pity {
        player_id: player.to_string(),
        banner_id: banner.to_string(),
        pity_group_id: view.group.to_string(),
        pulls: count(view.pulls),
        tiers: view.tiers.iter().map(tier).collect(),
        spark_points: count(view.spark_points),
        catalog_hash: view.catalog.to_string(),
        free_cost_ids: view.free.iter().map(ToString::to_string).collect(),
        limit_left: view.limit_left.map(|left| i32::try_from(left).unwrap_or(i32::MAX)),
    }
}

fn tier(tier: &TierView) -> api::TierPity {
    let fit = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    api::TierPity {
        rarity: tier.rarity.to_string(),
        count: fit(tier.count),
        filled_ppb: fit(tier.filled_ppb),
        chance_ppb: fit(tier.chance_ppb),
        losses: i32::from(tier.losses),
    }
}

pub fn operation(operation: &Operation) -> api::Operation {
    let plan: Option<Plan> = read(&operation.plan);
    let paid = plan.and_then(|plan| plan.price);
    let esprits = match &operation.decision {
        Some(Decision::Commit(outcome)) => read::<Outcome>(outcome).map_or(0, |outcome| outcome.pulls.len()),
        _ => 0,
    };
    api::Operation {
        operation_id: operation.id.to_string(),
        player_id: operation.player.to_string(),
        caller: operation.key.caller.to_string(),
        idempotency_key: operation.key.key.to_string(),
        attempt: i32::try_from(operation.attempt).unwrap_or(i32::MAX),
        state: operation.state.as_str().to_owned(),
        decision: operation.decision.as_ref().map_or("", Decision::as_str).to_owned(),
        recoveries: i32::try_from(operation.recoveries).unwrap_or(i32::MAX),
        last_error: operation.last_error.clone(),
        create_time: Some(timestamp(operation.begun_at)),
        decide_time: operation.decided_at.map(timestamp),
        done_time: operation.done_at.map(timestamp),
        due_time: Some(timestamp(operation.due_at)),
        paid: paid.is_some(),
        esprits: i32::try_from(esprits).unwrap_or(i32::MAX),
        price: paid.as_ref().map(price),
    }
}

fn price(price: &Price) -> api::Price {
    api::Price { asset_id: price.asset.to_string(), amount: count(price.amount.units()) }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

pub fn count(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}
