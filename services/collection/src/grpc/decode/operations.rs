//! What the collection coordinates: upgrades, dissolves, and what operators ask about them.

use std::collections::BTreeSet;

use auric_api::collection::v1 as api;
use auric_edge::{Cursor, Decoder};
use auric_ids::{EspritId, IdempotencyKey, OperationId, PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_server::metadata;
use auric_time::Timestamp;
use auric_twophase::store::{Listing, OpenCursor};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::domain::{DISSOLVE_MAX, Deed, Preview, Request};
use crate::handlers::log_malformed;

/// A whole request: who asks, its trace, and what `deed` decodes. One that is malformed leaves its line in the log here.
pub fn request(
    method: &'static str,
    metadata: &MetadataMap,
    (key, player): (&str, &str),
    deed: impl FnOnce(&mut Decoder) -> Option<Deed>,
) -> Result<(Request, TraceId), Status> {
    let trace_id = metadata::trace_id(metadata);
    let caller = metadata::caller(metadata).inspect_err(|_| log_malformed(method, None, &trace_id))?;
    let mut decoder = Decoder::default();
    let key: Option<IdempotencyKey> = decoder.id(IdempotencyKey::FIELD, key);
    let player = decoder.id("player_id", player);
    let deed = deed(&mut decoder);
    let key = key.map(|key| MutationKey { caller: caller.clone(), key });
    let request = || Some(Request { key: key?, player: player?, deed: deed? });
    let decoded = decoder.finish(request()).inspect_err(|_| log_malformed(method, Some(&caller), &trace_id))?;
    Ok((decoded, trace_id))
}

pub fn upgrade(decoder: &mut Decoder, request: &api::UpgradeEspritRequest) -> Option<Deed> {
    let esprit = decoder.id("esprit_id", &request.esprit_id);
    let expected = u64::try_from(request.expected_version);
    if expected.is_err() {
        decoder.fault("expected_version", format!("must be at least 0, is {}", request.expected_version));
    }
    let expected_version = expected.ok().filter(|version| *version > 0);
    esprit.map(|esprit| Deed::Upgrade { esprit, expected_version })
}

/// What binds a preview's token to its player.
pub fn preview_cursor(player: &str) -> Cursor {
    Cursor::of(&["dissolve", player])
}

pub fn dissolve(decoder: &mut Decoder, request: &api::DissolveEspritsRequest) -> Option<Deed> {
    match preview_cursor(&request.player_id).read::<Preview>(&request.preview_token) {
        Ok(Some(preview)) => Some(Deed::Dissolve(preview)),
        Ok(None) => {
            decoder.fault("preview_token", "must be that of a preview");
            None
        }
        Err(_) => {
            decoder.fault("preview_token", "is of no preview of this player");
            None
        }
    }
}

/// What to preview.
pub fn preview(request: &api::PreviewDissolveRequest) -> Result<(PlayerId, Vec<EspritId>), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let count = request.esprit_ids.len();
    if !(1..=DISSOLVE_MAX).contains(&count) {
        decoder.fault("esprit_ids", format!("must have 1 to {DISSOLVE_MAX}, has {count}"));
    }
    let mut seen: BTreeSet<EspritId> = BTreeSet::new();
    let mut ids = Vec::new();
    for (index, id) in request.esprit_ids.iter().take(DISSOLVE_MAX).enumerate() {
        let path = format!("esprit_ids[{index}]");
        let Some(id) = decoder.id::<EspritId>(&path, id) else { continue };
        if !seen.insert(id.clone()) {
            decoder.fault(path, "is named twice");
        }
        ids.push(id);
    }
    decoder.finish(player.map(|player| (player, ids)))
}

/// Which operations, from where on.
pub fn list(request: &api::ListOperationsRequest, cursor: &Cursor) -> Result<(Listing, u32), Status> {
    let mut decoder = Decoder::default();
    let position: Option<String> = decoder.page_token(cursor, &request.page_token);
    let listing = position.map_or_else(
        || Some(if request.all { Listing::All(None) } else { Listing::Open(None) }),
        |position| {
            let (first, id) = position.split_once(' ')?;
            let id = id.parse().ok()?;
            if request.all {
                return Some(Listing::All(Some((first.parse().ok()?, id))));
            }
            Some(Listing::Open(Some(OpenCursor { begun_at: Timestamp::from_micros(first.parse().ok()?), id })))
        },
    );
    if listing.is_none() {
        decoder.fault("page_token", "is not a page token");
    }
    let limit = decoder.page_size(request.page_size);
    decoder.finish(listing.map(|listing| (listing, limit)))
}

/// Which operation.
pub fn retry(request: &api::RetryOperationRequest) -> Result<(PlayerId, OperationId), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let operation = decoder.id("operation_id", &request.operation_id);
    decoder.finish(player.zip(operation))
}
