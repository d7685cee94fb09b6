//! The world of a storm: a wallet, a collection and two copies of summon, each a process of the built program, with postmen between them.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use auric_api::collection::v1 as collection;
use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_api::participant::v1 as participant;
use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_api::summon::v1 as summon;
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_api::wallet::v1 as wallet;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_status::Problem;
use auric_testkit::databases::PostgresDatabase;
use auric_tests::tree;
use auric_twophase::Step;
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use super::blows::{Blow, When};
use super::postman::{self, Blows, Order, Process as Who, Upstream, Whom};
use crate::wallet::harness::{Line, Process, auric};

/// How long nobody shows a sign of life until others take its operations up.
const LEASE_MS: &str = "300";

/// How long a click may take until it has an answer, whatever happens meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// What a click was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub operation: String,
    /// The esprits, by id, and their species.
    pub esprits: BTreeMap<String, String>,
}

/// Three services and two databases... of three.
pub struct World {
    blows: Arc<Blows>,
    house: Arc<House>,
    carrying: tokio::task::JoinHandle<()>,
}

/// The processes, and how each is started again.
struct House {
    running: Mutex<HashMap<Who, Process>>,
    commands: Mutex<HashMap<Who, Vec<String>>>,
    ways: HashMap<Who, Arc<Upstream>>,
    addresses: RwLock<HashMap<Who, SocketAddr>>,
    _databases: [PostgresDatabase; 3],
}

impl World {
    /// Copies of summon.
    pub const COPIES: usize = 2;

    pub async fn start() -> Self {
        let databases = [
            PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
            PostgresDatabase::empty().await.expect("a database"),
        ];
        auric_collection::migrate(databases[1].url()).await.expect("migrated");
        auric_summon::migrate(databases[2].url()).await.expect("migrated");

        let all = [Who::Wallet, Who::Collection, Who::Summon(0), Who::Summon(1)];
        let addresses: HashMap<Who, SocketAddr> = all.into_iter().map(|who| (who, free_address())).collect();
        let ways: HashMap<Who, Arc<Upstream>> =
            addresses.iter().map(|(who, address)| (*who, Arc::new(Upstream::new(*address)))).collect();
        let (orders, taken) = mpsc::channel(8);
        let blows = Arc::new(Blows::new(orders));
        let mut commands = HashMap::new();
        commands.insert(Who::Wallet, serve("wallet", addresses[&Who::Wallet], databases[0].url()));
        commands.insert(Who::Collection, serve("collection", addresses[&Who::Collection], databases[1].url()));
        for copy in 0..Self::COPIES {
            let mut words = serve("summon", addresses[&Who::Summon(copy)], databases[2].url());
            for (flag, who) in [("--wallet", Who::Wallet), ("--collection", Who::Collection)] {
                let postman = postman::start(copy, who, Arc::clone(&ways[&who]), Arc::clone(&blows)).await;
                words.extend([flag.to_owned(), format!("http://{postman}")]);
            }
            commands.insert(Who::Summon(copy), words);
        }
        let house = Arc::new(House {
            running: Mutex::default(),
            commands: Mutex::new(commands),
            ways,
            addresses: RwLock::new(addresses),
            _databases: databases,
        });
        for who in all {
            let house = Arc::clone(&house);
            tokio::task::spawn_blocking(move || house.start(who)).await.expect("it starts");
        }
        #[expect(clippy::disallowed_methods, reason = "the world owns it")]
        let carrying = tokio::spawn(carry_out(Arc::clone(&house), taken));
        Self { blows, house, carrying }
    }

    /// Lets these things happen in the next storm.
    pub fn arm(&self, blows: &[Blow]) {
        self.blows.arm(blows);
    }

    /// How many of them happened.
    pub fn struck(&self) -> usize {
        self.blows.struck()
    }

    pub async fn grant(&self, player: &str, asset: &str, amount: i64) {
        let leg = wallet::Leg {
            player_id: player.to_owned(),
            asset_id: asset.to_owned(),
            direction: wallet::Direction::Credit.into(),
            amount,
            ..wallet::Leg::default()
        };
        let post = wallet::PostRequest {
            idempotency_key: format!("grant:{player}"),
            legs: vec![leg],
            reason: "test".to_owned(),
            ..wallet::PostRequest::default()
        };
        self.wallet().post(post).await.expect("a grant");
    }

