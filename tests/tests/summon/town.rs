//! A town in one process: the wallet and the collection over gRPC on loopback, and copies of summon over one database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_api::wallet::v1 as wallet;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_api::{collection::v1 as collection, participant::v1 as participant};
use auric_client::{Channel, ClientConfig};
use auric_collection::{Collection, CollectionConfig};
use auric_db::{Database, PostgresSettings};
use auric_ids::{PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_lanes::LanesConfig;
use auric_server::Services;
use auric_summon::domain::{Ask, Wanted};
use auric_summon::{Failed, Handlers, Start, Summoned};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_tests::tree;
use auric_time::SystemClock;
use auric_twophase::store::Operations;
use auric_twophase::{Participant, Settings, State};
use auric_wallet::{Wallet, WalletConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::faults::{Faults, FaultyParticipant, FaultyStore};
use crate::operations::services::{SETTINGS, client, serve};

/// Where each service keeps its own.
enum Bases {
    Sqlite([SqliteDatabase; 3]),
    Postgres(Box<[PostgresDatabase; 3]>),
}

/// The services, and what breaks in them.
pub struct Town {
    pub copies: Vec<Arc<Handlers>>,
    pub faults: Arc<Faults>,
    pub wallet: WalletServiceClient<Channel>,
    pub collection: collection::collection_service_client::CollectionServiceClient<Channel>,
    pub participant: ParticipantServiceClient<Channel>,
    at_wallet: SocketAddr,
    at_collection: SocketAddr,
    at_summon: SocketAddr,
    game: PathBuf,
    stop: CancellationToken,
    tasks: TaskTracker,
    bases: Bases,
}

impl Town {
    /// One copy of summon, each service on a SQLite file.
    pub async fn sqlite() -> Self {
        Self::sqlite_in(&tree::root().join("game")).await
    }

    /// The same, with a catalog of its own.
    pub async fn sqlite_in(game: &Path) -> Self {
        let file = || SqliteDatabase::create().expect("a folder");
        Self::over(Bases::Sqlite([file(), file(), file()]), 1, game, SETTINGS).await
    }

    /// One copy of summon, each service on a SQLite file, and nothing is found soon.
    pub async fn patient_sqlite() -> Self {
        Self::patient_sqlite_in(&tree::root().join("game")).await
    }

    /// The same, with a catalog of its own.
    pub async fn patient_sqlite_in(game: &Path) -> Self {
        let file = || SqliteDatabase::create().expect("a folder");
        let settings = Settings { lease: Duration::from_secs(10), ..SETTINGS };
        Self::over(Bases::Sqlite([file(), file(), file()]), 1, game, settings).await
    }

    /// Several copies of summon over one PostgreSQL database; the wallet and the collection have one of their own each.
    pub async fn postgres(copies: usize) -> Self {
        Self::postgres_in(copies, &tree::root().join("game")).await
    }

    /// The same, with a catalog of its own.
    pub async fn postgres_in(copies: usize, game: &Path) -> Self {
        let bases = [
            PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
        ];
        Self::over(Bases::Postgres(Box::new(bases)), copies, game, SETTINGS).await
    }

    /// The same, and nothing is found soon.
    pub async fn patient(copies: usize) -> Self {
        let bases = [
            PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
        ];
        let settings = Settings { lease: Duration::from_secs(10), ..SETTINGS };
        Self::over(Bases::Postgres(Box::new(bases)), copies, &tree::root().join("game"), settings).await
    }

    async fn over(bases: Bases, copies: usize, game: &Path, settings: Settings) -> Self {
        let [wallet_url, collection_url, summon_url] = bases.urls();
        auric_wallet::migrate(&wallet_url).await.expect("migrated");
        auric_collection::migrate(&collection_url).await.expect("migrated");
        auric_summon::migrate(&summon_url).await.expect("migrated");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());

        let opened = Wallet::open(&WalletConfig::new(wallet_url, game)).await.expect("a wallet");
        let (routes, names) = (opened.routes(), Wallet::service_names());
        let at_wallet = serve(&tasks, &stop, Services { routes, names, serving: None }, opened.close()).await;
        let opened = Collection::open(&CollectionConfig::new(collection_url, game)).await.expect("a collection");
        let (routes, names) = (opened.routes(), Collection::service_names());
        let at_collection = serve(&tasks, &stop, Services { routes, names, serving: None }, opened.close()).await;

        let faults = Arc::new(Faults::default());
        let mut started = Vec::new();
        for _ in 0..copies {
            let ways = (client(at_wallet, "summon"), client(at_collection, "summon"));
            started.push(copy(&summon_url, game, ways, &faults, settings).await);
        }
        let first = auric_summon::Summon::of(Arc::clone(&started[0]));
        let (routes, names) = (first.routes(), auric_summon::Summon::service_names());
        // It is closed with the other copies.
        let at_summon = serve(&tasks, &stop, Services { routes, names, serving: None }, async {}).await;
        let to_collection = auric_client::connect(client(at_collection, "test")).await.expect("a channel");
        Self {
            copies: started,
            faults,
            wallet: auric_client::wallet(client(at_wallet, "test")).await.expect("a channel"),
            collection: collection::collection_service_client::CollectionServiceClient::new(to_collection.clone()),
            participant: ParticipantServiceClient::new(to_collection),
            at_wallet,
            at_collection,
            at_summon,
            game: game.to_owned(),
            stop,
            tasks,
            bases,
        }
    }

    /// Gives a player units.
    pub async fn grant(&self, player: &str, asset: &str, amount: i64) {
        self.grant_under(player, asset, amount, &format!("grant:{player}:{asset}")).await;
    }

    /// Gives a player units once more, under another key.
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

    /// The first copy of summon, over gRPC and without a client that asks again.
    pub async fn summon_client(&self) -> SummonServiceClient<tonic::transport::Channel> {
        let url = format!("http://{}", self.at_summon);
        let channel = tonic::transport::Endpoint::from_shared(url).expect("a URL").connect().await;
        SummonServiceClient::new(channel.expect("it listens"))
    }

    /// Where the wallet, the collection and the first copy of summon answer.
    pub fn addresses(&self) -> [SocketAddr; 3] {
        [self.at_wallet, self.at_collection, self.at_summon]
    }

    /// The wallet, for another caller.
    pub async fn wallet_as(&self, caller: &str) -> WalletServiceClient<Channel> {
        auric_client::wallet(client(self.at_wallet, caller)).await.expect("a channel")
    }

    /// Asks a copy (counted round and round) until the key has its answer: a decided end, done everywhere.
    pub async fn ask(&self, copy: usize, ask: &Ask) -> Summoned {
        let trace_id: TraceId = "".parse().expect("a trace may be absent");
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            let deadline = Some(Instant::now() + Duration::from_secs(5));
            match self.copies[copy % self.copies.len()].summon(ask.clone(), &trace_id, deadline).await {
                Ok(summoned) if summoned.operation.state.is_done() && !summoned.operation.is_given_up() => {
                    return summoned;
                }
                Err(Failed::Unstored(unstored)) => panic!("{unstored:?}"),
                _ => {}
            }
            assert!(Instant::now() < give_up, "{} under {} has no answer", ask.player, ask.key.key);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no operation is open in the log.
    pub async fn settled(&self) {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            let (open, _) = self.copies[0].operations().count_open().await.expect("the log");
            if open == 0 {
                return;
            }
            if Instant::now() >= give_up {
                let listing = auric_twophase::store::Listing::Open(None);
                let stuck = self.copies[0].list_operations(&listing, 3).await.expect("the log");
                panic!("{open} operations are stuck: {:#?}", stuck.items);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The catalog's folder.
    pub fn game(&self) -> &Path {
        &self.game
    }

    /// Where the wallet, the collection and summon keep their own.
    pub fn urls(&self) -> [String; 3] {
        self.bases.urls()
    }

    /// Stops everything.
    pub async fn stop(self) {
        for copy in &self.copies {
            copy.end_streams();
        }
        for copy in &self.copies {
            copy.close().await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Bases {
    fn urls(&self) -> [String; 3] {
        match self {
            Self::Sqlite(files) => files.each_ref().map(|file| format!("sqlite://{}", file.path().display())),
            Self::Postgres(databases) => databases.each_ref().map(|database| database.url().to_owned()),
        }
    }
}

/// Starts a copy of summon over a migrated database.
pub async fn copy(
    url: &str,
    game: &Path,
    (wallet, collection): (ClientConfig, ClientConfig),
    faults: &Arc<Faults>,
    settings: Settings,
) -> Arc<Handlers> {
    let database = Database::connect(url, PostgresSettings::default()).await.expect("a database");
    let clock = Arc::new(SystemClock);
    let operations = Operations::new(database.clone(), Arc::clone(&clock) as Arc<dyn auric_time::Clock>);
    let lanes = LanesConfig::default().settings("summon", database.has_one_writer());
    let store = auric_summon::store::on(database, clock);
    let loaded = auric_summon::catalog::load(game).expect("a catalog");
    store.keep_catalog(loaded.banners.hash, &loaded.content).await.expect("it is kept");
    let wallet = auric_summon::wallet::connect(wallet).await.expect("a way to the wallet");
    let collection = auric_summon::collection::connect(collection).await.expect("a way to the collection");
    let faulty = |inner: Arc<dyn Participant>| -> Arc<dyn Participant> {
        Arc::new(FaultyParticipant::new(inner, Arc::clone(faults)))
    };
    Arc::new(Handlers::start(Start {
        store: Arc::new(FaultyStore::new(store, Arc::clone(faults))),
        operations,
        banners: loaded.banners,
        participants: vec![faulty(Arc::new(wallet)), faulty(Arc::new(collection))],
        lanes,
        settings,
    }))
}

/// A summon of a player under a key.
pub fn ask(player: &str, key: &str, banner: &str, cost: Option<&str>, count: u32) -> Ask {
    let id = |text: &str| -> PlayerId { text.parse().expect("an id") };
    Ask {
        key: MutationKey { caller: "bot".parse().expect("an id"), key: key.parse().expect("a key") },
        player: id(player),
        banner: banner.parse().expect("an id"),
        wanted: Wanted::Pulls { cost: cost.map(|cost| cost.parse().expect("an id")), count },
    }
}

/// An exchange of a player's spark points under a key.
pub fn exchange(player: &str, key: &str, banner: &str, species: &str) -> Ask {
    Ask { wanted: Wanted::Spark(species.parse().expect("an id")), ..ask(player, key, banner, None, 1) }
}

/// The catalog in a folder of its own, to be changed.
pub fn game_copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(tree::root().join("game")).expect("a catalog") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    folder
}

/// A catalog in which an item costs so few points that a test can pull for them.
pub fn cheap_sparks() -> tempfile::TempDir {
    let folder = game_copy();
    let path = folder.path().join("banners.toml");
    let banners = std::fs::read_to_string(&path).expect("banners");
    let cheap = banners.replace("price_points = 300", &format!("price_points = {SPARK_PRICE}"));
    assert_ne!(banners, cheap);
    std::fs::write(path, cheap).expect("written");
    folder
}

/// What an item costs in [`cheap_sparks`].
pub const SPARK_PRICE: i64 = 3;

/// Whether an operation was delivered.
pub fn is_delivered(summoned: &Summoned) -> bool {
    summoned.operation.state == State::Committed
}

/// A participation's state, for a person.
pub fn word(state: i32) -> &'static str {
    participant::ParticipationState::try_from(state).map_or("?", |state| state.as_str_name())
}
