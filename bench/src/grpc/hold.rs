//! A reserve and its commit.

use auric_api::wallet::v1::{BalanceRef, CommitRequest, HoldLeg, ReserveRequest};

use super::post::{ASSET, REASON, amount, context};
use super::{Ground, outcome, outcome_of, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;

/// Sets units aside, then takes them; a pair of calls is a unit.
#[derive(Clone, Debug)]
pub struct ReserveCommit(pub Ground);

impl Operation for ReserveCommit {
    async fn run(&self, number: u64) -> Outcome {
        let (player_id, mut client) = self.0.of_call(number);
        let hold_id = self.0.keys.of_call(number);
        let from = BalanceRef { player_id: player_id.clone(), asset_id: ASSET.to_owned(), ..BalanceRef::default() };
        let reserve = ReserveRequest {
            idempotency_key: format!("{hold_id}/reserve"),
            hold_id: hold_id.clone(),
            legs: vec![HoldLeg { from: Some(from), to: None, amount: amount(number) }],
            reason: REASON.to_owned(),
            context: context(),
            ..ReserveRequest::default()
        };
        if let Err(status) = client.reserve(with_deadline(reserve)).await {
            return outcome_of(&status);
        }
        let idempotency_key = format!("{hold_id}/commit");
        let commit = CommitRequest { idempotency_key, hold_id, amounts: Vec::new(), player_id };
        outcome(client.commit(with_deadline(commit)).await)
    }
}