    /// Clicks until there is an answer: at one copy and then at the other, as a caller does that hears nothing.
    pub async fn summon(&self, first: usize, player: &str, key: &str) -> Answer {
        let begun = Instant::now();
        for turn in first.. {
            let copy = Who::Summon(turn % Self::COPIES);
            let is_now = |step, when| move |blow: &Blow| (blow.participant, blow.step, blow.when) == (None, step, when);
            let killing = self.blows.take(is_now(Step::Begin, When::Before));
            let asking = self.ask(copy, player, key);
            let asked = if killing.is_some() {
                let (asked, ()) = tokio::join!(asking, self.blows.order(Whom::Kill(copy)));
                asked
            } else {
                asking.await
            };
            match asked {
                Ok(found) if found.state() == summon::SummonState::Delivered => {
                    if self.blows.take(is_now(Step::Done, When::After)).is_some() {
                        self.blows.order(Whom::Kill(copy)).await;
                    }
                    let esprits = found.pulls.into_iter().map(|pull| (pull.esprit_id, pull.species_id)).collect();
                    return Answer { operation: found.operation_id, esprits };
                }
                Err(status) if !is_passing(status.code()) => {
                    panic!("{player} was refused: {:?}", Problem::from_status(&status));
                }
                _ => {}
            }
            assert!(begun.elapsed() < ANSWER_WITHIN, "{player} has no answer under {key}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        unreachable!("turns do not end")
    }

    async fn ask(&self, copy: Who, player: &str, key: &str) -> Result<summon::Summon, tonic::Status> {
        let mut request = Request::new(summon::SummonRequest {
            idempotency_key: key.to_owned(),
            player_id: player.to_owned(),
            banner_id: "standard".to_owned(),
            ..summon::SummonRequest::default()
        });
        request.set_timeout(Duration::from_secs(3));
        let answer = SummonServiceClient::new(self.house.channel(copy)).summon(request).await?;
        Ok(answer.into_inner().summon.expect("a summon"))
    }

    /// Waits until every process is up and no operation is open.
    pub async fn calm(&self) {
        let begun = Instant::now();
        let mut open = Vec::new();
        while begun.elapsed() < ANSWER_WITHIN {
            let request = summon::ListOperationsRequest::default();
            let listed = SummonServiceClient::new(self.house.channel(Who::Summon(0))).list_operations(request).await;
            if let Ok(listed) = listed {
                open = listed.into_inner().operations;
                if open.is_empty() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} operations are stuck: {:#?}", open.len(), open.first());
    }

    /// Available and held units.
    pub async fn balance(&self, player: &str, asset: &str) -> (i64, i64) {
        let request =
            wallet::GetBalancesRequest { player_ids: vec![player.to_owned()], asset_ids: vec![asset.to_owned()] };
        let balances = self.wallet().get_balances(request).await.expect("balances").into_inner().balances;
        let balance = balances.first().expect("a balance");
        (balance.available, balance.held)
    }

    pub async fn esprits(&self, player: &str) -> BTreeMap<String, String> {
        let request = collection::ListEspritsRequest {
            player_id: player.to_owned(),
            ..collection::ListEspritsRequest::default()
        };
        let mut client = CollectionServiceClient::new(self.house.channel(Who::Collection));
        let esprits = client.list_esprits(request).await.expect("esprits").into_inner().esprits;
        esprits.into_iter().map(|esprit| (esprit.esprit_id, esprit.species_id)).collect()
    }

    /// Finds that every operation's ends agree in all three databases; returns how many there are.
    pub async fn check_ends(&self) -> usize {
        let mut operations = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = summon::ListOperationsRequest { all: true, page_size: 500, page_token };
            let mut client = SummonServiceClient::new(self.house.channel(Who::Summon(0)));
            let page = client.list_operations(request).await.expect("operations").into_inner();
            operations.extend(page.operations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        for operation in &operations {
            self.check_operation(operation).await;
        }
        let request = wallet::ListHoldsRequest { caller: "summon".to_owned(), ..wallet::ListHoldsRequest::default() };
        let held = self.wallet().list_holds(request).await.expect("holds").into_inner().holds;
        assert!(held.is_empty(), "{} holds are left: {:#?}", held.len(), held[0]);
        operations.len()
    }

    async fn check_operation(&self, operation: &summon::Operation) {
        let id = &operation.operation_id;
        let request = wallet::GetHoldRequest { hold_id: format!("summon:{id}") };
        let hold = match self.wallet().get_hold(request).await {
            Ok(found) => Some(found.into_inner().hold.expect("a hold").state()),
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status}"),
        };
        let request = participant::GetParticipationRequest { operation_id: id.clone() };
        let mut client = ParticipantServiceClient::new(self.house.channel(Who::Collection));
        let part = match client.get_participation(request).await {
            Ok(found) => Some(found.into_inner().participation.expect("a participation").state()),
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status}"),
        };
        let agree = match operation.state.as_str() {
            "committed" => {
                (hold, part) == (Some(wallet::HoldState::Committed), Some(participant::ParticipationState::Committed))
            }
            "aborted" => {
                let is_back = matches!(hold, None | Some(wallet::HoldState::Released | wallet::HoldState::Voided));
                let is_given_up = matches!(
                    part,
                    None | Some(participant::ParticipationState::Cancelled | participant::ParticipationState::Voided)
                );
                is_back && is_given_up
            }
            _ => false,
        };
        assert!(agree, "the ends differ: hold {hold:?}, participation {part:?}, {operation:#?}");
    }

    fn wallet(&self) -> WalletServiceClient<Channel> {
        WalletServiceClient::new(self.house.channel(Who::Wallet))
    }

    /// A copy of summon, without a client that asks again.
    pub fn summon_client(&self, copy: usize) -> SummonServiceClient<Channel> {
        SummonServiceClient::new(self.house.channel(Who::Summon(copy)))
    }

    /// Stops every process as an operator would, those that call others first; gives all that they said.
    pub async fn stop(self) -> Vec<Line> {
        self.carrying.abort();
        let house = Arc::clone(&self.house);
        let stopping = tokio::task::spawn_blocking(move || {
            let order = [Who::Summon(0), Who::Summon(1), Who::Collection, Who::Wallet];
            let end = |who| house.running.lock().expect("no holder panicked").remove(&who);
            let ended = order.into_iter().filter_map(end).flat_map(|process| {
                process.signal("TERM");
                process.end()
            });
            ended.collect()
        });
        stopping.await.expect("they stop")
    }
}

impl House {
    fn start(&self, who: Who) {
        let words = self.commands.lock().expect("no holder panicked")[&who].clone();
        let mut command = auric(words);
        let process = Process::start(command.env("AURIC_SUMMON_LEASE_MS", LEASE_MS));
        let address = process.address();
        self.addresses.write().expect("no holder panicked").insert(who, address);
        self.ways[&who].move_to(address);
        let before = self.running.lock().expect("no holder panicked").insert(who, process);
        assert!(before.is_none(), "{who:?} was up");
    }

    fn signal(&self, who: Who, name: &str) {
        if let Some(process) = self.running.lock().expect("no holder panicked").get(&who) {
            process.signal(name);
        }
    }

    fn channel(&self, who: Who) -> Channel {
        let address = self.addresses.read().expect("no holder panicked")[&who];
        Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect_lazy()
    }
}

/// Carries out what postmen order; what is killed is started again at once.
async fn carry_out(house: Arc<House>, mut orders: mpsc::Receiver<Order>) {
    while let Some(Order { whom, done }) = orders.recv().await {
        let at = Arc::clone(&house);
        let carried = tokio::task::spawn_blocking(move || match whom {
            Whom::Stop(who) => at.signal(who, "STOP"),
            Whom::Continue(who) => at.signal(who, "CONT"),
            Whom::Kill(who) => {
                let killed = at.running.lock().expect("no holder panicked").remove(&who);
                // Two blows may fall on one process.
                if let Some(process) = killed {
                    process.signal("KILL");
                    process.end();
                }
            }
        });
        carried.await.expect("it is carried out");
        let _ = done.send(());
        if let Whom::Kill(who) = whom {
            let at = Arc::clone(&house);
            tokio::task::spawn_blocking(move || at.start(who)).await.expect("it starts again");
        }
    }
}

fn serve(service: &str, address: SocketAddr, database: &str) -> Vec<String> {
    let game = tree::root().join("game").display().to_string();
    let address = address.to_string();
    let words = ["serve", service, "--listen", &address, "--database", database, "--game", &game];
    words.into_iter().chain(["--log", "info", "--log-format", "json"]).map(str::to_owned).collect()
}

/// An address that is free now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// Whether a caller asks again.
fn is_passing(code: Code) -> bool {
    !matches!(code, Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition)
}
