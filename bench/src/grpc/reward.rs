//! Claims and transfers.

use auric_api::wallet::v1::{ClaimRequest, Direction, TransferRequest};

use super::post::{ASSET, REASON, amount, context, leg};
use super::{Ground, outcome, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;
use crate::traffic::scramble;

/// Claims a reward that nobody claimed before.
#[derive(Clone, Debug)]
pub struct Claim(pub Ground);

impl Operation for Claim {
    async fn run(&self, number: u64) -> Outcome {
        let (player_id, mut client) = self.0.of_call(number);
        let idempotency_key = self.0.keys.of_call(number);
        let claim = ClaimRequest {
            legs: vec![leg(player_id.clone(), Direction::Credit, amount(number))],
            player_id,
            claim_type: "pve_victory".to_owned(),
            claim_key: format!("encounter:{idempotency_key}"),
            idempotency_key,
            reason: REASON.to_owned(),
            context: context(),
        };
        outcome(client.claim(with_deadline(claim)).await)
    }
}

/// Moves units from one player to another.
#[derive(Clone, Debug)]
pub struct Transfer(pub Ground);

impl Operation for Transfer {
    async fn run(&self, number: u64) -> Outcome {
        let (from_player_id, mut client) = self.0.of_call(number);
        let transfer = TransferRequest {
            idempotency_key: self.0.keys.of_call(number),
            to_player_id: self.0.players.other_than(&from_player_id, scramble(number)),
            from_player_id,
            asset_id: ASSET.to_owned(),
            amount: amount(number),
            reason: REASON.to_owned(),
            context: context(),
            ..TransferRequest::default()
        };
        outcome(client.transfer(with_deadline(transfer)).await)
    }
}
