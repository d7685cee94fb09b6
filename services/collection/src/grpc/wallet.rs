//! The wallet as a participant: a hold for what an operation costs, and for what it gives, taken or given back by the decision.
//!
//! What is given is room that is promised: a refund that has no room is refused before anything is dissolved. A hold has no time to live, so that no
//! expiry overrides a decision, and is whole. Its name and its keys are the operation's, so that whoever asks again asks the same.

use std::time::Duration;

use async_trait::async_trait;
use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Channel, ClientConfig, ConfigError, about};
use auric_edge::said;
use auric_ids::{OperationId, PlayerId};
use auric_status::Problem;
use auric_twophase::{Operation, Participant, Unfinished, Vote};
use tonic::{Code, Status};

use crate::domain::{Denial, Plan, Units};

/// What the names of this service's holds begin with.
const HOLD: &str = "collection:";

/// Holds that one look for orphans reads at a time.
const PAGE: i32 = 500;

/// What the wallet says no with by a rule: anything else may be otherwise the next time.
const NOES: [&str; 2] = ["INSUFFICIENT_FUNDS", "ABOVE_MAXIMUM"];

/// The way to the wallet.
#[derive(Clone, Debug)]
pub struct WalletParticipant {
    client: WalletServiceClient<Channel>,
    /// Whose holds are this service's.
    caller: String,
}

/// Connects to the wallet; nobody needs to listen there yet.
///
/// # Errors
///
/// [`ConfigError`]: what was configured can never work.
pub async fn connect(config: ClientConfig) -> Result<WalletParticipant, ConfigError> {
    let caller = config.caller.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(WalletParticipant { client: auric_client::wallet(config).await?, caller })
}

#[async_trait]
impl Participant for WalletParticipant {
    fn name(&self) -> &'static str {
        "wallet"
    }

    async fn prepare(&self, operation: &Operation) -> Vote {
        let Ok(plan) = serde_json::from_str::<Plan>(&operation.plan) else {
            return Vote::Unknown("the plan cannot be read".to_owned());
        };
        let request = about(operation.player.as_str(), reserve(operation, &plan));
        match self.client.clone().reserve(request).await {
            Ok(_) => Vote::Yes,
            Err(status) => vote(&status),
        }
    }

    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished> {
        let (id, player) = (&operation.id, operation.player.as_str());
        let hold_id = format!("{HOLD}{id}");
        let mut client = self.client.clone();
        let told = if operation.state.is_commit() {
            let commit = api::CommitRequest {
                idempotency_key: format!("commit:{id}"),
                hold_id,
                amounts: Vec::new(),
                player_id: player.to_owned(),
            };
            client.commit(about(player, commit)).await.map(drop)
        } else {
            let release =
                api::ReleaseRequest { idempotency_key: format!("release:{id}"), hold_id, player_id: player.to_owned() };
            client.release(about(player, release)).await.map(drop)
        };
        told.map_err(|status| Unfinished(said(&status)))
    }

    async fn orphans(&self, age_min: Duration) -> Result<Vec<(PlayerId, OperationId)>, Unfinished> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = api::ListHoldsRequest {
                player_id: String::new(),
                caller: self.caller.clone(),
                age_min: prost_types::Duration::try_from(age_min).ok(),
                page_size: PAGE,
                page_token,
            };
            let page = self.client.clone().list_holds(request).await.map_err(|status| Unfinished(said(&status)))?;
            let page = page.into_inner();
            found.extend(page.holds.iter().filter_map(operation_of));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// The operation that a hold was made for, when it is one of the collection's.
fn operation_of(hold: &api::Hold) -> Option<(PlayerId, OperationId)> {
    let id = hold.hold_id.strip_prefix(HOLD)?.parse().ok()?;
    let leg = hold.legs.first()?;
    let player = leg.from.as_ref().or(leg.to.as_ref())?.player_id.parse().ok()?;
    Some((player, id))
}

fn reserve(operation: &Operation, plan: &Plan) -> api::ReserveRequest {
    let of = |units: &Units| api::BalanceRef {
        player_id: operation.player.to_string(),
        asset_id: units.asset.to_string(),
        ..api::BalanceRef::default()
    };
    let amount = |units: &Units| i64::try_from(units.amount).unwrap_or(i64::MAX);
    let paid = plan.cost.iter().map(|units| api::HoldLeg { from: Some(of(units)), to: None, amount: amount(units) });
    let given = plan.refund.iter().map(|units| api::HoldLeg { from: None, to: Some(of(units)), amount: amount(units) });
    let esprits = match plan.esprits.as_slice() {
        [one] => ("esprit_id".to_owned(), one.esprit.to_string()),
        many => ("esprits".to_owned(), many.len().to_string()),
    };
    api::ReserveRequest {
        idempotency_key: format!("reserve:{}", operation.id),
        hold_id: format!("{HOLD}{}", operation.id),
        legs: paid.chain(given).collect(),
        whole: true,
        ttl: None,
        reason: plan.kind.as_str().to_owned(),
        context: [esprits].into(),
    }
}

/// A rule's no is the key's answer; a hold that was given back by a recovery, and everything else, is not.
fn vote(status: &Status) -> Vote {
    let problem = Problem::from_status(status);
    if status.code() == Code::FailedPrecondition && NOES.contains(&problem.reason.as_str()) {
        let Problem { reason, message, metadata, .. } = problem;
        let denial = Denial::Participant { service: "wallet".to_owned(), reason, message, metadata };
        return serde_json::to_string(&denial).map_or_else(|error| Vote::Unknown(error.to_string()), Vote::No);
    }
    Vote::Unknown(said(status))
}
