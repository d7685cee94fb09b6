//! The wallet as a participant: a hold for what a summon costs, taken or given back by the decision.
//!
//! A hold has no time to live, so that no expiry overrides a decision, and is whole. Its name and its keys are the operation's, so that whoever asks
//! again asks the same.

use std::collections::HashMap;
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

use crate::domain::{Plan, Price};

/// Why the wallet's audit says that something was paid.
const REASON: &str = "summon";

/// What the names of this service's holds begin with.
const HOLD: &str = "summon:";

/// Holds that one look for orphans reads at a time.
const PAGE: i32 = 500;

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
        let Some(price) = &plan.price else { return Vote::Yes };
        let request = about(operation.player.as_str(), reserve(operation, &plan, price));
        match self.client.clone().reserve(request).await {
            Ok(_) => Vote::Yes,
            Err(status) => vote(&status),
        }
    }

    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished> {
        let plan: Option<Plan> = serde_json::from_str(&operation.plan).ok();
        if plan.is_some_and(|plan| plan.price.is_none()) {
            return Ok(());
        }
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

/// The operation that a hold was made for, when it is one of a summon.
fn operation_of(hold: &api::Hold) -> Option<(PlayerId, OperationId)> {
    let id = hold.hold_id.strip_prefix(HOLD)?.parse().ok()?;
    let player = hold.legs.first()?.from.as_ref()?.player_id.parse().ok()?;
    Some((player, id))
}

fn reserve(operation: &Operation, plan: &Plan, price: &Price) -> api::ReserveRequest {
    let from = api::BalanceRef {
        player_id: operation.player.to_string(),
        asset_id: price.asset.to_string(),
        ..api::BalanceRef::default()
    };
    let amount = i64::try_from(price.amount.units()).unwrap_or(i64::MAX);
    api::ReserveRequest {
        idempotency_key: format!("reserve:{}", operation.id),
        hold_id: format!("{HOLD}{}", operation.id),
        legs: vec![api::HoldLeg { from: Some(from), to: None, amount }],
        whole: true,
        ttl: None,
        reason: REASON.to_owned(),
        context: HashMap::from([
            ("banner_id".to_owned(), plan.banner.to_string()),
            ("count".to_owned(), plan.count.to_string()),
        ]),
    }
}

/// A rule's no is the key's answer; a hold that was given back by a recovery, and everything else, is not.
fn vote(status: &Status) -> Vote {
    let problem = Problem::from_status(status);
    if status.code() == Code::FailedPrecondition && problem.reason == "INSUFFICIENT_FUNDS" {
        return super::refuse("wallet", problem);
    }
    Vote::Unknown(said(status))
}
