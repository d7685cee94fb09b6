//! From protobuf to the domain: everything is parsed once, and every bad field is named.

use auric_api::summon::v1 as api;
use auric_edge::{Cursor, Decoder};
use auric_ids::{BannerId, OperationId, PityGroupId, PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_server::metadata;
use auric_time::Timestamp;
use auric_twophase::store::{Listing, OpenCursor};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::domain::{Ask, EXCHANGE_SPARK, SUMMON, Wanted};
use crate::handlers::{Which, log_malformed};
use crate::store::PullsWanted;

/// Pulls that one summon may have, whatever a banner says.
const COUNT_MAX: i32 = 100;

/// The seconds until the year 9999 begins.
const SECONDS_MAX: i64 = 253_370_764_800;

/// What is asked. What is malformed leaves its line in the log here, since it goes no further.
pub fn ask(metadata: &MetadataMap, trace_id: &TraceId, request: &api::SummonRequest) -> Result<Ask, Status> {
    let key =
        auric_edge::key(metadata, &request.idempotency_key).inspect_err(|_| log_malformed(SUMMON, None, trace_id))?;
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let banner = decoder.id("banner_id", &request.banner_id);
    let cost = decoder.optional_id("cost_id", &request.cost_id);
    let count = summon_count(&mut decoder, request.count);
    let ask = || {
        let wanted = Wanted::Pulls { cost, count: count? };
        Some(Ask { key: key.clone(), player: player?, banner: banner?, wanted })
    };
    decoder.finish(ask()).inspect_err(|_| log_malformed(SUMMON, Some(&key), trace_id))
}

/// What is to be taken for spark points.
pub fn exchange(
    metadata: &MetadataMap,
    trace_id: &TraceId,
    request: &api::ExchangeSparkRequest,
) -> Result<Ask, Status> {
    let key = auric_edge::key(metadata, &request.idempotency_key)
        .inspect_err(|_| log_malformed(EXCHANGE_SPARK, None, trace_id))?;
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let banner = decoder.id("banner_id", &request.banner_id);
    let species = decoder.id("species_id", &request.species_id);
    let ask = || Some(Ask { key: key.clone(), player: player?, banner: banner?, wanted: Wanted::Spark(species?) });
    decoder.finish(ask()).inspect_err(|_| log_malformed(EXCHANGE_SPARK, Some(&key), trace_id))
}

/// How many pulls a summon has: 1 when nothing is said.
pub fn summon_count(decoder: &mut Decoder, asked: i32) -> Option<u32> {
    match asked {
        0 => Some(1),
        1..=COUNT_MAX => u32::try_from(asked).ok(),
        count => {
            decoder.fault("count", format!("must be 1 to {COUNT_MAX}, is {count}"));
            None
        }
    }
}

pub fn banner(request: &api::GetBannerRequest) -> Result<BannerId, Status> {
    let mut decoder = Decoder::default();
    let banner = decoder.id("banner_id", &request.banner_id);
    decoder.finish(banner)
}

pub fn pity(request: &api::GetPityRequest) -> Result<(PlayerId, BannerId), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let banner = decoder.id("banner_id", &request.banner_id);
    decoder.finish(player.zip(banner))
}

pub fn operation(request: &api::RetryOperationRequest) -> Result<(PlayerId, OperationId), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let operation = decoder.id("operation_id", &request.operation_id);
    decoder.finish(player.zip(operation))
}

/// A summon by its key, or by its player and operation.
pub fn which(metadata: &MetadataMap, key: &str, caller: &str, player: &str, operation: &str) -> Result<Which, Status> {
    let mut decoder = Decoder::default();
    if key.is_empty() {
        if operation.is_empty() {
            decoder.fault("idempotency_key", "must not be empty where no operation_id is given");
            return decoder.finish(None);
        }
        let player = decoder.id("player_id", player);
        let operation = decoder.id("operation_id", operation);
        return decoder.finish(player.zip(operation).map(|(player, operation)| Which::Operation(player, operation)));
    }
    let asker = metadata::caller(metadata)?;
    let caller = decoder.optional_id("caller", caller).unwrap_or(asker);
    let key = decoder.id("idempotency_key", key);
    decoder.finish(key.map(|key| Which::Key(MutationKey { caller, key })))
}

pub fn pulls(request: &api::ListPullsRequest, cursor: &Cursor) -> Result<(PullsWanted, u32), Status> {
    let api::ListPullsRequest { player_id, pity_group_id, page_size, page_token, filter, oldest_first } = request;
    let mut decoder = Decoder::default();
    let wanted = wanted(&mut decoder, (player_id, pity_group_id), filter.as_ref());
    let behind = decoder.page_token(cursor, page_token);
    let limit = decoder.page_size(*page_size);
    let oldest_first = *oldest_first;
    decoder.finish(wanted.map(|wanted| (PullsWanted { oldest_first, behind, ..wanted }, limit)))
}

pub fn export(request: &api::ExportPullsRequest) -> Result<PullsWanted, Status> {
    let api::ExportPullsRequest { player_id, pity_group_id, filter } = request;
    let mut decoder = Decoder::default();
    let wanted = wanted(&mut decoder, (player_id, pity_group_id), filter.as_ref());
    decoder.finish(wanted.map(|wanted| PullsWanted { oldest_first: true, ..wanted }))
}

fn wanted(
    decoder: &mut Decoder,
    (player, group): (&str, &str),
    filter: Option<&api::PullFilter>,
) -> Option<PullsWanted> {
    let player: Option<PlayerId> = decoder.id("player_id", player);
    let group: Option<PityGroupId> = decoder.id("pity_group_id", group);
    let nothing = api::PullFilter::default();
    let filter = filter.unwrap_or(&nothing);
    let banner = decoder.optional_id("filter.banner_id", &filter.banner_id);
    let rarity = decoder.optional_id("filter.rarity", &filter.rarity);
    let species = decoder.optional_id("filter.species_id", &filter.species_id);
    let from = moment(decoder, "filter.start_time", filter.start_time);
    let until = moment(decoder, "filter.end_time", filter.end_time);
    let all = PullsWanted::all(player?, group?);
    Some(PullsWanted { banner, rarity, species, featured: filter.featured, from, until, ..all })
}

/// A moment that both databases know.
fn moment(decoder: &mut Decoder, path: &str, time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    let micros = || {
        let nanos = i64::from(u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?);
        let in_bounds = (0..SECONDS_MAX).contains(&time.seconds);
        in_bounds.then(|| time.seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
    };
    let micros = micros();
    if micros.is_none() {
        decoder.fault(path, "must be a moment from 1970 on, before the year 9999");
    }
    micros.map(Timestamp::from_micros)
}

pub fn operations(request: &api::ListOperationsRequest, cursor: &Cursor) -> Result<(Listing, u32), Status> {
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
