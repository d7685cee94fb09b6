//! Requests that only read.

use auric_api::collection::v1 as api;
use auric_api::participant::v1 as participant;
use auric_edge::{Cursor, Decoder};
use auric_ids::{EquipmentId, EspritId, OperationId, PlayerId};
use auric_twophase::Participation;
use prost::Message as _;
use tonic::Status;

use crate::domain::{Filter, Order, Query};
use crate::store::PartsQuery;

/// Esprits that one comparison may name.
const COMPARED_MIN: usize = 2;
const COMPARED_MAX: usize = 10;

/// Which esprits to list, and how.
pub struct List {
    pub player: PlayerId,
    pub query: Query,
}

/// What binds the page tokens of a list together: every field but the page's own. Requests that mean the same have the same, since they are answered
/// by the same kept page.
pub fn list_cursor(request: &api::ListEspritsRequest) -> Cursor {
    let order = match request.order() {
        api::EspritOrder::Unspecified => api::EspritOrder::Newest.into(),
        _ => request.order,
    };
    let shown = api::ListEspritsRequest { page_size: 0, page_token: String::new(), order, ..request.clone() };
    Cursor::of(&["esprits", &hex::encode(shown.encode_to_vec())])
}

/// Which esprits, in which order, from where on.
pub fn list(request: &api::ListEspritsRequest, cursor: &Cursor) -> Result<List, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let level = |decoder: &mut Decoder, path: &str, level: i32| {
        let level = u32::try_from(level);
        if level.is_err() {
            decoder.fault(path, "must be at least 0");
        }
        level.ok().filter(|level| *level > 0)
    };
    let filter = Filter {
        species: decoder.optional_id("species_id", &request.species_id),
        rarity: decoder.optional_id("rarity", &request.rarity),
        element: decoder.optional_id("element", &request.element),
        class: decoder.optional_id("class", &request.class),
        level_min: level(&mut decoder, "level_min", request.level_min),
        level_max: level(&mut decoder, "level_max", request.level_max),
        locked: request.locked,
        in_team: request.in_team,
        duplicates: request.duplicates,
    };
    let order = match api::EspritOrder::try_from(request.order) {
        Ok(api::EspritOrder::Unspecified | api::EspritOrder::Newest) => Order::Newest,
        Ok(api::EspritOrder::Level) => Order::Level,
        Ok(api::EspritOrder::Power) => Order::Power,
        Ok(api::EspritOrder::Rarity) => Order::Rarity,
        Ok(api::EspritOrder::Name) => Order::Name,
        Err(_) => {
            decoder.fault("order", format!("is no order: {}", request.order));
            Order::Newest
        }
    };
    let limit = usize::try_from(decoder.page_size(request.page_size)).unwrap_or(usize::MAX);
    let after = decoder.page_token(cursor, &request.page_token);
    decoder.finish(player.map(|player| List { player, query: Query { filter, order, after, limit } }))
}

/// Whose.
pub fn player(id: &str) -> Result<PlayerId, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", id);
    decoder.finish(player)
}

/// Which esprits side by side.
pub fn compare(request: &api::CompareEspritsRequest) -> Result<(PlayerId, Vec<EspritId>), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let count = request.esprit_ids.len();
    if !(COMPARED_MIN..=COMPARED_MAX).contains(&count) {
        decoder.fault("esprit_ids", format!("must have {COMPARED_MIN} to {COMPARED_MAX}, has {count}"));
    }
    let mut ids: Vec<EspritId> = Vec::new();
    for (index, id) in request.esprit_ids.iter().take(COMPARED_MAX).enumerate() {
        let path = format!("esprit_ids[{index}]");
        let Some(id) = decoder.id(&path, id) else { continue };
        if ids.contains(&id) {
            decoder.fault(path, "is named twice");
        }
        ids.push(id);
    }
    decoder.finish(player.map(|player| (player, ids)))
}

/// Whose equipment, from where on.
pub fn equipment(
    request: &api::ListEquipmentRequest,
    cursor: &Cursor,
) -> Result<(PlayerId, Option<EquipmentId>, usize), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let limit = usize::try_from(decoder.page_size(request.page_size)).unwrap_or(usize::MAX);
    let after = decoder.page_token(cursor, &request.page_token);
    decoder.finish(player.map(|player| (player, after, limit)))
}

/// Whose collection, from which version on.
pub fn watch(request: &api::WatchCollectionRequest) -> Result<(PlayerId, u64), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let after = u64::try_from(request.after_version).ok();
    if after.is_none() {
        decoder.fault("after_version", format!("must be at least 0, is {}", request.after_version));
    }
    decoder.finish(player.zip(after))
}

/// Which esprit.
pub fn esprit(request: &api::GetEspritRequest) -> Result<(PlayerId, EspritId), Status> {
    let mut decoder = Decoder::default();
    let player: Option<PlayerId> = decoder.id("player_id", &request.player_id);
    let esprit = decoder.id("esprit_id", &request.esprit_id);
    decoder.finish(player.zip(esprit))
}

/// Which part.
pub fn participation(request: &participant::GetParticipationRequest) -> Result<OperationId, Status> {
    let mut decoder = Decoder::default();
    let operation = decoder.id("operation_id", &request.operation_id);
    decoder.finish(operation)
}

/// Which parts, from where on.
pub fn participations(request: &participant::ListParticipationsRequest, cursor: &Cursor) -> Result<PartsQuery, Status> {
    let mut decoder = Decoder::default();
    let coordinator = decoder.optional_id("coordinator", &request.coordinator);
    let state = match participant::ParticipationState::try_from(request.state) {
        Ok(participant::ParticipationState::Unspecified) => None,
        Ok(participant::ParticipationState::Prepared) => Some(Participation::Prepared),
        Ok(participant::ParticipationState::Committed) => Some(Participation::Committed),
        Ok(participant::ParticipationState::Cancelled) => Some(Participation::Cancelled),
        Ok(participant::ParticipationState::Voided) => Some(Participation::Voided),
        Err(_) => {
            decoder.fault("state", format!("is no state: {}", request.state));
            None
        }
    };
    let limit = decoder.page_size(request.page_size);
    let after = decoder.page_token(cursor, &request.page_token);
    let age_micros_min = decoder.age_micros("age_min", request.age_min.as_ref());
    decoder.finish(Some(PartsQuery { coordinator, state, age_micros_min, after, limit }))
}
