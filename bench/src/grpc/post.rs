//! Postings of one leg.

use std::collections::HashMap;

use anyhow::{Result, bail};
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_api::wallet::v1::{Direction, Leg, PostRequest};

use super::{Fleet, Ground, outcome, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;
use crate::traffic::{KeyOrder, Keys, scramble};

/// What is moved.
pub(super) const ASSET: &str = "lumees";

/// What every player of the wallet is given beforehand.
pub const SEED: (&str, i64) = (ASSET, SEED_UNITS);

/// Why, in the word of a game.
pub(super) const REASON: &str = "quest.reward";

/// What every player has before the first call, so that no debit is refused.
const SEED_UNITS: i64 = 100_000_000;

/// Legs of one posting at most.
const LEGS_MAX: usize = 1_000;

/// Posts one leg: every other one a credit, every other one a debit.
#[derive(Clone, Debug)]
pub struct Post(pub Ground);

impl Operation for Post {
    async fn run(&self, number: u64) -> Outcome {
        let (player, mut client) = self.0.of_call(number);
        let request = request(self.0.keys.of_call(number), vec![one_leg(player, number)]);
        outcome(client.post(with_deadline(request)).await)
    }
}

/// Gives every player so many units, a thousand with one posting.
///
/// # Errors
///
/// A posting was refused.
pub async fn seed(fleet: &Fleet, players: &[String], (asset, units): (&str, i64)) -> Result<()> {
    let keys = Keys::new(KeyOrder::Growing);
    for (number, part) in (0..).zip(players.chunks(LEGS_MAX)) {
        let give =
            |player: &String| Leg { asset_id: asset.to_owned(), ..leg(player.clone(), Direction::Credit, units) };
        let legs = part.iter().map(give).collect();
        let mut client = WalletServiceClient::new(fleet.channel(&part[0], number));
        match outcome(client.post(with_deadline(request(keys.of_call(number), legs))).await) {
            Outcome::Done { .. } => {}
            other => bail!("the players cannot be given anything: {other:?}"),
        }
    }
    Ok(())
}

/// A posting as a game sends it: a reason, and what it was for.
pub(super) fn request(idempotency_key: String, legs: Vec<Leg>) -> PostRequest {
    PostRequest { idempotency_key, legs, reason: REASON.to_owned(), context: context(), ..PostRequest::default() }
}

pub(super) fn context() -> HashMap<String, String> {
    HashMap::from([("quest".to_owned(), "the-lost-caravan".to_owned())])
}

/// The one leg of call `number`.
pub(super) fn one_leg(player: String, number: u64) -> Leg {
    let direction = if number.is_multiple_of(2) { Direction::Credit } else { Direction::Debit };
    leg(player, direction, amount(number))
}

pub(super) fn leg(player_id: String, direction: Direction, amount: i64) -> Leg {
    Leg { player_id, asset_id: ASSET.to_owned(), direction: direction.into(), amount, ..Leg::default() }
}

/// How much call `number` moves: 1 to 100 units.
pub(super) fn amount(number: u64) -> i64 {
    i64::try_from(scramble(number.rotate_left(17)) % 100).unwrap_or(0) + 1
}
