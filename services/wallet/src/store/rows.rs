//! Rows as both databases give them, and values as both keep them.

use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_db::{DbTime, StoreError};
use auric_ids::{IdError, PlayerId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::{FlowLine, KeptHold};
use crate::domain::{
    Balance, BalanceKey, Change, ClaimRow, Context, Entry, Fingerprint, Flow, Guard, Head, Hold, HoldRow, HoldState,
    HoldTerms, Method, Movement, MovementKind, MutationKey, Newest, Note, Outcome, Player, Posted, Record, Row,
    Settled,
};

/// A number of units as BIGINT. Every unit is at most 2^53 - 1, every count far below.
pub fn bigint(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// A value as text: read by people too.
pub fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("a value cannot be written: {error}")))
}

/// The context as text; nothing when there is none.
pub fn context_text(context: &Context) -> Result<String, StoreError> {
    if context.is_empty() { Ok(String::new()) } else { text(context) }
}

/// What a hold's end is written as.
pub struct Ended<'h> {
    /// The key of the request that ended it; nothing where it lapsed, or is open.
    pub under: Option<&'h MutationKey>,
    /// What was taken of each leg, as text, where it was not all of it.
    pub amounts: Option<String>,
}

/// How a hold ended, if it did.
pub fn ended(hold: &Hold) -> Result<Ended<'_>, StoreError> {
    Ok(match &hold.state {
        HoldState::Held | HoldState::Expired { .. } => Ended { under: None, amounts: None },
        HoldState::Released { under, .. } | HoldState::Voided { under, .. } => {
            Ended { under: Some(under), amounts: None }
        }
        HoldState::Committed { amounts, under, .. } => {
            let is_all = *amounts == hold.amounts();
            Ended { under: Some(under), amounts: if is_all { None } else { Some(text(amounts)?) } }
        }
    })
}

/// The name of the first player of a hold; a tombstone has none.
pub fn first_player(hold: &Hold) -> String {
    hold.balances().map(|key| &key.player).min().map(ToString::to_string).unwrap_or_default()
}

/// The players of a hold beyond the first, in ascending order.
pub fn other_players(hold: &Hold) -> Vec<PlayerId> {
    let players: std::collections::BTreeSet<_> = hold.balances().map(|key| key.player.clone()).collect();
    players.into_iter().skip(1).collect()
}

/// A player with the newest entry, where there is any. As text it is an array of the fields in this order, as all of those are that can be read from text.
#[derive(sqlx::FromRow, Deserialize)]
pub struct PlayerRow {
    player_id: String,
    #[serde(deserialize_with = "time_if_any")]
    next_expiry: Option<DbTime>,
    number: Option<i64>,
    #[serde(deserialize_with = "hexadecimal_if_any")]
    hash: Option<Vec<u8>>,
    #[serde(deserialize_with = "time_if_any")]
    told_at: Option<DbTime>,
}

#[derive(sqlx::FromRow, Deserialize)]
pub struct BalanceRow {
    player_id: String,
    asset_id: String,
    pool_id: String,
    available: i64,
    held: i64,
    room: i64,
    owed: i64,
    generation: i64,
    period: i64,
    #[serde(deserialize_with = "time_if_any")]
    settled_at: Option<DbTime>,
    regen_units: Option<i64>,
    interval_micros: Option<i64>,
    capacity: Option<i64>,
    last_number: Option<i64>,
    #[serde(deserialize_with = "hexadecimal_if_any")]
    last_hash: Option<Vec<u8>>,
    version: i64,
}

