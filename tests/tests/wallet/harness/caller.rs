//! A caller as it should be: the same key again until there is an answer.

use std::collections::HashMap;
use std::time::Duration;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_status::Problem;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::Cluster;

/// How long one try waits for its answer.
const TRY_MAX: Duration = Duration::from_secs(10);

/// How long a caller tries: longer than every timeout of a frozen copy's transaction.
const ASK_MAX: Duration = Duration::from_secs(90);

/// The pause when the refusal suggests none.
const PAUSE: Duration = Duration::from_millis(50);

/// A mutation, as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Post(api::PostRequest),
    Claim(api::ClaimRequest),
    Reserve(api::ReserveRequest),
    Commit(api::CommitRequest),
    Release(api::ReleaseRequest),
    Transfer(api::TransferRequest),
    SpendStatPoints(api::SpendStatPointsRequest),
    RenewCredits(api::RenewCreditsRequest),
}

/// What a mutation came to: the same for every request under its key.
pub type Outcome = Result<api::Posted, Problem>;

/// What a caller was told.
#[derive(Clone, Debug)]
pub struct Answer {
    pub outcome: Outcome,
    /// Whether it is the first answer to the key, given again.
    pub replayed: bool,
    /// How often it was asked until there was an answer.
    pub tries: usize,
}

/// Sends mutations and reads to the copies of a cluster.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub cluster: &'a Cluster,
    /// The copy that is asked first.
    pub copy: usize,
}

impl Ask {
    pub fn post(key: &str, legs: Vec<api::Leg>) -> Self {
        let (idempotency_key, reason) = (key.to_owned(), "test".to_owned());
        Self::Post(api::PostRequest { idempotency_key, legs, reason, ..Default::default() })
    }

    pub fn claim(key: &str, player: &str, claim_key: &str, legs: Vec<api::Leg>) -> Self {
        Self::Claim(api::ClaimRequest {
            idempotency_key: key.to_owned(),
            player_id: player.to_owned(),
            claim_type: "daily".to_owned(),
            claim_key: claim_key.to_owned(),
            legs,
            reason: "daily".to_owned(),
            context: HashMap::new(),
        })
    }

    pub fn reserve(key: &str, hold: &str, legs: Vec<api::HoldLeg>) -> Self {
        let (idempotency_key, hold_id, reason) = (key.to_owned(), hold.to_owned(), "test".to_owned());
        Self::Reserve(api::ReserveRequest { idempotency_key, hold_id, legs, reason, ..Default::default() })
    }

    pub fn commit(key: &str, hold: &str, amounts: Vec<i64>) -> Self {
        let (idempotency_key, hold_id) = (key.to_owned(), hold.to_owned());
        Self::Commit(api::CommitRequest { idempotency_key, hold_id, amounts, player_id: String::new() })
    }

    pub fn release(key: &str, hold: &str) -> Self {
        let (idempotency_key, hold_id) = (key.to_owned(), hold.to_owned());
        Self::Release(api::ReleaseRequest { idempotency_key, hold_id, player_id: String::new() })
    }

    pub fn transfer(key: &str, from: &str, to: &str, amount: i64) -> Self {
        Self::Transfer(api::TransferRequest {
            idempotency_key: key.to_owned(),
            from_player_id: from.to_owned(),
            to_player_id: to.to_owned(),
            asset_id: "lumees".to_owned(),
            amount,
            reason: "gift".to_owned(),
            ..Default::default()
        })
    }

    pub fn renew(key: &str, player: &str, units: i64) -> Self {
        Self::RenewCredits(api::RenewCreditsRequest {
            idempotency_key: key.to_owned(),
            player_id: player.to_owned(),
            asset_id: "generation_credit".to_owned(),
            pool_id: "subscription".to_owned(),
            units,
            reason: "renewal".to_owned(),
            ..Default::default()
        })
    }

    pub fn spend(key: &str, player: &str, points: i64) -> Self {
        let (idempotency_key, player_id) = (key.to_owned(), player.to_owned());
        let (stat_id, reason) = ("energy".to_owned(), "training".to_owned());
        let request =
            api::SpendStatPointsRequest { idempotency_key, player_id, stat_id, points, reason, ..Default::default() };
        Self::SpendStatPoints(request)
    }

    pub fn key(&self) -> &str {
        match self {
            Self::Post(ask) => &ask.idempotency_key,
            Self::Claim(ask) => &ask.idempotency_key,
            Self::Reserve(ask) => &ask.idempotency_key,
            Self::Commit(ask) => &ask.idempotency_key,
            Self::Release(ask) => &ask.idempotency_key,
            Self::Transfer(ask) => &ask.idempotency_key,
            Self::SpendStatPoints(ask) => &ask.idempotency_key,
            Self::RenewCredits(ask) => &ask.idempotency_key,
        }
    }

    pub fn method(&self) -> &'static str {
        match self {
            Self::Post(_) => "Post",
            Self::Claim(_) => "Claim",
            Self::Reserve(_) => "Reserve",
            Self::Commit(_) => "Commit",
            Self::Release(_) => "Release",
            Self::Transfer(_) => "Transfer",
            Self::SpendStatPoints(_) => "SpendStatPoints",
            Self::RenewCredits(_) => "RenewCredits",
        }
    }

    async fn once(&self, channel: Channel, traceparent: &str) -> Result<Response<Option<api::Posted>>, Status> {
        let mut client = WalletServiceClient::new(channel);
        macro_rules! call {
            ($method:ident, $ask:expr) => {
                client.$method(request($ask, traceparent)).await.map(|answer| answer.map(|answer| answer.posted))
            };
        }
        match self {
            Self::Post(ask) => call!(post, ask),
            Self::Claim(ask) => call!(claim, ask),
            Self::Reserve(ask) => call!(reserve, ask),
            Self::Commit(ask) => call!(commit, ask),
            Self::Release(ask) => call!(release, ask),
            Self::Transfer(ask) => call!(transfer, ask),
            Self::SpendStatPoints(ask) => call!(spend_stat_points, ask),
            Self::RenewCredits(ask) => call!(renew_credits, ask),
        }
    }
}

