//! The wallet's answers as documents: the field names are those of the API, and stay.

use std::collections::BTreeMap;

use auric_api::wallet::v1 as api;
use serde::Serialize;

use crate::output;

/// What one player has of one asset, in one pool.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BalanceDocument {
    pub player_id: String,
    pub asset_id: String,
    pub pool_id: String,
    pub available: i64,
    pub held: i64,
    pub room: i64,
    pub maximum: Option<i64>,
    pub owed: i64,
    pub full_time: String,
}

/// The change of one balance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct MovementDocument {
    pub player_id: String,
    pub number: i64,
    pub asset_id: String,
    pub pool_id: String,
    pub kind: String,
    pub available_change: i64,
    pub held_change: i64,
    pub room_change: i64,
    pub owed_change: i64,
    pub available_after: i64,
    pub held_after: i64,
    pub room_after: i64,
    pub owed_after: i64,
    pub clamped_units: i64,
}

/// One line of a player's audit.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EntryDocument {
    #[serde(flatten)]
    pub movement: MovementDocument,
    pub reason: String,
    pub context: BTreeMap<String, String>,
    pub caller: String,
    pub idempotency_key: String,
    pub trace_id: String,
    pub catalog_hash: String,
    pub create_time: String,
    pub chain_hash: String,
}

/// What a mutation applied, and under which key.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PostedDocument {
    pub idempotency_key: String,
    pub replayed: bool,
    pub create_time: String,
    pub expire_time: String,
    pub voided: bool,
    pub retail_token: String,
    pub movements: Vec<MovementDocument>,
}

/// What is set aside, or was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct HoldDocument {
    pub hold_id: String,
    pub caller: String,
    pub state: String,
    pub legs: Vec<HoldLegDocument>,
    pub whole: bool,
    pub committed_amounts: Vec<i64>,
    pub expire_time: String,
    pub reason: String,
    pub context: BTreeMap<String, String>,
    pub create_time: String,
    pub update_time: String,
}

/// One leg of a hold.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct HoldLegDocument {
    pub from: Option<EndDocument>,
    pub to: Option<EndDocument>,
    pub amount: i64,
}

/// One end of a leg.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EndDocument {
    pub player_id: String,
    pub asset_id: String,
    pub pool_id: String,
}

/// How many units of an asset the players have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SupplyDocument {
    pub asset_id: String,
    pub issued: i64,
    pub burned: i64,
    pub outstanding: i64,
}

/// What came and went of one asset for one reason on one day.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FlowDocument {
    pub asset_id: String,
    pub reason: String,
    pub day: String,
    pub issued: i64,
    pub burned: i64,
}

impl From<api::Balance> for BalanceDocument {
    fn from(balance: api::Balance) -> Self {
        let api::Balance { player_id, asset_id, pool_id, available, held, room, maximum, owed, full_time } = balance;
        let full_time = output::time(full_time.as_ref());
        Self { player_id, asset_id, pool_id, available, held, room, maximum, owed, full_time }
    }
}

impl From<api::Movement> for MovementDocument {
    fn from(movement: api::Movement) -> Self {
        let kind = movement.kind().as_str_name().trim_start_matches("MOVEMENT_KIND_").to_owned();
        Self {
            kind,
            player_id: movement.player_id,
            number: movement.number,
            asset_id: movement.asset_id,
            pool_id: movement.pool_id,
            available_change: movement.available_change,
            held_change: movement.held_change,
            room_change: movement.room_change,
            owed_change: movement.owed_change,
            available_after: movement.available_after,
            held_after: movement.held_after,
            room_after: movement.room_after,
            owed_after: movement.owed_after,
            clamped_units: movement.clamped_units,
        }
    }
}

impl From<api::Entry> for EntryDocument {
    fn from(entry: api::Entry) -> Self {
        Self {
            movement: entry.movement.unwrap_or_default().into(),
            reason: entry.reason,
            context: entry.context.into_iter().collect(),
            caller: entry.caller,
            idempotency_key: entry.idempotency_key,
            trace_id: entry.trace_id,
            catalog_hash: entry.catalog_hash,
            create_time: output::time(entry.create_time.as_ref()),
            chain_hash: entry.chain_hash,
        }
    }
}

impl PostedDocument {
    /// Puts the key beside what was applied under it.
    pub fn new(idempotency_key: String, replayed: bool, posted: api::Posted) -> Self {
        Self {
            idempotency_key,
            replayed,
            create_time: output::time(posted.create_time.as_ref()),
            expire_time: output::time(posted.expire_time.as_ref()),
            voided: posted.voided,
            retail_token: posted.retail_token,
            movements: documents(posted.movements),
        }
    }
}

impl From<api::Hold> for HoldDocument {
    fn from(hold: api::Hold) -> Self {
        Self {
            state: hold.state().as_str_name().trim_start_matches("HOLD_STATE_").to_owned(),
            hold_id: hold.hold_id,
            caller: hold.caller,
            legs: documents(hold.legs),
            whole: hold.whole,
            committed_amounts: hold.committed_amounts,
            expire_time: output::time(hold.expire_time.as_ref()),
            reason: hold.reason,
            context: hold.context.into_iter().collect(),
            create_time: output::time(hold.create_time.as_ref()),
            update_time: output::time(hold.update_time.as_ref()),
        }
    }
}

impl From<api::HoldLeg> for HoldLegDocument {
    fn from(leg: api::HoldLeg) -> Self {
        Self { from: leg.from.map(EndDocument::from), to: leg.to.map(EndDocument::from), amount: leg.amount }
    }
}

impl From<api::BalanceRef> for EndDocument {
    fn from(end: api::BalanceRef) -> Self {
        let api::BalanceRef { player_id, asset_id, pool_id } = end;
        Self { player_id, asset_id, pool_id }
    }
}

impl From<api::Supply> for SupplyDocument {
    fn from(supply: api::Supply) -> Self {
        let api::Supply { asset_id, issued, burned, outstanding } = supply;
        Self { asset_id, issued, burned, outstanding }
    }
}

impl From<api::Flow> for FlowDocument {
    fn from(flow: api::Flow) -> Self {
        let api::Flow { asset_id, reason, day, issued, burned } = flow;
        Self { asset_id, reason, day, issued, burned }
    }
}

/// Makes documents of a list.
pub fn documents<T, D: From<T>>(list: Vec<T>) -> Vec<D> {
    list.into_iter().map(D::from).collect()
}
