//! From the domain to protobuf.

use auric_api::wallet::v1 as api;
use auric_time::Timestamp;

use super::status;
use crate::domain::{Assets, Balance, BalanceKey, Entry, Movement, MovementKind, Posted, Record};

pub fn posted(posted: &Posted) -> api::Posted {
    api::Posted { movements: posted.movements.iter().map(movement).collect(), create_time: Some(time(posted.time)) }
}

pub fn balance(key: &BalanceKey, balance: Balance, assets: &Assets) -> api::Balance {
    api::Balance {
        player_id: key.player.to_string(),
        asset_id: key.asset.to_string(),
        pool_id: key.pool.to_string(),
        available: int64(balance.available_units()),
        held: int64(balance.held_units()),
        room: int64(balance.room_units()),
        maximum: assets.get(&key.asset).and_then(|asset| asset.maximum).map(int64),
    }
}

pub fn entry(entry: &Entry) -> api::Entry {
    api::Entry {
        movement: Some(movement(&entry.movement)),
        reason: entry.reason.to_string(),
        context: entry.context.clone().into_iter().collect(),
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

fn movement(movement: &Movement) -> api::Movement {
    api::Movement {
        player_id: movement.key.player.to_string(),
        number: int64(movement.number),
        asset_id: movement.key.asset.to_string(),
        pool_id: movement.key.pool.to_string(),
        kind: kind(movement.kind).into(),
        available_change: movement.change.available_units,
        held_change: movement.change.held_units,
        room_change: movement.change.room_units,
        available_after: int64(movement.after.available_units()),
        held_after: int64(movement.after.held_units()),
        room_after: int64(movement.after.room_units()),
        clamped_units: int64(movement.clamped_units),
    }
}

const fn kind(kind: MovementKind) -> api::MovementKind {
    match kind {
        MovementKind::Posted => api::MovementKind::Posted,
    }
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// Units as the API has them. Every unit is at most 2^53 - 1.
fn int64(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}