#[derive(sqlx::FromRow)]
pub struct RecordRow {
    caller: String,
    idempotency_key: String,
    method: String,
    fingerprint: Vec<u8>,
    fields: String,
    outcome: String,
    created_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct EntryRow {
    player_id: String,
    number: i64,
    asset_id: String,
    pool_id: String,
    kind: String,
    available_change: i64,
    held_change: i64,
    room_change: i64,
    owed_change: i64,
    available_after: i64,
    held_after: i64,
    room_after: i64,
    owed_after: i64,
    clamped: i64,
    reason: String,
    context: String,
    caller: String,
    idempotency_key: String,
    trace_id: String,
    catalog_hash: Vec<u8>,
    created_at: DbTime,
    hash: Vec<u8>,
}

/// A hold of the view `answered_holds`: beside it what was answered when it was made, and when it ended.
#[derive(sqlx::FromRow)]
pub struct HoldDbRow {
    hold_id: String,
    caller: String,
    made_under: String,
    state: String,
    terms: String,
    expires_at: Option<DbTime>,
    ended_by: Option<String>,
    ended_under: Option<String>,
    amounts: Option<String>,
    created_at: DbTime,
    updated_at: DbTime,
    asked: Option<Vec<u8>>,
    reserved: Option<String>,
    ended: Option<String>,
}

#[derive(sqlx::FromRow)]
pub struct ClaimDbRow {
    player_id: String,
    claim_type: String,
    claim_key: String,
    caller: String,
    idempotency_key: String,
    outcome: String,
}

#[derive(sqlx::FromRow)]
pub struct FlowRow {
    asset_id: String,
    reason: String,
    day: i32,
    issued: i64,
    burned: i64,
}

impl PlayerRow {
    pub fn into_domain(self) -> Result<(PlayerId, Player), StoreError> {
        let head = match (self.number, self.hash, self.told_at) {
            (Some(number), Some(hash), Some(time)) => Head { number: units(number)?, hash: bytes(hash)?, time: time.0 },
            _ => Head::default(),
        };
        let next_expiry = self.next_expiry.map(|time| time.0);
        let player = Player { loaded: head, head, next_expiry, loaded_expiry: next_expiry };
        Ok((id(self.player_id)?, player))
    }
}

impl BalanceRow {
    pub fn into_domain(self) -> Result<(BalanceKey, Row), StoreError> {
        let balance = balance([self.available, self.held, self.room, self.owed])?;
        let settled = match (self.settled_at, self.regen_units, self.interval_micros, self.capacity) {
            (Some(at), Some(regen), Some(interval), Some(capacity)) => Some(Settled {
                at: at.0,
                regen_units: units(regen)?,
                interval_micros: units(interval)?,
                capacity_units: units(capacity)?,
            }),
            _ => None,
        };
        let (generation, period) = (units(self.generation)?, units(self.period)?);
        let newest = match (self.last_number, self.last_hash) {
            (Some(number), Some(hash)) => Some(Newest { number: units(number)?, hash: bytes(hash)? }),
            _ => None,
        };
        let row = Row { balance, generation, period, settled, newest, version: units(self.version)? };
        Ok((BalanceKey { player: id(self.player_id)?, asset: id(self.asset_id)?, pool: id(self.pool_id)? }, row))
    }
}

impl RecordRow {
    pub fn into_domain(self) -> Result<Record, StoreError> {
        Ok(Record {
            method: Method::parse(&self.method).ok_or_else(|| corrupt("a method", &self.method))?,
            outcome: value(&self.outcome)?,
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            fingerprint: Fingerprint { digest: bytes(self.fingerprint)?, fields: self.fields },
            time: self.created_at.0,
        })
    }
}

impl EntryRow {
    pub fn into_domain(self) -> Result<Entry, StoreError> {
        let change = [self.available_change, self.held_change, self.room_change, self.owed_change];
        Ok(Entry {
            movement: Movement {
                key: BalanceKey { player: id(self.player_id)?, asset: id(self.asset_id)?, pool: id(self.pool_id)? },
                number: units(self.number)?,
                kind: MovementKind::parse(&self.kind).ok_or_else(|| corrupt("a kind", &self.kind))?,
                change: Change::from_parts(change),
                after: balance([self.available_after, self.held_after, self.room_after, self.owed_after])?,
                clamped_units: units(self.clamped)?,
            },
            note: note(self.reason, &self.context)?,
            caller: id(self.caller)?,
            idempotency_key: id(self.idempotency_key)?,
            trace_id: id(self.trace_id)?,
            catalog_hash: CatalogHash::from_bytes(bytes(self.catalog_hash)?),
            time: self.created_at.0,
            hash: bytes(self.hash)?,
        })
    }
}

impl HoldDbRow {
    pub fn into_domain(self) -> Result<HoldRow, StoreError> {
        let hold = self.into_kept()?.hold;
        Ok(HoldRow { version: if hold.is_open() { 1 } else { 2 }, hold: Arc::new(hold) })
    }

