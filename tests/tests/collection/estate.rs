//! A wallet over gRPC on loopback, and copies of the collection over one database, with players who have something.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_api::wallet::v1 as wallet;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::Channel;
use auric_collection::domain::{
    Action, Ask, Commit, Deed, Effect, Esprit, Grant, Granted, Intent, Outcome, Plan, Prepare, Request, Rules, Verdict,
};
use auric_collection::{Collection, Coordination, Failed, Handlers, VIEWS_ROWS_MAX};
use auric_db::{Database, PostgresSettings};
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_lanes::LanesConfig;
use auric_server::Services;
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_testkit::proxy::Proxy;
use auric_tests::tree;
use auric_time::{Clock, SystemClock};
use auric_twophase::store::{Listing, Operations};
use auric_twophase::{Decision, Operation, Participant, Settings, State};
use auric_wallet::{Wallet, WalletConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::faulty::FaultyStore;
use crate::operations::faults::{Faults, FaultyParticipant};
use crate::operations::services::{SETTINGS, client, serve};
use crate::summon::town;

/// What esprits are of here: both common.
const SPECIES: [&str; 2] = ["emberling", "pebblekin"];

/// The services, and what breaks in them.
pub struct Estate {
    pub copies: Vec<Arc<Handlers>>,
    pub faults: Arc<Faults>,
    /// Where each copy answers.
    pub addresses: Vec<SocketAddr>,
    /// Copies of summon, each with a copy of the collection; none where nobody summons.
    pub summons: Vec<Arc<auric_summon::Handlers>>,
    /// Where the wallet and the collection keep their own.
    pub urls: [String; 2],
    at_wallet: SocketAddr,
    wallet: WalletServiceClient<Channel>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The databases, which go with it.
    bases: Vec<Box<dyn Any + Send + Sync>>,
}

impl Estate {
    /// One copy, each service on a SQLite file.
    pub async fn sqlite() -> Self {
        Self::sqlite_with(SETTINGS).await
    }

    /// The same, and nothing is found soon.
    pub async fn patient_sqlite() -> Self {
        Self::sqlite_with(Settings { lease: Duration::from_secs(10), ..SETTINGS }).await
    }

    async fn sqlite_with(settings: Settings) -> Self {
        let file = || SqliteDatabase::create().expect("a folder");
        let bases = [file(), file()];
        let urls = bases.each_ref().map(|file| format!("sqlite://{}", file.path().display()));
        let ways = [urls[1].clone()];
        Self::over(Box::new(bases), urls, &ways, settings, VIEWS_ROWS_MAX).await
    }

    /// Several copies over one PostgreSQL database, and the wallet over another.
    pub async fn postgres(copies: usize) -> Self {
        let (bases, urls) = Self::postgres_bases().await;
        let ways = vec![urls[1].clone(); copies];
        Self::over(bases, urls, &ways, SETTINGS, VIEWS_ROWS_MAX).await
    }

    /// Several copies that keep so many rows in memory, each behind a network of its own to the database.
    pub async fn postgres_behind(views_rows_max: usize, copies: usize) -> (Self, Vec<Proxy>) {
        let (bases, urls) = Self::postgres_bases().await;
        let authority = urls[1].split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("an authority");
        let (mut proxies, mut ways) = (Vec::new(), Vec::new());
        for _ in 0..copies {
            let proxy = Proxy::start(authority.parse().expect("an address")).await.expect("a port");
            ways.push(urls[1].replace(authority, &proxy.address().to_string()));
            proxies.push(proxy);
        }
        (Self::over(bases, urls.clone(), &ways, SETTINGS, views_rows_max).await, proxies)
    }

    async fn postgres_bases() -> (Box<dyn Any + Send + Sync>, [String; 2]) {
        let bases = [
            PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
        ];
        let urls = bases.each_ref().map(|database| database.url().to_owned());
        (Box::new(bases), urls)
    }

    /// The same, with as many copies of summon over a third database.
    pub async fn postgres_with_summon(copies: usize) -> Self {
        let base = PostgresDatabase::empty().await.expect("a database");
        let mut estate = Self::postgres(copies).await;
        auric_summon::migrate(base.url()).await.expect("migrated");
        let game = tree::root().join("game");
        for address in estate.addresses.clone() {
            let ways = (client(estate.at_wallet, "summon"), client(address, "summon"));
            estate.summons.push(town::copy(base.url(), &game, ways, &estate.faults, SETTINGS).await);
        }
        estate.bases.push(Box::new(base));
        estate
    }

    /// Summons at a copy (counted round and round) until the key has its answer.
    pub async fn summon(&self, copy: usize, ask: &auric_summon::domain::Ask) -> Operation {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            let deadline = Some(Instant::now() + Duration::from_secs(5));
            let trace_id = "".parse().expect("a trace may be absent");
            match self.summons[copy % self.summons.len()].summon(ask.clone(), &trace_id, deadline).await {
                Ok(summoned) if summoned.operation.state.is_done() && !summoned.operation.is_given_up() => {
                    return summoned.operation;
                }
                Err(auric_summon::Failed::Unstored(unstored)) => panic!("{unstored:?}"),
                _ => {}
            }
            assert!(Instant::now() < give_up, "{} has no answer", ask.key.key);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn over(
        bases: Box<dyn Any + Send + Sync>,
        [wallet_url, collection_url]: [String; 2],
        ways: &[String],
        settings: Settings,
        views_rows_max: usize,
    ) -> Self {
        let game = tree::root().join("game");
        auric_wallet::migrate(&wallet_url).await.expect("migrated");
        auric_collection::migrate(&collection_url).await.expect("migrated");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let urls = [wallet_url.clone(), collection_url.clone()];
        let opened = Wallet::open(&WalletConfig::new(wallet_url, &game)).await.expect("a wallet");
        let (routes, names) = (opened.routes(), Wallet::service_names());
        let at_wallet = serve(&tasks, &stop, Services { routes, names, serving: None }, opened.close()).await;

        let faults = Arc::new(Faults::default());
        let loaded = auric_collection::catalog::load(&game).expect("a catalog");
        let rules = Rules { catalog: Arc::new(loaded.catalog) };
        let (mut started, mut addresses) = (Vec::new(), Vec::new());
        for way in ways {
            let database = Database::connect(way, PostgresSettings::default()).await.expect("a database");
            let clock = Arc::new(SystemClock);
            let way = auric_collection::wallet::connect(client(at_wallet, "collection")).await.expect("a way");
            let way: Arc<dyn Participant> = Arc::new(way);
            let coordination = Coordination {
                operations: Operations::new(database.clone(), Arc::clone(&clock) as Arc<dyn Clock>),
                participants: vec![Arc::new(FaultyParticipant::new(way, Arc::clone(&faults)))],
                settings,
            };
            let lanes = LanesConfig::default().settings("collection", database.has_one_writer());
            let store = auric_collection::store::on(database, clock);
            let store = Arc::new(FaultyStore::new(store, Arc::clone(&faults)));
            let handlers = Handlers::start(store, rules.clone(), lanes, Some(coordination));
            let handlers = Arc::new(handlers.keeping(views_rows_max));
            let (routes, names) = (Collection::of(Arc::clone(&handlers)).routes(), Collection::service_names());
            // It is closed with the other copies.
            addresses.push(serve(&tasks, &stop, Services { routes, names, serving: None }, async {}).await);
            started.push(handlers);
        }
        let wallet = auric_client::wallet(client(at_wallet, "test")).await.expect("a channel");
        let summons = Vec::new();
        Self { copies: started, faults, addresses, summons, urls, at_wallet, wallet, stop, tasks, bases: vec![bases] }
    }

    /// A copy, over gRPC and without a client that asks again.
    pub async fn client(&self, copy: usize) -> CollectionServiceClient<tonic::transport::Channel> {
        let url = format!("http://{}", self.addresses[copy % self.addresses.len()]);
        let channel = tonic::transport::Endpoint::from_shared(url).expect("a URL").connect().await;
        CollectionServiceClient::new(channel.expect("it listens"))
    }

    /// Gives a player units.
    pub async fn grant(&self, player: &str, asset: &str, amount: i64) {
        self.grant_under(player, asset, amount, &format!("grant:{player}:{asset}")).await;
    }

    /// The same, under another key.
    pub async fn grant_under(&self, player: &str, asset: &str, amount: i64, key: &str) {
        let leg = wallet::Leg {
            player_id: player.to_owned(),
            asset_id: asset.to_owned(),
            direction: wallet::Direction::Credit.into(),
            amount,
            ..wallet::Leg::default()
        };
        let request = wallet::PostRequest {
            idempotency_key: key.to_owned(),
            legs: vec![leg],
            reason: "test".to_owned(),
            ..wallet::PostRequest::default()
        };
        self.wallet.clone().post(request).await.expect("a grant");
    }

    /// Gives a player esprits, as a summon does.
    pub async fn endow(&self, name: &str, count: u32) -> Vec<EspritId> {
        let operation: OperationId = format!("{:032x}", hash(name)).parse().expect("an id");
        let (player, catalog) = (player(name), self.copies[0].rules().catalog.esprits_hash);
        let intent = Intent::Grant { esprits: count };
        let ids: Vec<EspritId> = (0..count).map(|slot| format!("{name}.{slot}").parse().expect("an id")).collect();
        let species = SPECIES.iter().cycle().map(|species| species.parse().expect("an id"));
        let esprits = ids.iter().cloned().zip(species).map(|(esprit, species)| Granted { esprit, species }).collect();
        let outcome = Outcome::Grant(Grant { esprits });
        for action in [
            Action::Prepare(Prepare { operation: operation.clone(), player: player.clone(), catalog, intent }),
            Action::Commit(Commit { operation: operation.clone(), player: player.clone(), outcome }),
        ] {
            // A batch that is broken for another player is asked for again.
            let verdict = loop {
                if let Ok(verdict) = self.copies[0].mutate(ask(action.clone()), None).await {
                    break verdict;
                }
                tokio::task::yield_now().await;
            };
            assert!(matches!(verdict, Verdict::Stands { .. }), "{verdict:?}");
        }
        ids
    }

    /// Asks a copy (counted round and round) until the key has its answer: a decided end, done everywhere.
    pub async fn operate(&self, copy: usize, request: &Request) -> (Operation, bool) {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            let deadline = Some(Instant::now() + Duration::from_secs(5));
            let trace_id = "".parse().expect("a trace may be absent");
            match self.copies[copy % self.copies.len()].operate(request.clone(), &trace_id, deadline).await {
                Ok(operated) if operated.operation.state.is_done() && !operated.operation.is_given_up() => {
                    return (operated.operation, operated.replayed);
                }
                Err(Failed::Rejected(rejection)) => panic!("{rejection:?}"),
                _ => {}
            }
            assert!(Instant::now() < give_up, "{} has no answer", request.key.key);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no operation is open in the log.
    pub async fn settled(&self) {
        let give_up = Instant::now() + Duration::from_mins(1);
        let logs = || std::iter::once(self.log()).chain(self.summons.iter().map(|copy| copy.operations()));
        for log in logs() {
            while log.count_open().await.expect("the log").0 > 0 {
                assert!(Instant::now() < give_up, "operations are stuck");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// What a player has of an asset: available, held, and to come.
    pub async fn balance(&self, player: &str, asset: &str) -> (i64, i64, i64) {
        let request =
            wallet::GetBalancesRequest { player_ids: vec![player.to_owned()], asset_ids: vec![asset.to_owned()] };
        let balances = self.wallet.clone().get_balances(request).await.expect("balances").into_inner();
        let balance = balances.balances.first().expect("a balance");
        (balance.available, balance.held, balance.room)
    }

    /// An esprit, dissolved or not.
    pub async fn esprit(&self, name: &str, id: &EspritId) -> Esprit {
        self.copies[0].esprit(&player(name), id).await.expect("a read").expect("an esprit")
    }

    /// Everything that was ever begun.
    pub async fn all(&self) -> Vec<Operation> {
        let mut all: Vec<Operation> = Vec::new();
        loop {
            let after = all.last().map(|last| (last.player.clone(), last.id.clone()));
            let page = self.log().list(&Listing::All(after), 500).await.expect("the log");
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Finds that each operation is paid as it was planned if and only if it was done, and that nothing is held for nobody.
    pub async fn check_ends(&self) -> usize {
        let all = self.all().await;
        for operation in &all {
            assert!(operation.state.is_done(), "{operation:?}");
            let request = wallet::GetHoldRequest { hold_id: format!("collection:{}", operation.id) };
            let hold = match self.wallet.clone().get_hold(request).await {
                Ok(found) => found.into_inner().hold.expect("a hold").state().as_str_name().to_owned(),
                Err(status) if status.code() == Code::NotFound => "ABSENT".to_owned(),
                Err(status) => panic!("{status}"),
            };
            let is_commit = operation.state == State::Committed;
            assert_eq!(hold.ends_with("_COMMITTED"), is_commit, "{operation:?}: {hold}");
            let is_left = !is_commit && hold.ends_with("_HELD");
            assert!(!is_left, "{operation:?} is not done, and its hold is left");
        }
        let request =
            wallet::ListHoldsRequest { caller: "collection".to_owned(), ..wallet::ListHoldsRequest::default() };
        let holds = self.wallet.clone().list_holds(request).await.expect("holds").into_inner().holds;
        assert!(holds.is_empty(), "{} holds are left, the first: {:#?}", holds.len(), holds[0]);
        all.len()
    }

    /// Stops everything.
    pub async fn stop(self) {
        for copy in &self.copies {
            copy.end_streams();
        }
        for copy in &self.summons {
            copy.close().await;
        }
        for copy in &self.copies {
            copy.close().await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn log(&self) -> &Operations {
        self.copies[0].operations().expect("it coordinates")
    }
}

/// The key of a player's one click.
pub fn click(player: &str) -> String {
    format!("click:{player}")
}

pub fn player(name: &str) -> PlayerId {
    name.parse().expect("an id")
}

/// A request of the collection's own.
pub fn ask(action: Action) -> Ask {
    let trace_id = "".parse().expect("a trace may be absent");
    Ask { caller: "summon".parse().expect("an id"), trace_id, action }
}

pub fn request(name: &str, key: &str, deed: Deed) -> Request {
    let key = MutationKey { caller: "bot".parse().expect("an id"), key: key.parse().expect("a key") };
    Request { key, player: player(name), deed }
}

pub fn upgrade(esprit: &EspritId) -> Deed {
    Deed::Upgrade { esprit: esprit.clone(), expected_version: None }
}

/// What an operation did, and by which plan; nothing when it was refused.
pub fn done(operation: &Operation) -> Option<(Plan, Effect)> {
    let Some(Decision::Commit(effect)) = &operation.decision else { return None };
    let plan = serde_json::from_str(&operation.plan).expect("a plan");
    Some((plan, serde_json::from_str(effect).expect("an effect")))
}

fn hash(name: &str) -> u128 {
    name.bytes().fold(7, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(u128::from(byte)))
}
