//! Summons, of the services and of the monolith alike.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_api::summon::v1::{SummonRequest, SummonResponse, SummonState};
use tonic::Response;

use super::{Fleet, Ground, outcome_of, with_deadline};
use crate::load::{Operation, Plan, drive};
use crate::measure::Outcome;
use crate::schedule::{Pace, Window};
use crate::traffic::{KeyOrder, Keys, Players};

/// What every player has before the first summon: more than half a million of them.
pub const SUMMON_SEED: (&str, i64) = ("azurites", 100_000_000);

const BANNER: &str = "standard";

const COST: &str = "azurites";

/// Summons in flight while players are made.
const FIRST_IN_FLIGHT: usize = 64;

/// Longer than it can take to make all players.
const FIRST_MAX: Duration = Duration::from_hours(1);

/// Summons from the standard banner, for azurites.
#[derive(Clone, Debug)]
pub struct Summon {
    /// Where, for whom, under which keys.
    pub ground: Ground,
    /// Pulls of each summon.
    pub pulls: i32,
}

impl Operation for Summon {
    async fn run(&self, number: u64) -> Outcome {
        let Ground { fleet, players, keys } = &self.ground;
        summon(fleet, players.of_call(number), keys.of_call(number), (number, self.pulls)).await
    }
}

/// The first summon of every player, each once.
struct First(Ground);

impl Operation for First {
    async fn run(&self, number: u64) -> Outcome {
        let Ground { fleet, players, keys } = &self.0;
        let player = players.name(u32::try_from(number).unwrap_or(u32::MAX));
        summon(fleet, player, keys.of_call(number), (number, 1)).await
    }
}

/// Has every player summon once, so that what is measured afterwards makes nobody.
///
/// # Errors
///
/// A summon failed.
pub async fn summon_first(fleet: Fleet, players: Players) -> Result<()> {
    let count = players.names().count();
    let window = Window { warm_up: Duration::ZERO, length: FIRST_MAX };
    let calls_max = u64::try_from(count)?;
    let plan = Plan { pace: Pace::Closed, in_flight: FIRST_IN_FLIGHT, window, calls_max };
    let tally = drive(Arc::new(First(Ground { fleet, players, keys: Keys::new(KeyOrder::Growing) })), plan).await?;
    ensure!(tally.done == calls_max, "{} of {count} players summoned", tally.done);
    Ok(())
}

async fn summon(fleet: &Fleet, player_id: String, idempotency_key: String, (number, count): (u64, i32)) -> Outcome {
    let mut client = SummonServiceClient::new(fleet.channel(&player_id, number));
    let request =
        SummonRequest { idempotency_key, player_id, banner_id: BANNER.to_owned(), cost_id: COST.to_owned(), count };
    match client.summon(with_deadline(request)).await {
        Ok(answer) => delivered(answer, count),
        Err(status) => outcome_of(&status),
    }
}

/// One that is paid and not delivered when it is answered was not done.
fn delivered(answer: Response<SummonResponse>, count: i32) -> Outcome {
    let summon = answer.into_inner().summon.unwrap_or_default();
    let is_whole = summon.state() == SummonState::Delivered && i32::try_from(summon.pulls.len()) == Ok(count);
    if is_whole {
        return Outcome::Done { units: 1 };
    }
    Outcome::Failed(format!("{:?} with {} of {count} pulls", summon.state(), summon.pulls.len()))
}

#[cfg(test)]
mod tests {
    use auric_api::summon::v1::{Pull, Summon};

    use super::*;

    #[test]
    fn a_summon_that_is_not_all_delivered_is_not_done() {
        let answer = |state: SummonState, pulls| {
            let summon = Summon { state: state.into(), pulls: vec![Pull::default(); pulls], ..Summon::default() };
            Response::new(SummonResponse { summon: Some(summon) })
        };
        assert_eq!(delivered(answer(SummonState::Delivered, 10), 10), Outcome::Done { units: 1 });
        assert!(matches!(delivered(answer(SummonState::Delivered, 9), 10), Outcome::Failed(_)));
        assert!(matches!(delivered(answer(SummonState::Delivering, 1), 1), Outcome::Failed(_)));
    }
}