impl<'a> Caller<'a> {
    pub fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, copy: 0 }
    }

    pub fn at(cluster: &'a Cluster, copy: usize) -> Self {
        Self { cluster, copy: copy % cluster.copies() }
    }

    pub async fn send(self, ask: &Ask) -> Answer {
        self.send_traced(ask, "").await
    }

    /// Asks until there is an answer: the next try goes to the next copy, under the same key.
    pub async fn send_traced(self, ask: &Ask, traceparent: &str) -> Answer {
        let since = Instant::now();
        for tries in 1.. {
            let copy = (self.copy + tries - 1) % self.cluster.copies();
            let pause = match self.try_once(ask, copy, traceparent).await {
                Ok(answer) => return Answer { tries, ..answer },
                Err(pause) => pause,
            };
            assert!(since.elapsed() < ASK_MAX, "{} has no answer after {tries} tries", ask.key());
            tokio::time::sleep(pause).await;
        }
        unreachable!("tries do not end")
    }

    /// The answer of one copy, or how long to wait for the next try.
    async fn try_once(self, ask: &Ask, copy: usize, traceparent: &str) -> Result<Answer, Duration> {
        let channel = self.cluster.channel(copy).ok_or(PAUSE)?;
        let answered = tokio::time::timeout(TRY_MAX, ask.once(channel, traceparent)).await.map_err(|_| PAUSE)?;
        let replayed = |metadata: &tonic::metadata::MetadataMap| metadata.contains_key("auric-replayed");
        match answered {
            Ok(response) => {
                let replayed = replayed(response.metadata());
                let posted = response.into_inner().expect("an applied mutation says what it did");
                Ok(Answer { outcome: Ok(posted), replayed, tries: 1 })
            }
            Err(status) => {
                if let Some(pause) = pause(&status) {
                    return Err(pause);
                }
                let replayed = replayed(status.metadata());
                Ok(Answer { outcome: Err(Problem::from_status(&status)), replayed, tries: 1 })
            }
        }
    }

    /// A client for reads; they are tried once.
    pub fn client(self) -> WalletServiceClient<Channel> {
        WalletServiceClient::new(self.cluster.channel(self.copy).expect("it is up"))
    }

    /// What a player has of an asset, pool by pool in the catalog's order.
    pub async fn available(self, player: &str, asset: &str) -> Vec<i64> {
        let (player_ids, asset_ids) = (vec![player.to_owned()], vec![asset.to_owned()]);
        let read = self.client().get_balances(api::GetBalancesRequest { player_ids, asset_ids }).await;
        let read = read.expect("balances are read").into_inner();
        read.balances.iter().map(|balance| balance.available).collect()
    }
}

/// How long to wait before the same key is sent again; nothing for what is an answer.
fn pause(status: &Status) -> Option<Duration> {
    let problem = Problem::from_status(status);
    let again = match problem.code {
        Code::Unavailable | Code::DeadlineExceeded => true,
        Code::Aborted => problem.reason == "CONTENDED",
        Code::ResourceExhausted => problem.retry_after.is_some(),
        // The connection broke: the wallet itself always gives a reason.
        Code::Unknown | Code::Internal | Code::Cancelled => problem.reason.is_empty(),
        _ => false,
    };
    again.then(|| problem.retry_after.unwrap_or(PAUSE))
}

fn request<T: Clone>(ask: &T, traceparent: &str) -> Request<T> {
    let mut request = Request::new(ask.clone());
    request.set_timeout(TRY_MAX);
    if !traceparent.is_empty() {
        request.metadata_mut().insert("traceparent", traceparent.parse().expect("a header"));
    }
    request
}

fn leg(player: &str, asset: &str, direction: api::Direction, amount: i64) -> api::Leg {
    let (player_id, asset_id) = (player.to_owned(), asset.to_owned());
    api::Leg { player_id, asset_id, direction: direction.into(), amount, ..Default::default() }
}

pub fn credit(player: &str, asset: &str, amount: i64) -> api::Leg {
    leg(player, asset, api::Direction::Credit, amount)
}

pub fn debit(player: &str, asset: &str, amount: i64) -> api::Leg {
    leg(player, asset, api::Direction::Debit, amount)
}

pub fn in_pool(leg: api::Leg, pool: &str) -> api::Leg {
    api::Leg { pool_id: pool.to_owned(), ..leg }
}

/// Units of an asset to set aside; `to` nobody or somebody.
pub fn hold_leg(from: &str, to: &str, asset: &str, amount: i64) -> api::HoldLeg {
    let end = |player: &str| {
        let (player_id, asset_id) = (player.to_owned(), asset.to_owned());
        (!player_id.is_empty()).then(|| api::BalanceRef { player_id, asset_id, pool_id: String::new() })
    };
    api::HoldLeg { from: end(from), to: end(to), amount }
}
