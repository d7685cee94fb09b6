//! The monolith does what a summon service must, or it would be no measure: it takes the price once, delivers, and answers a key for ever.

use std::path::Path;
use std::time::Duration;

use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_api::summon::v1::{Summon as Summoned, SummonRequest, SummonState};
use auric_server::metadata::REPLAYED;
use auric_testkit::databases::PostgresDatabase;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::*;
use crate::grpc::{Fleet, Ground, Summon, summon_first};
use crate::load::{Plan as Load, drive};
use crate::schedule::{Pace, Window};
use crate::traffic::{KeyOrder, Keys, Players, Routing};

const PLAYER: &str = "player:0000000";

/// What one pull costs.
const PRICE: i64 = 160;

struct Served {
    monolith: Arc<Monolith>,
    url: String,
    stop: CancellationToken,
    serving: JoinSet<()>,
    _database: PostgresDatabase,
}

impl Served {
    async fn start() -> Self {
        let database = PostgresDatabase::empty().await.unwrap();
        let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../game");
        let config = MonolithConfig { database: database.url().to_owned(), catalog, connections_max: 8 };
        let monolith = Arc::new(Monolith::open(&config).await.unwrap());
        let door = Arc::new(Door::open());
        let listener = auric_server::listen("127.0.0.1:0".parse().unwrap(), &door).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = Stop { token: CancellationToken::new(), drain_max: Duration::from_secs(10) };
        let (token, served) = (stop.token.clone(), Arc::clone(&monolith));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let services = Services { routes: routes(Arc::clone(&served)), names: &[SERVICE_NAME], serving: None };
            auric_server::serve(listener, services, door, || served.ready(), stop).await.unwrap();
            served.close().await;
        });
        Self { monolith, url, stop: token, serving, _database: database }
    }

    async fn grant(&self, players: Players, units: i64) {
        let names: Vec<String> = players.names().collect();
        self.monolith.store().grant(&names, "azurites", units).await.unwrap();
    }

    async fn client(&self) -> SummonServiceClient<Channel> {
        SummonServiceClient::connect(self.url.clone()).await.unwrap()
    }

    async fn fleet(&self) -> Fleet {
        Fleet::connect(std::slice::from_ref(&self.url), 2, Routing::Rendezvous).await.unwrap()
    }

    async fn close(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.serving.join_next().await {
            ended.unwrap();
        }
    }
}

fn request(key: &str, count: i32) -> SummonRequest {
    SummonRequest {
        idempotency_key: key.to_owned(),
        player_id: PLAYER.to_owned(),
        banner_id: "standard".to_owned(),
        cost_id: "azurites".to_owned(),
        count,
    }
}

fn esprits(summon: &Summoned) -> Vec<(String, String)> {
    summon.pulls.iter().map(|pull| (pull.esprit_id.clone(), pull.species_id.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summon_pays_and_delivers() {
    let served = Served::start().await;
    served.grant(Players::new(1, 1), 12 * PRICE).await;
    let mut client = served.client().await;
    let one = client.summon(request("one", 1)).await.unwrap().into_inner().summon.unwrap();
    let ten = client.summon(request("ten", 10)).await.unwrap().into_inner().summon.unwrap();
    assert_eq!((one.state(), ten.state()), (SummonState::Delivered, SummonState::Delivered));
    assert_eq!((one.price.as_ref().unwrap().amount, ten.price.as_ref().unwrap().amount), (PRICE, 10 * PRICE));
    let numbers: Vec<i64> = one.pulls.iter().chain(&ten.pulls).map(|pull| pull.number).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    let pulls: Vec<_> = one.pulls.iter().chain(&ten.pulls).collect();
    assert!(pulls.windows(2).all(|pair| pair[0].pity_after == pair[1].pity_before), "the log has no gap");
    let delivered = served.monolith.store().delivered(PLAYER).await.unwrap();
    assert_eq!(delivered, [esprits(&one), esprits(&ten)].concat());
    assert_eq!(served.monolith.store().money(PLAYER).await.unwrap(), (PRICE, 11 * PRICE, 11 * PRICE));
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_one_answer() {
    let served = Served::start().await;
    served.grant(Players::new(1, 1), 5 * PRICE).await;
    let mut client = served.client().await;
    let first = client.summon(request("key", 1)).await.unwrap();
    let again = client.summon(request("key", 1)).await.unwrap();
    assert!(first.metadata().get(REPLAYED).is_none() && again.metadata().get(REPLAYED).is_some());
    assert_eq!(first.into_inner(), again.into_inner());
    let other = client.summon(request("key", 10)).await.unwrap_err();
    assert_eq!(Problem::from_status(&other).reason, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(served.monolith.store().money(PLAYER).await.unwrap().0, 4 * PRICE);
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_funds_are_refused_for_ever() {
    let served = Served::start().await;
    served.grant(Players::new(1, 1), PRICE - 1).await;
    let mut client = served.client().await;
    let refused = client.summon(request("poor", 1)).await.unwrap_err();
    assert_eq!(Problem::from_status(&refused).reason, "INSUFFICIENT_FUNDS");
    served.grant(Players::new(1, 1), PRICE).await;
    let again = client.summon(request("poor", 1)).await.unwrap_err();
    assert_eq!(Problem::from_status(&again).reason, "INSUFFICIENT_FUNDS");
    assert!(served.monolith.store().delivered(PLAYER).await.unwrap().is_empty());
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clicks_with_money_for_seven_are_seven_summons() {
    let served = Served::start().await;
    served.grant(Players::new(1, 1), 7 * PRICE).await;
    let client = served.client().await;
    let mut clicks = JoinSet::new();
    for click in 0..50 {
        let mut client = client.clone();
        clicks.spawn(async move { client.summon(request(&format!("click-{click}"), 1)).await.is_ok() });
    }
    let done = clicks.join_all().await.into_iter().filter(|is_done| *is_done).count();
    assert_eq!(done, 7);
    assert_eq!(served.monolith.store().delivered(PLAYER).await.unwrap().len(), 7);
    assert_eq!(served.monolith.store().money(PLAYER).await.unwrap(), (0, 7 * PRICE, 7 * PRICE));
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_done() {
    let served = Served::start().await;
    let players = Players::new(5, 5);
    served.grant(players, 1_000_000).await;
    let fleet = served.fleet().await;
    summon_first(fleet.clone(), players).await.unwrap();
    let window = Window { warm_up: Duration::ZERO, length: Duration::from_hours(1) };
    let load = Load { pace: Pace::Closed, in_flight: 8, window, calls_max: 40 };
    for pulls in [1, 10] {
        let ground = Ground { fleet: fleet.clone(), players, keys: Keys::new(KeyOrder::Growing) };
        let tally = drive(Arc::new(Summon { ground, pulls }), load).await.unwrap();
        assert_eq!((tally.done, tally.units, tally.refused), (40, 40, 0));
    }
    let mut delivered = 0;
    for player in players.names() {
        delivered += served.monolith.store().delivered(&player).await.unwrap().len();
    }
    assert_eq!(delivered, 5 + 40 + 400);
    drop(fleet);
    served.close().await;
}
