//! From protobuf to the domain: everything is parsed once, and every bad field is named.

use std::collections::{BTreeMap, BTreeSet};

use auric_api::wallet::v1 as api;
use auric_ids::{AssetId, IdError, IdempotencyKey, PlayerId, PoolId};
use auric_money::Amount;
use auric_server::metadata;
use auric_status::BadField;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::invalid;
use super::page::Cursor;
use crate::domain::{Assets, AtMaximum, Context, Direction, LEGS_MAX, Leg, MutationKey, Post};
use crate::store::EntriesQuery;

/// Players or assets that one read may name.
const NAMES_MAX: usize = 100;

/// Entries on one page.
const PAGE_MAX: u32 = 500;
const PAGE_DEFAULT: u32 = 50;

/// Pairs of a context, and the length of each part.
const CONTEXT_PAIRS_MAX: usize = 16;
const CONTEXT_NAME_MAX: usize = 40;
const CONTEXT_VALUE_MAX: usize = 200;

/// Bad fields that one answer names; more of the same would not help anyone.
const BAD_FIELDS_MAX: usize = 20;

/// Collects the faults of one request.
#[derive(Debug, Default)]
pub struct Decoder {
    bad: Vec<BadField>,
}

impl Decoder {
    /// Notes a fault.
    pub fn fault(&mut self, path: impl Into<String>, fault: impl std::fmt::Display) {
        if self.bad.len() < BAD_FIELDS_MAX {
            self.bad.push(BadField::new(path, fault.to_string()));
        }
    }

    /// Parses an id.
    pub fn id<T: std::str::FromStr<Err = IdError>>(&mut self, path: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: IdError| self.fault(path, error)).ok()
    }

    /// Ends with what was decoded, unless there was a fault.
    pub fn finish<T>(mut self, decoded: Option<T>) -> Result<T, Status> {
        match decoded {
            Some(decoded) if self.bad.is_empty() => Ok(decoded),
            _ => {
                if self.bad.is_empty() {
                    self.fault("request", "cannot be decoded");
                }
                Err(invalid(self.bad))
            }
        }
    }
}

/// The name of a mutation: the caller of the request, and the key in it.
pub fn mutation_key(metadata: &MetadataMap, key: &str) -> Result<MutationKey, Status> {
    let caller = metadata::caller(metadata)?;
    let mut decoder = Decoder::default();
    let key: Option<IdempotencyKey> = decoder.id(IdempotencyKey::FIELD, key);
    decoder.finish(key.map(|key| MutationKey { caller, key }))
}

/// A posting.
pub fn post(request: &api::PostRequest) -> Result<Post, Status> {
    let mut decoder = Decoder::default();
    if request.legs.is_empty() {
        decoder.fault("legs", "must have at least one leg");
    }
    if request.legs.len() > LEGS_MAX {
        decoder.fault("legs", format!("must have at most {LEGS_MAX} legs, has {}", request.legs.len()));
    }
    let legs = request.legs.iter().take(LEGS_MAX).enumerate().map(|(index, leg)| self::leg(&mut decoder, index, leg));
    let legs: Option<Vec<Leg>> = legs.collect::<Vec<_>>().into_iter().collect();
    let reason = decoder.id("reason", &request.reason);
    let context = context(&mut decoder, &request.context);
    decoder.finish(legs.zip(reason).map(|(legs, reason)| Post { legs, reason, context }))
}

fn leg(decoder: &mut Decoder, index: usize, leg: &api::Leg) -> Option<Leg> {
    let path = |field: &str| format!("legs[{index}].{field}");
    let player = decoder.id(&path("player_id"), &leg.player_id);
    let asset = decoder.id(&path("asset_id"), &leg.asset_id);
    let pool: Option<PoolId> = decoder.id(&path("pool_id"), &leg.pool_id);
    let amount = Amount::new(leg.amount).map_err(|error| decoder.fault(path("amount"), error)).ok();

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

fn context(decoder: &mut Decoder, pairs: &std::collections::HashMap<String, String>) -> Context {
    if pairs.len() > CONTEXT_PAIRS_MAX {
        decoder.fault("context", format!("must have at most {CONTEXT_PAIRS_MAX} pairs, has {}", pairs.len()));
        return Context::new();
    }
    // In order, so that the same request gets the same answer.
    let pairs: BTreeMap<String, String> = pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
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

/// Whose balances, of what.
pub fn balances(request: &api::GetBalancesRequest, assets: &Assets) -> Result<(Vec<PlayerId>, Vec<AssetId>), Status> {
    let mut decoder = Decoder::default();
    if request.player_ids.is_empty() {
        decoder.fault("player_ids", "must name at least one player");
    }
    let players: Vec<PlayerId> = names(&mut decoder, "player_ids", &request.player_ids);
    let wanted: Vec<AssetId> = names(&mut decoder, "asset_ids", &request.asset_ids);
    for (index, asset) in wanted.iter().enumerate() {
        if assets.get(asset).is_none() {
            decoder.fault(format!("asset_ids[{index}]"), format!("{asset} is not in the catalog"));
        }
    }
    decoder.finish(Some((players, wanted)))
}

/// Names, each once, in the order of their first appearance.
fn names<T>(decoder: &mut Decoder, path: &str, texts: &[String]) -> Vec<T>
where
    T: std::str::FromStr<Err = IdError> + Ord + Clone,
{
    if texts.len() > NAMES_MAX {
        decoder.fault(path, format!("must name at most {NAMES_MAX}, names {}", texts.len()));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let ids = texts.iter().enumerate().filter_map(|(index, text)| decoder.id(&format!("{path}[{index}]"), text));
    ids.collect::<Vec<T>>().into_iter().filter(|id| seen.insert(id.clone())).collect()
}

/// Which entries, from where on.
pub fn entries(request: &api::ListEntriesRequest, cursor: &Cursor) -> Result<EntriesQuery, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let asset = match request.asset_id.as_str() {
        "" => None,
        text => decoder.id("asset_id", text),
    };
    let limit = page_size(&mut decoder, request.page_size);
    let before = match cursor.read(&request.page_token) {
        Ok(before) => before,
        Err(fault) => {
            decoder.fault("page_token", fault);
            None
        }
    };
    decoder.finish(player.map(|player| EntriesQuery { player, asset, before, limit }))
}

fn page_size(decoder: &mut Decoder, asked: i32) -> u32 {
    match u32::try_from(asked) {
        Ok(0) => PAGE_DEFAULT,
        Ok(size) if size <= PAGE_MAX => size,
        _ => {
            decoder.fault("page_size", format!("must be 1 to {PAGE_MAX}, is {asked}"));
            PAGE_DEFAULT
        }
    }
}
