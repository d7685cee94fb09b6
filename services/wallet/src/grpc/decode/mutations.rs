//! Requests that change something.

use std::collections::{BTreeMap, HashMap};

use auric_api::wallet::v1 as api;
use auric_auth::ADMIN_HOLDS;
use auric_ids::{PlayerId, PoolId};
use auric_money::Amount;
use auric_server::metadata;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::Decoder;
use crate::domain::{
    Action, AtMaximum, Claim, Commit, Context, Direction, End, Guard, HoldAsk, LEGS_MAX, Leg, Method, Mutation, Note,
    Post, Release, RenewCredits, Reserve, SpendStatPoints,
};
use crate::handlers::log_malformed;

/// Pairs of a context, and the length of each part.
const CONTEXT_PAIRS_MAX: usize = 16;
const CONTEXT_NAME_MAX: usize = 40;
const CONTEXT_VALUE_MAX: usize = 200;

/// Players whose version one posting may expect.
const VERSIONS_MAX: usize = 100;

/// How long a hold may stand by itself.
const TTL_MICROS_MIN: u64 = 1_000;
const TTL_MICROS_MAX: u64 = 366 * 24 * 3_600 * 1_000_000;

/// A whole mutation: its key, its trace, and what `action` decodes. One that is malformed leaves its line in the log here, since it goes no further.
pub fn mutation(
    method: Method,
    metadata: &MetadataMap,
    key: &str,
    action: impl FnOnce() -> Result<Action, Status>,
) -> Result<Mutation, Status> {
    let trace_id = metadata::trace_id(metadata);
    let key = auric_edge::key(metadata, key).inspect_err(|_| log_malformed(method, None, &trace_id))?;
    let action = action().inspect_err(|_| log_malformed(method, Some(&key), &trace_id))?;
    let ends_any_hold = metadata::is_granted(metadata, ADMIN_HOLDS);
    Ok(Mutation { key, trace_id, ends_any_hold, action })
}

pub fn post(request: &api::PostRequest) -> Result<Post, Status> {
    let mut decoder = Decoder::default();
    let legs = legs(&mut decoder, &request.legs);
    let note = note(&mut decoder, &request.reason, &request.context);
    let expected_versions = versions(&mut decoder, &request.expected_versions);
    decoder.finish(legs.zip(note).map(|(legs, note)| Post { legs, note, expected_versions }))
}

pub fn claim(request: &api::ClaimRequest) -> Result<Claim, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let claim_type = decoder.id("claim_type", &request.claim_type);
    let claim_key = decoder.id("claim_key", &request.claim_key);
    let legs = legs(&mut decoder, &request.legs);
    let note = note(&mut decoder, &request.reason, &request.context);
    let claim = || {
        let guard = Guard { player: player?, claim_type: claim_type?, claim_key: claim_key? };
        Some(Claim { guard, post: Post { legs: legs?, note: note?, expected_versions: BTreeMap::new() } })
    };
    decoder.finish(claim())
}

pub fn transfer(request: &api::TransferRequest) -> Result<Post, Status> {
    let mut decoder = Decoder::default();
    let from: Option<PlayerId> = decoder.id("from_player_id", &request.from_player_id);
    let to: Option<PlayerId> = decoder.id("to_player_id", &request.to_player_id);
    if from.is_some() && from == to {
        decoder.fault("to_player_id", "must be another player than from_player_id");
    }
    let asset = decoder.id("asset_id", &request.asset_id);
    let pool = decoder.optional_id("pool_id", &request.pool_id);
    let amount = amount(&mut decoder, "amount", request.amount);
    let note = note(&mut decoder, &request.reason, &request.context);
    let post = || {
        let (asset, amount) = (asset?, amount?);
        let debit = Leg { player: from?, asset: Clone::clone(&asset), pool: None, direction: Direction::Debit, amount };
        let credit = Leg { player: to?, asset, pool, direction: Direction::Credit(AtMaximum::Refuse), amount };
        Some(Post { legs: vec![debit, credit], note: note?, expected_versions: BTreeMap::new() })
    };
    decoder.finish(post())
}

pub fn reserve(request: &api::ReserveRequest) -> Result<Reserve, Status> {
    let mut decoder = Decoder::default();
    let hold = decoder.id("hold_id", &request.hold_id);
    count(&mut decoder, request.legs.len());
    let legs = request.legs.iter().take(LEGS_MAX).enumerate();
    let legs: Vec<_> = legs.map(|(index, leg)| hold_ask(&mut decoder, index, leg)).collect();
    let legs = legs.into_iter().collect::<Option<Vec<_>>>();
    let ttl_micros = request.ttl.as_ref().and_then(|ttl| ttl_micros(&mut decoder, ttl));
    let note = note(&mut decoder, &request.reason, &request.context);
    let whole = request.whole;
    let reserve = || Some(Reserve { hold: hold?, legs: legs?, whole, ttl_micros, note: note? });
    decoder.finish(reserve())
}

