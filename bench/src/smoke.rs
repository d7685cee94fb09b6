//! Every kind of call reaches a real wallet and is done, and a ledger that was filled takes postings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use auric_auth::Door;
use auric_server::{Services, Stop};
use auric_wallet::{Wallet, WalletConfig};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::grpc::{
    Claim, Echo, Fleet, Ground, Post, PostBatch, ReserveCommit, SEED, Transfer, drive_streams, seed, serve_echo,
};
use crate::load::{Operation, Plan, drive};
use crate::schedule::{Pace, Window};
use crate::store::{Population, fill};
use crate::traffic::{KeyOrder, Keys, Players, Routing};

const CALLS: u64 = 12;

/// A wallet in this process.
struct InProcess {
    url: String,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl InProcess {
    async fn start(database: String) -> Result<Self> {
        auric_wallet::migrate(&database).await?;
        let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../game");
        let wallet = Wallet::open(&WalletConfig::new(database, catalog)).await?;
        let listener = auric_server::listen("127.0.0.1:0".parse()?, &Door::open()).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let stop = Stop { token: CancellationToken::new(), drain_max: Duration::from_secs(10) };
        let token = stop.token.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let services = Services { routes: wallet.routes(), names: Wallet::service_names(), serving: None };
            auric_server::serve(listener, services, Arc::new(Door::open()), || wallet.ready(), stop).await.unwrap();
            wallet.close().await;
        });
        Ok(Self { url, stop: token, serving })
    }

    async fn close(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.serving.join_next().await {
            ended.unwrap();
        }
    }
}

fn plan() -> Plan {
    let window = Window { warm_up: Duration::ZERO, length: Duration::from_hours(1) };
    Plan { pace: Pace::Closed, in_flight: 3, window, calls_max: CALLS }
}

async fn check<O: Operation>(operation: O, units: u64) {
    let tally = drive(Arc::new(operation), plan()).await.unwrap();
    assert_eq!((tally.done, tally.refused, tally.units), (CALLS, 0, units));
    assert_eq!(tally.latency_us.len(), CALLS);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = InProcess::start(format!("sqlite://{}", folder.path().join("wallet.db").display())).await.unwrap();
    let fleet = Fleet::connect(std::slice::from_ref(&wallet.url), 2, Routing::Rendezvous).await.unwrap();
    for active in [1, 5] {
        let players = Players::new(active, 5);
        seed(&fleet, &players.names().collect::<Vec<_>>(), SEED).await.unwrap();
        let ground = || Ground { fleet: fleet.clone(), players, keys: Keys::new(KeyOrder::Growing) };
        check(Post(ground()), CALLS).await;
        check(PostBatch::new(ground()), CALLS * 500).await;
        let tally = drive_streams(ground(), 2, plan()).await.unwrap();
        assert_eq!((tally.done, tally.units), (CALLS, CALLS));
        check(ReserveCommit(ground()), CALLS).await;
        check(Transfer(ground()), CALLS).await;
        check(Claim(ground()), CALLS).await;
    }
    drop(fleet);
    wallet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_ledger_goes_on_where_its_past_ends() {
    let database = auric_testkit::databases::PostgresDatabase::empty().await.unwrap();
    let wallet = InProcess::start(database.url().to_owned()).await.unwrap();
    let fleet = Fleet::connect(std::slice::from_ref(&wallet.url), 1, Routing::Rendezvous).await.unwrap();
    seed(&fleet, &["sample".to_owned()], SEED).await.unwrap();
    fill(database.url(), Population { players: 8, entries_each: 3, keys: KeyOrder::Growing }).await.unwrap();

    let ground = || Ground { fleet: fleet.clone(), players: Players::new(8, 8), keys: Keys::new(KeyOrder::Growing) };
    check(Post(ground()), CALLS).await;
    check(PostBatch::new(ground()), CALLS * 500).await;
    drop(fleet);
    wallet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_empty_call_is_answered() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stop = Stop { token: CancellationToken::new(), drain_max: Duration::from_secs(10) };
    let mut serving = JoinSet::new();
    serving.spawn(serve_echo(port, stop.clone()));
    let urls = [format!("http://{port}")];
    let fleet = loop {
        match Fleet::connect(&urls, 1, Routing::Random).await {
            Ok(fleet) => break fleet,
            Err(_) => assert!(serving.try_join_next().is_none(), "the server ended"),
        }
    };
    check(Echo { fleet }, CALLS).await;
    stop.token.cancel();
    serving.join_next().await.unwrap().unwrap().unwrap();
}
