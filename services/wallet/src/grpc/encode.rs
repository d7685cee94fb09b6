//! From the domain to protobuf.

use auric_api::wallet::v1 as api;
use auric_ids::PoolId;
use auric_time::Timestamp;
use chrono::{Days, NaiveDate};

use super::status;
use crate::domain::{
    Asset, AssetKind, Assets, BalanceKey, BalanceView, Entry, HoldLeg, HoldState, Movement, MovementKind, Posted,
    Progression, Record, RetailToken,
};
use crate::handlers::{Balances, Progress, Supply};
use crate::store::{FlowLine, KeptHold};

pub fn posted(posted: &Posted) -> api::Posted {
    api::Posted {
        movements: posted.movements.iter().map(movement).collect(),
        create_time: Some(time(posted.time)),
        expire_time: posted.expires_at.map(time),
        voided: posted.voided,
        retail_token: posted.retail_token.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

pub fn balances(balances: &Balances) -> api::GetBalancesResponse {
    let version = |(player, version): &(auric_ids::PlayerId, u64)| api::PlayerVersion {
        player_id: player.to_string(),
        version: int64(*version),
    };
    api::GetBalancesResponse {
        balances: balances.views.iter().map(balance).collect(),
        versions: balances.versions.iter().map(version).collect(),
        read_time: Some(time(balances.read_at)),
    }
}

fn balance(view: &BalanceView) -> api::Balance {
    let [available, held, room, owed] = view.balance.parts().map(int64);
    api::Balance {
        player_id: view.key.player.to_string(),
        asset_id: view.key.asset.to_string(),
        pool_id: view.key.pool.to_string(),
        available,
        held,
        room,
        maximum: view.maximum.map(int64),
        owed,
        full_time: view.full_at.map(time),
    }
}

pub fn entry(entry: &Entry) -> api::Entry {
    api::Entry {
        movement: Some(movement(&entry.movement)),
        reason: entry.note.reason.to_string(),
        context: entry.note.context.clone().into_iter().collect(),
        caller: entry.caller.to_string(),
        idempotency_key: entry.idempotency_key.to_string(),
        trace_id: entry.trace_id.to_string(),
        catalog_hash: entry.catalog_hash.to_string(),
        create_time: Some(time(entry.time)),
        chain_hash: hex::encode(entry.hash),
    }
}

pub fn mutation(record: &Record) -> api::Mutation {
    api::Mutation {
        caller: record.key.caller.to_string(),
        idempotency_key: record.key.key.to_string(),
        method: record.method.as_str().to_owned(),
        answer: Some(match &record.outcome {
            Ok(applied) => api::mutation::Answer::Posted(posted(applied)),
            Err(rejection) => api::mutation::Answer::Refusal(status::refusal(rejection)),
        }),
        create_time: Some(time(record.time)),
    }
}

pub fn hold(kept: &KeptHold, now: Timestamp) -> api::Hold {
    let hold = &kept.hold;
    let state = match &hold.state {
        HoldState::Held if hold.is_due(now) => api::HoldState::Expired,
        HoldState::Held => api::HoldState::Held,
        HoldState::Committed { .. } => api::HoldState::Committed,
        HoldState::Released { .. } => api::HoldState::Released,
        HoldState::Expired { .. } => api::HoldState::Expired,
        HoldState::Voided { .. } => api::HoldState::Voided,
    };
    let committed_amounts = match &hold.state {
        HoldState::Committed { amounts, .. } => amounts.iter().copied().map(int64).collect(),
        _ => Vec::new(),
    };
    api::Hold {
        hold_id: hold.id.to_string(),
        caller: hold.caller.to_string(),
        legs: hold.terms.legs.iter().map(hold_leg).collect(),
        whole: hold.terms.whole,
        expire_time: hold.expires_at.map(time),
        reason: hold.terms.note.reason.to_string(),
        context: hold.terms.note.context.clone().into_iter().collect(),
        state: state.into(),
        committed_amounts,
        create_time: Some(time(kept.created_at)),
        update_time: Some(time(kept.updated_at)),
    }
}

fn hold_leg(leg: &HoldLeg) -> api::HoldLeg {
    let end = |key: &BalanceKey, pool: &PoolId| api::BalanceRef {
        player_id: key.player.to_string(),
        asset_id: key.asset.to_string(),
        pool_id: pool.to_string(),
    };
    // A debit that several pools share names none.
    let from = match leg.from.as_slice() {
        [] => None,
        [only] => Some(end(&only.key, &only.key.pool)),
        [first, ..] => Some(api::BalanceRef { pool_id: String::new(), ..end(&first.key, &first.key.pool) }),
    };
    api::HoldLeg { from, to: leg.to.as_ref().map(|key| end(key, &key.pool)), amount: leg.amount.into() }
}

pub fn retail_token(token: &RetailToken) -> api::RetailToken {
    let (provider, object_id) = token.source();
    api::RetailToken {
        token: token.id.to_string(),
        player_id: token.player.to_string(),
        provider: provider.to_owned(),
        object_id: object_id.to_owned(),
        caller: token.caller.to_string(),
        reason: token.note.reason.to_string(),
        context: token.note.context.clone().into_iter().collect(),
        create_time: Some(time(token.issued_at)),
        generation: generation(token),
    }
}

/// What was generated with the token, when it was used.
pub fn generation(token: &RetailToken) -> Option<api::Generation> {
    let made = token.used.as_ref()?;
    Some(api::Generation {
        generation_id: made.id.to_string(),
        payload_hash: made.payload_hash.to_string(),
        token: token.id.to_string(),
        player_id: token.player.to_string(),
        caller: made.caller.to_string(),
        create_time: Some(time(made.time)),
    })
}

pub fn flow(line: &FlowLine) -> api::Flow {
    api::Flow {
        asset_id: line.asset.to_string(),
        reason: line.reason.to_string(),
        day: day(line.day),
        issued: int64(line.flow.issued_units),
        burned: int64(line.flow.burned_units),
    }
}

pub fn supply(supply: &Supply) -> api::Supply {
    let (issued, burned) = (int64(supply.flow.issued_units), int64(supply.flow.burned_units));
    api::Supply { asset_id: supply.asset.to_string(), issued, burned, outstanding: issued.saturating_sub(burned) }
}

pub fn catalog(assets: &Assets) -> api::GetCatalogResponse {
    api::GetCatalogResponse {
        catalog_hash: assets.hash.to_string(),
        assets: assets.iter().map(|(id, asset)| self::asset(id.as_str(), asset)).collect(),
        progression: assets.progression().map(progression),
    }
}

fn progression(progression: &Progression) -> api::Progression {
    let stats = progression.stats.iter().map(|(stat, points)| (stat.to_string(), points.to_string()));
    api::Progression {
        xp_asset_id: progression.xp.to_string(),
        levels_gained_asset_id: progression.levels_gained.to_string(),
        stat_points_asset_id: progression.stat_points.to_string(),
        stat_points_per_level: int64(progression.stat_points_per_level),
        thresholds: progression.thresholds.iter().copied().map(int64).collect(),
        stats: stats.collect(),
    }
}

fn asset(id: &str, asset: &Asset) -> api::Asset {
    let recharging = match &asset.kind {
        AssetKind::Recharging(recharging) => Some(recharging),
        _ => None,
    };
    let kind = match &asset.kind {
        AssetKind::Currency => api::AssetKind::Currency,
        AssetKind::Points => api::AssetKind::Points,
        AssetKind::Token => api::AssetKind::Token,
        AssetKind::Credit { .. } => api::AssetKind::Credit,
        AssetKind::Recharging(_) => api::AssetKind::Recharging,
    };
    let pools = match &asset.kind {
        AssetKind::Credit { pools } => pools.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let interval = |micros| std::time::Duration::from_micros(micros).try_into().ok();
    api::Asset {
        asset_id: id.to_owned(),
        kind: kind.into(),
        maximum: asset.maximum.or(recharging.map(|recharging| recharging.base_units)).map(int64),
        pools,
        regen_amount: recharging.map(|recharging| int64(recharging.regen_units)).unwrap_or_default(),
        regen_interval: recharging.and_then(|recharging| interval(recharging.interval_micros)),
        retired: asset.retired,
    }
}

pub fn progress(progress: &Progress) -> api::VerifyAuditResponse {
    let fault = |fault: &crate::handlers::AuditFault| api::AuditFault {
        player_id: fault.player.as_ref().map(ToString::to_string).unwrap_or_default(),
        number: int64(fault.number),
        kind: fault.kind.as_str().to_owned(),
        message: fault.message.clone(),
    };
    api::VerifyAuditResponse {
        players_verified: int64(progress.players_verified),
        entries_verified: int64(progress.entries_verified),
        mutations_verified: int64(progress.mutations_verified),
        faults: progress.faults.iter().map(fault).collect(),
        done: progress.done,
        players_total: int64(progress.players_total),
    }
}

fn movement(movement: &Movement) -> api::Movement {
    let [available_change, held_change, room_change, owed_change] = movement.change.parts();
    let [available_after, held_after, room_after, owed_after] = movement.after.parts().map(int64);
    api::Movement {
        player_id: movement.key.player.to_string(),
        number: int64(movement.number),
        asset_id: movement.key.asset.to_string(),
        pool_id: movement.key.pool.to_string(),
        kind: kind(movement.kind).into(),
        available_change,
        held_change,
        room_change,
        available_after,
        held_after,
        room_after,
        clamped_units: int64(movement.clamped_units),
        owed_change,
        owed_after,
    }
}

const fn kind(kind: MovementKind) -> api::MovementKind {
    match kind {
        MovementKind::Posted => api::MovementKind::Posted,
        MovementKind::Claimed => api::MovementKind::Claimed,
        MovementKind::Transferred => api::MovementKind::Transferred,
        MovementKind::Reserved => api::MovementKind::Reserved,
        MovementKind::Committed => api::MovementKind::Committed,
        MovementKind::Released => api::MovementKind::Released,
        MovementKind::Expired => api::MovementKind::Expired,
        MovementKind::Lapsed => api::MovementKind::Lapsed,
        MovementKind::Regenerated => api::MovementKind::Regenerated,
        MovementKind::Leveled => api::MovementKind::Leveled,
        MovementKind::Spent => api::MovementKind::Spent,
        MovementKind::Renewed => api::MovementKind::Renewed,
        MovementKind::Paid => api::MovementKind::Paid,
        MovementKind::Refunded => api::MovementKind::Refunded,
    }
}

pub fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

fn day(day: i32) -> String {
    let days = u64::try_from(day).unwrap_or_default();
    NaiveDate::default().checked_add_days(Days::new(days)).map(|day| day.to_string()).unwrap_or_default()
}

/// Units as the API has them. Every unit is at most 2^53 - 1.
fn int64(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}