pub fn commit(request: &api::CommitRequest) -> Result<Commit, Status> {
    let mut decoder = Decoder::default();
    let hold = decoder.id("hold_id", &request.hold_id);
    if request.amounts.len() > LEGS_MAX {
        decoder.fault("amounts", format!("must have at most {LEGS_MAX}, has {}", request.amounts.len()));
    }
    let amounts = request.amounts.iter().take(LEGS_MAX).enumerate();
    let amounts: Vec<u64> =
        amounts.filter_map(|(index, &units)| units_of(&mut decoder, format!("amounts[{index}]"), units)).collect();
    let player = decoder.optional_id("player_id", &request.player_id);
    decoder.finish(hold.map(|hold| Commit { hold, amounts, player }))
}

pub fn release(request: &api::ReleaseRequest) -> Result<Release, Status> {
    let mut decoder = Decoder::default();
    let hold = decoder.id("hold_id", &request.hold_id);
    let player = decoder.optional_id("player_id", &request.player_id);
    decoder.finish(hold.map(|hold| Release { hold, player }))
}

pub fn spend_stat_points(request: &api::SpendStatPointsRequest) -> Result<SpendStatPoints, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let stat = decoder.id("stat_id", &request.stat_id);
    let points = amount(&mut decoder, "points", request.points);
    let note = note(&mut decoder, &request.reason, &request.context);
    let spend = || Some(SpendStatPoints { player: player?, stat: stat?, points: points?, note: note? });
    decoder.finish(spend())
}

pub fn renew_credits(request: &api::RenewCreditsRequest) -> Result<RenewCredits, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let asset = decoder.id("asset_id", &request.asset_id);
    let pool: Option<PoolId> = decoder.id("pool_id", &request.pool_id);
    if pool.as_ref().is_some_and(|pool| pool.as_str().is_empty()) {
        decoder.fault("pool_id", "must not be empty");
    }
    let units = units_of(&mut decoder, "units".to_owned(), request.units);
    let note = note(&mut decoder, &request.reason, &request.context);
    let renew = || Some(RenewCredits { player: player?, asset: asset?, pool: pool?, units: units?, note: note? });
    decoder.finish(renew())
}

fn legs(decoder: &mut Decoder, legs: &[api::Leg]) -> Option<Vec<Leg>> {
    count(decoder, legs.len());
    let legs = legs.iter().take(LEGS_MAX).enumerate();
    let legs: Vec<_> = legs.map(|(index, leg)| self::leg(decoder, index, leg)).collect();
    legs.into_iter().collect()
}

fn count(decoder: &mut Decoder, legs: usize) {
    if !(1..=LEGS_MAX).contains(&legs) {
        decoder.fault("legs", format!("must have 1 to {LEGS_MAX} legs, has {legs}"));
    }
}

fn leg(decoder: &mut Decoder, index: usize, leg: &api::Leg) -> Option<Leg> {
    let path = |field: &str| format!("legs[{index}].{field}");
    let player = decoder.id(&path("player_id"), &leg.player_id);
    let asset = decoder.id(&path("asset_id"), &leg.asset_id);
    let pool: Option<PoolId> = decoder.id(&path("pool_id"), &leg.pool_id);
    let amount = amount(decoder, &path("amount"), leg.amount);
    let at_maximum = match api::AtMaximum::try_from(leg.at_maximum) {
        Ok(api::AtMaximum::Unspecified | api::AtMaximum::Refuse) => Some(AtMaximum::Refuse),
        Ok(api::AtMaximum::Clamp) => Some(AtMaximum::Clamp),
        Ok(api::AtMaximum::Overfill) => Some(AtMaximum::Overfill),
        Err(_) => {
            decoder.fault(path("at_maximum"), format!("{} is not known", leg.at_maximum));
            None
        }
    };
    let direction = match (api::Direction::try_from(leg.direction), at_maximum) {
        (Ok(api::Direction::Credit), at_maximum) => at_maximum.map(Direction::Credit),
        (Ok(api::Direction::Debit), Some(AtMaximum::Refuse)) => Some(Direction::Debit),
        (Ok(api::Direction::Debit), _) => {
            decoder.fault(path("at_maximum"), "is for credits");
            None
        }
        (Ok(api::Direction::Unspecified), _) => {
            decoder.fault(path("direction"), "must be DIRECTION_CREDIT or DIRECTION_DEBIT");
            None
        }
        (Err(_), _) => {
            decoder.fault(path("direction"), format!("{} is not known", leg.direction));
            None
        }
    };
    Some(Leg {
        player: player?,
        asset: asset?,
        pool: pool.filter(|pool| !pool.as_str().is_empty()),
        direction: direction?,
        amount: amount?,
    })
}

