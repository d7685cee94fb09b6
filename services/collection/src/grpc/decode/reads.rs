//! Requests that only read.

use auric_api::collection::v1 as api;
use auric_api::participant::v1 as participant;
use auric_edge::{Cursor, Decoder};
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_twophase::Participation;
use tonic::Status;

use crate::store::{EspritsQuery, PartsQuery};

/// Whose esprits, from where on.
pub fn esprits(request: &api::ListEspritsRequest, cursor: &Cursor) -> Result<EspritsQuery, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let species = decoder.optional_id("species_id", &request.species_id);
    let limit = decoder.page_size(request.page_size);
    let before = decoder.page_token(cursor, &request.page_token);
    decoder.finish(player.map(|player| EspritsQuery { player, species, before, limit }))
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
