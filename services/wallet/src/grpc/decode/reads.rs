//! Requests that only read.

use std::collections::BTreeSet;

use auric_api::wallet::v1 as api;
use auric_catalog::CatalogHash;
use auric_edge::Cursor;
use auric_ids::{AssetId, HoldId, IdError, PlayerId};
use auric_server::metadata;
use chrono::NaiveDate;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::Decoder;
use crate::domain::{Assets, MutationKey};
use crate::store::{EntriesOrder, EntriesQuery, FlowsQuery, HoldsQuery};

/// Players or assets that one read may name.
const NAMES_MAX: usize = 100;

/// Whose balances, of what.
pub fn balances(request: &api::GetBalancesRequest, assets: &Assets) -> Result<(Vec<PlayerId>, Vec<AssetId>), Status> {
    let mut decoder = Decoder::default();
    if request.player_ids.is_empty() {
        decoder.fault("player_ids", "must name at least one player");
    }
    let players: Vec<PlayerId> = names(&mut decoder, "player_ids", &request.player_ids);
    let wanted = asset_ids(&mut decoder, &request.asset_ids, assets);
    decoder.finish(Some((players, wanted)))
}

/// Which assets' supply.
pub fn supply(request: &api::GetSupplyRequest, assets: &Assets) -> Result<Vec<AssetId>, Status> {
    let mut decoder = Decoder::default();
    let wanted = asset_ids(&mut decoder, &request.asset_ids, assets);
    decoder.finish(Some(wanted))
}

/// Which entries, from where on.
pub fn entries(request: &api::ListEntriesRequest, cursor: &Cursor) -> Result<EntriesQuery, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let asset = decoder.optional_id("asset_id", &request.asset_id);
    let limit = decoder.page_size(request.page_size);
    let order = EntriesOrder::Before(decoder.page_token(cursor, &request.page_token));
    decoder.finish(player.map(|player| EntriesQuery { player, asset, order, limit }))
}

/// Whose entries, from which number on.
pub fn watch_entries(request: &api::WatchEntriesRequest) -> Result<(PlayerId, u64), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let after = u64::try_from(request.after_number).ok();
    if after.is_none() {
        decoder.fault("after_number", format!("must be at least 0, is {}", request.after_number));
    }
    decoder.finish(player.zip(after))
}

/// Which hold.
pub fn hold(request: &api::GetHoldRequest) -> Result<HoldId, Status> {
    let mut decoder = Decoder::default();
    let id = decoder.id("hold_id", &request.hold_id);
    decoder.finish(id)
}

/// Which open holds, from where on.
pub fn holds(request: &api::ListHoldsRequest, cursor: &Cursor) -> Result<HoldsQuery, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.optional_id("player_id", &request.player_id);
    let caller = decoder.optional_id("caller", &request.caller);
    let age_micros_min = decoder.age_micros("age_min", request.age_min.as_ref());
    let limit = decoder.page_size(request.page_size);
    let after = decoder.page_token(cursor, &request.page_token);
    decoder.finish(Some(HoldsQuery { player, caller, age_micros_min, after, limit }))
}

/// Which mutation.
pub fn mutation(request: &api::GetMutationRequest, metadata: &MetadataMap) -> Result<MutationKey, Status> {
    let mut decoder = Decoder::default();
    let key = decoder.id("idempotency_key", &request.idempotency_key);
    let named = decoder.optional_id("caller", &request.caller);
    let key = decoder.finish(key)?;
    let caller = match named {
        Some(caller) => caller,
        None => metadata::caller(metadata)?,
    };
    Ok(MutationKey { caller, key })
}

/// Which lines of the counters.
pub fn flows(request: &api::GetFlowsRequest) -> Result<FlowsQuery, Status> {
    let mut decoder = Decoder::default();
    let asset = decoder.optional_id("asset_id", &request.asset_id);
    let from_day = day(&mut decoder, "from_day", &request.from_day, i32::MIN);
    let to_day = day(&mut decoder, "to_day", &request.to_day, i32::MAX);
    if from_day > to_day {
        decoder.fault("to_day", "must not be before from_day");
    }
    decoder.finish(Some(FlowsQuery { asset, from_day, to_day }))
}

/// Whose audit; everybody's when nobody is named.
pub fn verify_audit(request: &api::VerifyAuditRequest) -> Result<Option<PlayerId>, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.optional_id("player_id", &request.player_id);
    decoder.finish(Some(player))
}

/// Which catalog; the one in force when none is named.
pub fn catalog(request: &api::GetCatalogRequest) -> Result<Option<CatalogHash>, Status> {
    let mut decoder = Decoder::default();
    if request.catalog_hash.is_empty() {
        return Ok(None);
    }
    let mut bytes = [0; 32];
    if hex::decode_to_slice(&request.catalog_hash, &mut bytes).is_err() {
        decoder.fault("catalog_hash", "must be 64 hexadecimal digits");
    }
    decoder.finish(Some(Some(CatalogHash::from_bytes(bytes))))
}

fn asset_ids(decoder: &mut Decoder, texts: &[String], assets: &Assets) -> Vec<AssetId> {
    let wanted: Vec<AssetId> = names(decoder, "asset_ids", texts);
    for (index, text) in texts.iter().enumerate() {
        let asset = wanted.iter().find(|asset| asset.as_str() == text);
        if asset.is_some_and(|asset| assets.get(asset).is_none()) {
            decoder.fault(format!("asset_ids[{index}]"), format!("{text} is not in the catalog"));
        }
    }
    wanted
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

/// A day in UTC as a number from 1970-01-01.
fn day(decoder: &mut Decoder, path: &str, text: &str, absent: i32) -> i32 {
    if text.is_empty() {
        return absent;
    }
    let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") else {
        // Not said again: it may be of any length.
        decoder.fault(path, "must be a day as YYYY-MM-DD");
        return absent;
    };
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(absent)
}
