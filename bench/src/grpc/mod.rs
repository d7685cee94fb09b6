//! The calls that are measured. The only folder of this crate that knows protobuf.

mod batch;
mod collection;
mod echo;
mod hold;
mod jobs;
mod monolith;
mod post;
mod reward;
mod stream;
mod summon;

use std::time::Duration;

use anyhow::{Context as _, Result};
use auric_api::wallet::v1::Refusal;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_status::Problem;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::measure::Outcome;
use crate::traffic::{Keys, Players, Routing, below};

pub use batch::PostBatch;
pub use collection::{GetProfile, ListEsprits, OptimizeTeam, endow_sample};
pub use echo::{Echo, serve_echo};
pub use hold::ReserveCommit;
pub use jobs::{Beside, Handler, TARGET, When, declare, settled};
pub use monolith::serve_monolith;
pub use post::{Post, SEED, seed};
pub use reward::{Claim, Transfer};
pub use stream::drive_streams;
pub use summon::{SUMMON_SEED, Summon, summon_first};

/// How long a call may take; the callers of a game set a deadline, so these do.
const DEADLINE: Duration = Duration::from_secs(20);

/// Where a refusal that is no status says when to try again.
const RETRY_AFTER_MS: &str = "retry_after_ms";

/// What calls at the wallet are about.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Where they go.
    pub fleet: Fleet,
    /// Whose units they move.
    pub players: Players,
    /// Under which keys.
    pub keys: Keys,
}

impl Ground {
    /// The player of call `number`, and a client for it.
    fn of_call(&self, number: u64) -> (String, WalletServiceClient<Channel>) {
        let player = self.players.of_call(number);
        let client = WalletServiceClient::new(self.fleet.channel(&player, number));
        (player, client)
    }
}

/// Connections to every copy of a service.
#[derive(Clone, Debug)]
pub struct Fleet {
    copies: Vec<Vec<Channel>>,
    routing: Routing,
}

impl Fleet {
    /// Connects to each of `urls` `channels` times.
    ///
    /// # Errors
    ///
    /// Nobody answers there.
    pub async fn connect(urls: &[String], channels: usize, routing: Routing) -> Result<Self> {
        let mut copies = Vec::new();
        for url in urls {
            let endpoint = Endpoint::from_shared(url.clone())?.tcp_nodelay(true);
            let mut connections = Vec::new();
            for _ in 0..channels.max(1) {
                connections.push(endpoint.connect().await.with_context(|| format!("nobody answers at {url}"))?);
            }
            copies.push(connections);
        }
        Ok(Self { copies, routing })
    }

    /// Chooses the connection of call `number`, which is about `player`.
    fn channel(&self, player: &str, number: u64) -> Channel {
        let copy = &self.copies[self.routing.choose(self.copies.len(), player, number)];
        copy[below(number, copy.len())].clone()
    }
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn outcome<T>(answer: Result<Response<T>, Status>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Done { units: 1 },
        Err(status) => outcome_of(&status),
    }
}

/// Tells being refused for want of room from everything else, which spoils the measurement.
fn outcome_of(status: &Status) -> Outcome {
    let problem = Problem::from_status(status);
    match problem.code {
        Code::ResourceExhausted => Outcome::Refused { says_when: problem.retry_after.is_some() },
        code => Outcome::Failed(format!("{code:?} {} {}", problem.reason, problem.message)),
    }
}

/// The same for one posting of many.
fn refusal_outcome(refusal: &Refusal) -> Outcome {
    match Code::from(refusal.code) {
        Code::ResourceExhausted => Outcome::Refused { says_when: refusal.metadata.contains_key(RETRY_AFTER_MS) },
        code => Outcome::Failed(format!("{code:?} {} {}", refusal.reason, refusal.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_a_refusal_and_anything_else_a_failure() {
        let full = Problem::new(Code::ResourceExhausted, "QUEUE_FULL", "full").retry_after(Duration::from_millis(10));
        assert_eq!(outcome_of(&full.into_status()), Outcome::Refused { says_when: true });
        let bare = Status::resource_exhausted("full");
        assert_eq!(outcome_of(&bare), Outcome::Refused { says_when: false });
        let poor = Problem::new(Code::FailedPrecondition, "INSUFFICIENT_FUNDS", "too little");
        assert_eq!(
            outcome_of(&poor.into_status()),
            Outcome::Failed("FailedPrecondition INSUFFICIENT_FUNDS too little".to_owned())
        );
    }
}