    pub fn into_kept(self) -> Result<KeptHold, StoreError> {
        let terms: HoldTerms = value(&self.terms)?;
        // A tombstone was never asked for.
        let (asked, reserved) = if self.state == "voided" {
            ([0; 32], Posted::default())
        } else {
            (bytes(self.asked.unwrap_or_default())?, answer(self.reserved.as_deref())?)
        };
        let end = || -> Result<(MutationKey, Posted), StoreError> {
            let (Some(caller), Some(key)) = (self.ended_by, self.ended_under) else {
                return Err(corrupt("a hold that nothing ended, as", &self.state));
            };
            Ok((MutationKey { caller: id(caller)?, key: id(key)? }, answer(self.ended.as_deref())?))
        };
        let state = match self.state.as_str() {
            "held" => HoldState::Held,
            "committed" => {
                let all = || Ok(terms.legs.iter().map(|leg| leg.amount.units()).collect());
                let amounts = self.amounts.as_deref().map_or_else(all, value)?;
                let (under, answer) = end()?;
                HoldState::Committed { amounts, under, answer }
            }
            "released" => end().map(|(under, answer)| HoldState::Released { under, answer })?,
            "voided" => end().map(|(under, answer)| HoldState::Voided { under, answer })?,
            "expired" => HoldState::Expired { time: self.updated_at.0 },
            unknown => return Err(corrupt("the state of a hold", unknown)),
        };
        let hold = Hold {
            id: id(self.hold_id)?,
            caller: id(self.caller)?,
            made_under: id(self.made_under)?,
            terms: Arc::new(terms),
            expires_at: self.expires_at.map(|time| time.0),
            asked,
            reserved,
            state,
        };
        Ok(KeptHold { hold, created_at: self.created_at.0, updated_at: self.updated_at.0 })
    }
}

impl ClaimDbRow {
    pub fn into_domain(self) -> Result<ClaimRow, StoreError> {
        Ok(ClaimRow {
            guard: Guard {
                player: id(self.player_id)?,
                claim_type: id(self.claim_type)?,
                claim_key: id(self.claim_key)?,
            },
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            outcome: value(&self.outcome)?,
        })
    }
}

impl FlowRow {
    pub fn into_domain(self) -> Result<FlowLine, StoreError> {
        let flow = Flow { issued_units: units(self.issued)?, burned_units: units(self.burned)? };
        Ok(FlowLine { asset: id(self.asset_id)?, reason: id(self.reason)?, day: self.day, flow })
    }
}

/// What a success was answered, as its key has it.
fn answer(outcome: Option<&str>) -> Result<Posted, StoreError> {
    let outcome: Outcome = outcome.map(value).ok_or_else(|| corrupt("a hold without the answer of", "its key"))??;
    outcome.map_err(|rejection| corrupt("a hold by what was refused:", format!("{rejection:?}")))
}

/// Takes up a name that was stored.
pub fn id<T: TryFrom<String, Error = IdError>>(text: String) -> Result<T, StoreError> {
    T::try_from(text).map_err(|error| corrupt("a name", error))
}

/// Takes up a number that was stored.
pub fn units(bigint: i64) -> Result<u64, StoreError> {
    u64::try_from(bigint).map_err(|_| corrupt("a number", bigint))
}

fn balance(parts: [i64; 4]) -> Result<Balance, StoreError> {
    let [available, held, room, owed] = parts;
    let parts = [units(available)?, units(held)?, units(room)?, units(owed)?];
    Balance::from_parts(parts).ok_or_else(|| corrupt("a balance beyond its bound", format!("{parts:?}")))
}

/// Takes up a reason and a context that were stored.
pub fn note(reason: String, context: &str) -> Result<Note, StoreError> {
    Ok(Note { reason: id(reason)?, context: if context.is_empty() { Context::new() } else { value(context)? } })
}

/// Takes up a value that was stored as text.
pub fn value<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt("a value", error))
}

fn hexadecimal_if_any<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Vec<u8>>, D::Error> {
    Option::<&str>::deserialize(text)?.map(hex::decode).transpose().map_err(serde::de::Error::custom)
}

fn time_if_any<'de, D: Deserializer<'de>>(text: D) -> Result<Option<DbTime>, D::Error> {
    Ok(Option::deserialize(text)?.map(DbTime))
}

fn bytes(stored: Vec<u8>) -> Result<[u8; 32], StoreError> {
    stored.try_into().map_err(|stored: Vec<u8>| corrupt("a hash of length", stored.len()))
}

fn corrupt(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {found}"))
}
