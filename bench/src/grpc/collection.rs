//! Reads of collections, and the changes between them.

use std::path::Path;

use anyhow::{Context as _, Result};
use auric_api::collection::v1 as api;
use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_api::participant::v1 as participant;
use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_summon::catalog;
use tonic::transport::Channel;

use super::{Fleet, Ground, outcome, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;

/// Esprits of one page.
const PAGE: i32 = 50;

/// The first page of a player's esprits, newest first.
#[derive(Clone, Debug)]
pub struct ListEsprits {
    /// Where, of whom.
    pub ground: Ground,
    /// One call in so many changes an esprit instead.
    pub changes_one_in: Option<u64>,
}

/// What a player has, in numbers.
#[derive(Clone, Debug)]
pub struct GetProfile(pub Ground);

/// The strongest team of all that a player has.
#[derive(Clone, Debug)]
pub struct OptimizeTeam(pub Ground);

fn of_call(ground: &Ground, number: u64) -> (String, CollectionServiceClient<Channel>) {
    let player = ground.players.of_call(number);
    let client = CollectionServiceClient::new(ground.fleet.channel(&player, number));
    (player, client)
}

impl Operation for ListEsprits {
    async fn run(&self, number: u64) -> Outcome {
        let (player_id, mut client) = of_call(&self.ground, number);
        if self.changes_one_in.is_some_and(|calls| number.is_multiple_of(calls)) {
            let request = api::SetLockRequest {
                idempotency_key: self.ground.keys.of_call(number),
                esprit_id: format!("{player_id}.1"),
                player_id,
                locked: (number / 20).is_multiple_of(2),
                expected_version: 0,
            };
            return outcome(client.set_lock(with_deadline(request)).await);
        }
        let request = api::ListEspritsRequest { player_id, page_size: PAGE, ..api::ListEspritsRequest::default() };
        outcome(client.list_esprits(with_deadline(request)).await)
    }
}

impl Operation for GetProfile {
    async fn run(&self, number: u64) -> Outcome {
        let (player_id, mut client) = of_call(&self.0, number);
        outcome(client.get_profile(with_deadline(api::GetProfileRequest { player_id })).await)
    }
}

impl Operation for OptimizeTeam {
    async fn run(&self, number: u64) -> Outcome {
        let (player_id, mut client) = of_call(&self.0, number);
        outcome(client.optimize_team(with_deadline(api::OptimizeTeamRequest { player_id })).await)
    }
}

/// Brings one esprit, as a summon does, to a player who is not called: the row that every other one is like.
///
/// # Errors
///
/// The collection refuses.
pub async fn endow_sample(fleet: &Fleet, game: &Path, species: &str) -> Result<()> {
    let mut client = ParticipantServiceClient::new(fleet.channel("", 0));
    let (operation_id, player_id) = ("0".repeat(31) + "1", "sample".to_owned());
    let catalog_hash = catalog::load(game).context("the catalog cannot be read")?.banners.esprits_hash.to_string();
    let intent = participant::prepare_request::Intent::Grant(participant::GrantIntent { esprits: 1 });
    let prepare = participant::PrepareRequest {
        operation_id: operation_id.clone(),
        player_id: player_id.clone(),
        catalog_hash,
        intent: Some(intent),
    };
    client.prepare(prepare).await.context("the collection promises nothing")?;
    let esprit = participant::GrantedEsprit { esprit_id: "sample".to_owned(), species_id: species.to_owned() };
    let outcome = participant::commit_request::Outcome::Grant(participant::Grant { esprits: vec![esprit] });
    let commit = participant::CommitRequest { operation_id, player_id, outcome: Some(outcome) };
    client.commit(commit).await.context("the collection brings nothing")?;
    Ok(())
}
