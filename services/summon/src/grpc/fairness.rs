//! Seeds, receipts and paths, between protobuf and the domain.

use auric_api::summon::v1 as api;
use auric_edge::{Cursor, Decoder, RETRY_AFTER};
use auric_ids::{BannerId, OperationId, PityGroupId, PlayerId, SpeciesId};
use auric_status::Problem;
use tonic::{Code, Response, Status};

use super::encode::{count, timestamp};
use super::status::{self, reasons};
use crate::domain::{Answer, ClientSeed, ShownEnd, ShownSeeds, Told};
use crate::handlers::{FairnessView, Proof};

pub fn get(request: &api::GetFairnessRequest, cursor: &Cursor) -> Result<(PlayerId, Option<u64>, u32), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let before = decoder.page_token(cursor, &request.page_token);
    let limit = decoder.page_size(request.page_size);
    decoder.finish(player.map(|player| (player, before, limit)))
}

pub fn client_seed(request: &api::SetClientSeedRequest) -> Result<(PlayerId, ClientSeed), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let seed = ClientSeed::parse(&request.client_seed).map_err(|fault| decoder.fault("client_seed", fault)).ok();
    decoder.finish(player.zip(seed))
}

pub fn player(player_id: &str) -> Result<PlayerId, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", player_id);
    decoder.finish(player)
}

pub fn path(request: &api::ChoosePathRequest) -> Result<(PlayerId, BannerId, Option<SpeciesId>), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let banner = decoder.id("banner_id", &request.banner_id);
    let target = decoder.optional_id("species_id", &request.species_id);
    decoder.finish(player.zip(banner).map(|(player, banner)| (player, banner, target)))
}

pub fn verify(request: &api::VerifyPullRequest) -> Result<(PlayerId, PityGroupId, u64), Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let group = decoder.id("pity_group_id", &request.pity_group_id);
    let number = u64::try_from(request.number).ok().filter(|number| *number >= 1);
    if number.is_none() {
        decoder.fault("number", format!("must be at least 1, is {}", request.number));
    }
    let decoded = || Some((player?, group?, number?));
    decoder.finish(decoded())
}

/// The seeds that were shown, and the next page's token.
pub fn shown(player: &PlayerId, view: &FairnessView, cursor: &Cursor) -> api::GetFairnessResponse {
    let last = view.ended.last().filter(|_| view.more);
    api::GetFairnessResponse {
        fairness: Some(fairness(player, &view.now)),
        ended: view.ended.iter().map(ended).collect(),
        next_page_token: last.map(|last| cursor.token(&last.epoch.to_string())).unwrap_or_default(),
    }
}

/// What a change came to: its answer, and whether it is one that was given before.
pub fn told(told: Told, method: &str, player: &PlayerId) -> Result<(Answer, bool), Status> {
    match told {
        Told::Done { answer, replayed } => Ok((answer, replayed)),
        Told::KeyReused { fields, first_method } => {
            let first = if first_method.is_empty() { method } else { &first_method };
            Err(auric_edge::key_reused(&fields, first).into_status())
        }
        Told::Undecided(operation) => Err(undecided(player, &operation).into_status()),
        Told::Unstored(unstored) => Err(status::of_unstored(unstored)),
    }
}

fn undecided(player: &PlayerId, operation: &OperationId) -> Problem {
    let message = format!("the summon {operation} of {player} is not decided yet: seeds change between summons only");
    Problem::new(Code::Aborted, reasons::SUMMON_UNDECIDED, message)
        .with("player_id", player)
        .with("operation_id", operation)
        .retry_after(RETRY_AFTER)
}

pub fn seeds(player: &PlayerId, answer: &Answer) -> (Option<api::Fairness>, Option<api::EndedSeeds>) {
    match answer {
        Answer::Seeds { now, ended } => (Some(fairness(player, now)), ended.as_ref().map(self::ended)),
        Answer::Path { .. } => (None, None),
    }
}

pub fn chosen(answer: &Answer) -> api::ChoosePathResponse {
    match answer {
        Answer::Path { target, points } => api::ChoosePathResponse {
            species_id: target.as_ref().map(ToString::to_string).unwrap_or_default(),
            points: i32::from(*points),
        },
        Answer::Seeds { .. } => api::ChoosePathResponse::default(),
    }
}

/// An answer, marked when it was given before.
pub fn answer<T>(answer: T, replayed: bool) -> Result<Response<T>, Status> {
    let mut answer = Ok(Response::new(answer));
    if replayed {
        auric_edge::mark_replayed(&mut answer);
    }
    answer
}

pub fn proof(proof: Proof) -> api::VerifyPullResponse {
    api::VerifyPullResponse {
        receipt: proof.receipt,
        revealed: proof.is_revealed,
        verified: proof.fault.is_none(),
        fault: proof.fault.unwrap_or_default(),
        exchanged: proof.is_exchange,
    }
}

pub fn pull_not_found(player: &PlayerId, group: &PityGroupId, number: u64) -> Problem {
    let message = format!("{player} has no pull {number} in {group}");
    Problem::new(Code::NotFound, reasons::PULL_NOT_FOUND, message)
        .with("player_id", player)
        .with("pity_group_id", group)
        .with("number", number)
}

fn fairness(player: &PlayerId, now: &ShownSeeds) -> api::Fairness {
    api::Fairness {
        player_id: player.to_string(),
        commitment: now.commitment.clone(),
        client_seed: now.client.as_str().to_owned(),
        nonce: count(now.nonce),
        epoch: count(now.epoch),
    }
}

fn ended(ended: &ShownEnd) -> api::EndedSeeds {
    api::EndedSeeds {
        epoch: count(ended.epoch),
        commitment: ended.commitment.clone(),
        server_seed: ended.server.clone().unwrap_or_default(),
        client_seed: ended.client.as_str().to_owned(),
        first_nonce: count(ended.first_nonce),
        next_nonce: count(ended.next_nonce),
        end_time: Some(timestamp(ended.ended_at)),
    }
}
