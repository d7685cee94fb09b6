//! The collection as a participant: esprits that are promised, then delivered or given up by the decision.

use std::time::Duration;

use async_trait::async_trait;
use auric_api::participant::v1 as api;
use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_client::{Channel, ClientConfig, ConfigError, about};
use auric_edge::said;
use auric_ids::{OperationId, PlayerId};
use auric_status::Problem;
use auric_twophase::{Decision, Operation, Participant, Unfinished, Vote};
use tonic::Code;

use crate::domain::{Outcome, Plan};

/// Participations that one look for orphans reads at a time.
const PAGE: i32 = 500;

/// The way to the collection.
#[derive(Clone, Debug)]
pub struct CollectionParticipant {
    client: ParticipantServiceClient<Channel>,
    /// Whose participations are this service's.
    caller: String,
}

/// Connects to the collection; nobody needs to listen there yet.
///
/// # Errors
///
/// [`ConfigError`]: what was configured can never work.
pub async fn connect(config: ClientConfig) -> Result<CollectionParticipant, ConfigError> {
    let caller = config.caller.as_ref().map(ToString::to_string).unwrap_or_default();
    let channel = auric_client::connect(config).await?;
    Ok(CollectionParticipant { client: ParticipantServiceClient::new(channel), caller })
}

#[async_trait]
impl Participant for CollectionParticipant {
    fn name(&self) -> &'static str {
        "collection"
    }

    async fn prepare(&self, operation: &Operation) -> Vote {
        let Ok(plan) = serde_json::from_str::<Plan>(&operation.plan) else {
            return Vote::Unknown("the plan cannot be read".to_owned());
        };
        let intent = api::GrantIntent { esprits: i32::try_from(plan.count).unwrap_or(i32::MAX) };
        let request = api::PrepareRequest {
            operation_id: operation.id.to_string(),
            player_id: operation.player.to_string(),
            catalog_hash: plan.esprits.to_string(),
            intent: Some(api::prepare_request::Intent::Grant(intent)),
        };
        let Err(status) = self.client.clone().prepare(about(operation.player.as_str(), request)).await else {
            return Vote::Yes;
        };
        let problem = Problem::from_status(&status);
        // Given up by a recovery is no rule: the key may be tried again.
        if status.code() == Code::FailedPrecondition && problem.reason != "PARTICIPATION_ENDED" {
            return super::refuse("collection", problem);
        }
        Vote::Unknown(said(&status))
    }

    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished> {
        let (operation_id, player_id) = (operation.id.to_string(), operation.player.to_string());
        let mut client = self.client.clone();
        let told = if let Some(Decision::Commit(outcome)) = &operation.decision {
            let outcome: Outcome = serde_json::from_str(outcome).map_err(|error| Unfinished(error.to_string()))?;
            let outcome = Some(api::commit_request::Outcome::Grant(grant(&outcome)));
            let commit = api::CommitRequest { operation_id, player_id, outcome };
            client.commit(about(operation.player.as_str(), commit)).await.map(drop)
        } else {
            let cancel = api::CancelRequest { operation_id, player_id };
            client.cancel(about(operation.player.as_str(), cancel)).await.map(drop)
        };
        told.map_err(|status| Unfinished(said(&status)))
    }

    async fn orphans(&self, age_min: Duration) -> Result<Vec<(PlayerId, OperationId)>, Unfinished> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = api::ListParticipationsRequest {
                coordinator: self.caller.clone(),
                state: api::ParticipationState::Prepared.into(),
                age_min: prost_types::Duration::try_from(age_min).ok(),
                page_size: PAGE,
                page_token,
            };
            let listed = self.client.clone().list_participations(request).await;
            let page = listed.map_err(|status| Unfinished(said(&status)))?.into_inner();
            let named = page.participations.iter().filter_map(|participation| {
                Some((participation.player_id.parse().ok()?, participation.operation_id.parse().ok()?))
            });
            found.extend(named);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }
}

fn grant(outcome: &Outcome) -> api::Grant {
    let esprit = |pull: &crate::domain::Pull| api::GrantedEsprit {
        esprit_id: pull.esprit.to_string(),
        species_id: pull.species.to_string(),
    };
    api::Grant { esprits: outcome.pulls.iter().map(esprit).collect() }
}