fn hold_ask(decoder: &mut Decoder, index: usize, leg: &api::HoldLeg) -> Option<HoldAsk> {
    let from = leg.from.as_ref().map(|end| self::end(decoder, &format!("legs[{index}].from"), end));
    let to = leg.to.as_ref().map(|end| self::end(decoder, &format!("legs[{index}].to"), end));
    let amount = amount(decoder, &format!("legs[{index}].amount"), leg.amount);
    match (&from, &to) {
        (None, None) => decoder.fault(format!("legs[{index}]"), "must have a from, a to, or both"),
        (Some(Some(from)), Some(Some(to))) if from.asset != to.asset => {
            let fault = format!("must be the asset of from, {}, is {}", from.asset, to.asset);
            decoder.fault(format!("legs[{index}].to.asset_id"), fault);
        }
        _ => {}
    }
    // An end that is there must have been decoded.
    let from = from.map_or(Some(None), |end| end.map(Some))?;
    let to = to.map_or(Some(None), |end| end.map(Some))?;
    Some(HoldAsk { from, to, amount: amount? })
}

fn end(decoder: &mut Decoder, path: &str, end: &api::BalanceRef) -> Option<End> {
    let player = decoder.id(&format!("{path}.player_id"), &end.player_id);
    let asset = decoder.id(&format!("{path}.asset_id"), &end.asset_id);
    let pool: Option<PoolId> = decoder.id(&format!("{path}.pool_id"), &end.pool_id);
    Some(End { player: player?, asset: asset?, pool: pool.filter(|pool| !pool.as_str().is_empty()) })
}

pub(super) fn amount(decoder: &mut Decoder, path: &str, units: i64) -> Option<Amount> {
    Amount::new(units).map_err(|error| decoder.fault(path, error)).ok()
}

/// A number of units, 0 included.
pub(super) fn units_of(decoder: &mut Decoder, path: String, units: i64) -> Option<u64> {
    match u64::try_from(units) {
        Ok(units) if units <= Amount::MAX_UNITS => Some(units),
        _ => {
            decoder.fault(path, format!("must be 0 to {}, is {units}", Amount::MAX_UNITS));
            None
        }
    }
}

fn ttl_micros(decoder: &mut Decoder, ttl: &prost_types::Duration) -> Option<u64> {
    let micros = std::time::Duration::try_from(*ttl).ok().and_then(|ttl| u64::try_from(ttl.as_micros()).ok());
    let micros = micros.filter(|micros| (TTL_MICROS_MIN..=TTL_MICROS_MAX).contains(micros));
    if micros.is_none() {
        decoder.fault("ttl", format!("must be 1 ms to 366 days, is {ttl}"));
    }
    micros
}

fn versions(decoder: &mut Decoder, versions: &[api::PlayerVersion]) -> BTreeMap<PlayerId, u64> {
    let mut expected = BTreeMap::new();
    if versions.len() > VERSIONS_MAX {
        let fault = format!("must name at most {VERSIONS_MAX} players, names {}", versions.len());
        decoder.fault("expected_versions", fault);
        return expected;
    }
    for (index, version) in versions.iter().enumerate() {
        let player: Option<PlayerId> = decoder.id(&format!("expected_versions[{index}].player_id"), &version.player_id);
        let number = u64::try_from(version.version).ok();
        if number.is_none() {
            let fault = format!("must be at least 0, is {}", version.version);
            decoder.fault(format!("expected_versions[{index}].version"), fault);
        }
        let Some((player, number)) = player.zip(number) else { continue };
        if expected.insert(player, number).is_some() {
            decoder.fault(format!("expected_versions[{index}].player_id"), "is named twice");
        }
    }
    expected
}

pub(super) fn note(decoder: &mut Decoder, reason: &str, pairs: &HashMap<String, String>) -> Option<Note> {
    let reason = decoder.id("reason", reason);
    let context = context(decoder, pairs);
    reason.map(|reason| Note { reason, context })
}

fn context(decoder: &mut Decoder, pairs: &HashMap<String, String>) -> Context {
    if pairs.len() > CONTEXT_PAIRS_MAX {
        decoder.fault("context", format!("must have at most {CONTEXT_PAIRS_MAX} pairs, has {}", pairs.len()));
        return Context::new();
    }
    // In order, so that the same request gets the same answer.
    let pairs: Context = pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in &pairs {
        let (name_length, value_length) = (name.chars().count(), value.chars().count());
        if name.is_empty() || name_length > CONTEXT_NAME_MAX || name.contains(char::is_control) {
            let shown: String = name.chars().take(CONTEXT_NAME_MAX).collect();
            let fault =
                format!("the name {shown:?} must have 1 to {CONTEXT_NAME_MAX} characters and no control character");
            decoder.fault("context", fault);
        } else if value_length > CONTEXT_VALUE_MAX {
            let fault = format!("must have at most {CONTEXT_VALUE_MAX} characters, has {value_length}");
            decoder.fault(format!("context[{name:?}]"), fault);
        } else if value.contains(char::is_control) {
            decoder.fault(format!("context[{name:?}]"), "must not have a control character");
        }
    }
    pairs
}
