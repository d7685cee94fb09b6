//! A wallet, the gateways before it, and a provider that sends to them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_tests::tree;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::signer;
use crate::wallet::harness::{Process, auric, debit};

const SECRET: &str = "whsec_of_the_tests";

/// How long something may take that happens by itself.
const WAIT_MAX: Duration = Duration::from_mins(1);

const CREDIT: &str = "generation_credit";

enum Store {
    Sqlite(SqliteDatabase),
    Postgres { wallet: Box<PostgresDatabase>, gateway: Box<PostgresDatabase> },
}

/// One wallet and its gateways; gone when it is dropped.
pub struct Town {
    // Before the store: a process must be gone before its database is.
    wallet: Mutex<Option<Process>>,
    gateways: Vec<Mutex<Option<Gateway>>>,
    wallet_address: SocketAddr,
    store: Store,
}

struct Gateway {
    process: Process,
    webhooks: SocketAddr,
}

/// What a player has of the credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    pub subscription: i64,
    pub bulk: i64,
    pub owed: i64,
}

/// So many credits, and nothing owed.
pub const fn credits(subscription: i64, bulk: i64) -> Credits {
    Credits { subscription, bulk, owed: 0 }
}

impl Town {
    pub fn sqlite() -> Self {
        let file = SqliteDatabase::create().expect("a folder");
        let store = Store::Sqlite(file);
        let mut migrate = auric(["migrate"]);
        store.set(&mut migrate);
        let migrated = migrate.output().expect("auric starts");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        Self::on(store, 1)
    }

    pub async fn postgres(gateways: usize) -> Self {
        let wallet = PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database");
        let gateway = PostgresDatabase::create(auric_gateway::store::postgres_migrator()).await.expect("a database");
        Self::on(Store::Postgres { wallet: Box::new(wallet), gateway: Box::new(gateway) }, gateways)
    }

    fn on(store: Store, gateways: usize) -> Self {
        // The gateways know the wallet by an address that a restart must not change.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let wallet_address = free.local_addr().expect("an address");
        drop(free);
        let town = Self { wallet: Mutex::default(), gateways: Vec::new(), wallet_address, store };
        town.start_wallet();
        let started = (0..gateways).map(|_| Mutex::new(Some(town.gateway())));
        let started = started.collect();
        Self { gateways: started, ..town }
    }

    pub fn start_wallet(&self) {
        let listen = self.wallet_address.to_string();
        let mut command = auric(["serve", "wallet", "--log", "info", "--log-format", "json", "--listen", &listen]);
        self.store.set(command.arg("--game").arg(tree::root().join("game")));
        let before = self.wallet.lock().expect("no holder panicked").replace(Process::start(&mut command));
        assert!(before.is_none(), "it was up");
    }

    /// Ends the wallet without a warning.
    pub fn kill_wallet(&self) {
        let process = self.wallet.lock().expect("no holder panicked").take().expect("it is up");
        process.signal("KILL");
        process.end();
    }

    fn gateway(&self) -> Gateway {
        let any = "127.0.0.1:0";
        let wallet = format!("http://{}", self.wallet_address);
        let arguments = ["serve", "gateway", "--listen", any, "--admin-listen", any, "--wallet", &wallet];
        let mut command = auric(arguments);
        command.args(["--log", "info", "--log-format", "json"]);
        self.store.set(command.arg("--game").arg(tree::root().join("game")));
        let process = Process::start(&mut command);
        let listens = process.wait_for(|line| line["webhooks"].is_string());
        let webhooks = listens["webhooks"].as_str().and_then(|text| text.parse().ok()).expect("an address");
        Gateway { process, webhooks }
    }

    pub fn gateways(&self) -> usize {
        self.gateways.len()
    }

    /// Ends a gateway without a warning, in the middle of whatever it does.
    pub fn kill_gateway(&self, copy: usize) {
        let gateway = self.gateways[copy].lock().expect("no holder panicked").take().expect("it is up");
        gateway.process.signal("KILL");
        gateway.process.end();
    }

    pub fn start_gateway(&self, copy: usize) {
        let gateway = self.gateway();
        let before = self.gateways[copy].lock().expect("no holder panicked").replace(gateway);
        assert!(before.is_none(), "it was up");
    }

    /// Sends an event as the provider does: signed anew each time, and again until it is taken.
    pub async fn send(&self, body: &str) {
        let begun = Instant::now();
        for copy in (0..self.gateways()).cycle().skip(body.len()) {
            let webhooks = self.gateways[copy].lock().expect("no holder panicked").as_ref().map(|up| up.webhooks);
            match webhooks {
                Some(webhooks) if post(webhooks, body).await == Some(200) => return,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            assert!(begun.elapsed() < WAIT_MAX, "nobody takes {body}");
        }
    }

    pub fn wallet_client(&self) -> WalletServiceClient<tonic::transport::Channel> {
        let wallet = self.wallet.lock().expect("no holder panicked");
        WalletServiceClient::new(wallet.as_ref().expect("it is up").channel())
    }

    pub async fn credits(&self, player: &str) -> Credits {
        let (player_ids, asset_ids) = (vec![player.to_owned()], vec![CREDIT.to_owned()]);
        let read = self.wallet_client().get_balances(api::GetBalancesRequest { player_ids, asset_ids }).await;
        let balances = read.expect("balances are read").into_inner().balances;
        let [subscription, bulk] = balances.as_slice() else { panic!("{balances:?}") };
        Credits { subscription: subscription.available, bulk: bulk.available, owed: subscription.owed + bulk.owed }
    }

    /// Spends credits as a generation does, pool by pool.
    pub async fn spend(&self, player: &str, key: &str, amount: i64) {
        let (idempotency_key, legs) = (key.to_owned(), vec![debit(player, CREDIT, amount)]);
        let reason = "generation".to_owned();
        let request = api::PostRequest { idempotency_key, legs, reason, ..Default::default() };
        self.wallet_client().post(request).await.expect("there is enough");
    }

    /// Waits until nothing waits, not for its payment either, and gives all that an operator sees of what is parked.
    pub async fn settle(&self) -> Vec<Value> {
        self.settle_but_for("").await
    }

    /// The same, where an event waits for a payment that never comes.
    pub async fn settle_but_for(&self, orphan: &str) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let (received, parked) = self.inbox();
            let waits = |event: &&Value| event["reason"] == "OBJECT_UNKNOWN" && event["event_id"] != orphan;
            let orphans = parked.iter().filter(waits).count();
            if received == 0 && orphans == 0 {
                return parked;
            }
            assert!(begun.elapsed() < WAIT_MAX, "{received} events wait, and {orphans} for their payment");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What waits, and what is parked, in the words of `auric payments parked`.
    pub fn inbox(&self) -> (u64, Vec<Value>) {
        let up = self.gateways.iter().find_map(|gateway| {
            gateway.lock().expect("no holder panicked").as_ref().map(|gateway| gateway.process.address())
        });
        let url = format!("http://{}", up.expect("a gateway is up"));
        let asked = auric(["payments", "parked", "--json", "--gateway", &url]).output().expect("auric starts");
        let answer: Value = serde_json::from_slice(&asked.stdout).expect("a document");
        let received = answer["received"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        (received, answer["events"].as_array().cloned().unwrap_or_default())
    }

    /// The audit is whole: no law ends without it.
    pub fn verify(&self) {
        let url = format!("http://{}", self.wallet_address);
        let verified = auric(["audit", "verify", "--wallet", &url]).output().expect("auric starts");
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));
    }
}

impl Store {
    /// Tells a command where everything is, past its arguments: URLs may have passwords.
    fn set(&self, command: &mut std::process::Command) {
        let (wallet, gateway) = match self {
            Self::Sqlite(file) => {
                let at = |name: &str| format!("sqlite://{}", file.folder().join(name).display());
                (at("wallet.db"), at("gateway.db"))
            }
            Self::Postgres { wallet, gateway } => (wallet.url().to_owned(), gateway.url().to_owned()),
        };
        command.env("AURIC_WALLET_DATABASE", wallet).env("AURIC_GATEWAY_DATABASE", gateway);
        command.env("AURIC_GATEWAY_STRIPE_SECRETS", SECRET);
    }
}

/// Posts an event once; nothing when nobody answers.
#[expect(clippy::disallowed_methods, reason = "a provider has a clock of its own")]
async fn post(webhooks: SocketAddr, body: &str) -> Option<u16> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let signature = signer::stripe(SECRET, i64::try_from(seconds).ok()?, body.as_bytes());
    let length = body.len();
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\nstripe-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(webhooks).await.ok()?;
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// Events of Stripe, filled in.
pub mod events {
    const SESSION: &str =
        include_str!("../../../services/gateway/tests/gateway/stripe/checkout_session_completed.json");
    const SESSION_OF_SUBSCRIPTION: &str =
        include_str!("../../../services/gateway/tests/gateway/stripe/checkout_session_completed_subscription.json");
    const INVOICE: &str = include_str!("../../../services/gateway/tests/gateway/stripe/invoice_paid.json");
    const SUBSCRIPTION: &str =
        include_str!("../../../services/gateway/tests/gateway/stripe/customer_subscription.json");
    const REFUNDED: &str = include_str!("../../../services/gateway/tests/gateway/stripe/charge_refunded.json");
    const DISPUTED: &str = include_str!("../../../services/gateway/tests/gateway/stripe/charge_dispute_created.json");
    const DISPUTE_CLOSED: &str =
        include_str!("../../../services/gateway/tests/gateway/stripe/charge_dispute_closed.json");

    /// When January 2026 begins, and how long a month is here.
    const JANUARY: i64 = 1_767_225_600;
    const MONTH: i64 = 2_629_800;

    fn fill(fixture: &str, kind: &str, object: &str, player: &str, price: &str) -> String {
        let filled = fixture.replace("EVENT", &format!("{object}_{kind}")).replace("OBJECT", object);
        filled.replace("PLAYER", player).replace("PRICE", price)
    }

    /// A one-time purchase was paid.
    pub fn bought(player: &str, object: &str, price: &str) -> String {
        fill(SESSION, "bought", object, player, price)
    }

    /// A subscription was begun in the shop; its invoice tells of the payment.
    pub fn subscribed(player: &str, object: &str) -> String {
        fill(SESSION_OF_SUBSCRIPTION, "subscribed", object, player, "")
    }

    /// A month of the subscription was paid.
    pub fn renewed(player: &str, object: &str, month: i64) -> String {
        let start = JANUARY + month * MONTH;
        let dated =
            fill(INVOICE, "renewed", object, player, "subscription").replace(&JANUARY.to_string(), &start.to_string());
        dated.replace("1769904000", &(start + MONTH).to_string())
    }

    /// Something about the subscription changed, or it ended.
    pub fn changed(player: &str, object: &str, how: &str) -> String {
        fill(SUBSCRIPTION, how, object, player, "subscription")
            .replace("subscription.updated", &format!("subscription.{how}"))
    }

    /// So much of 1,000 was paid back in all.
    pub fn refunded(object: &str, amount: i64) -> String {
        let text = fill(REFUNDED, &format!("refunded_{amount}"), object, "", "");
        text.replace(r#""amount_refunded": 250"#, &format!(r#""amount_refunded": {amount}"#))
    }

    /// A dispute was opened.
    pub fn disputed(object: &str) -> String {
        fill(DISPUTED, "disputed", object, "", "")
    }

    /// It was decided: `won` or `lost`.
    pub fn decided(object: &str, how: &str) -> String {
        fill(DISPUTE_CLOSED, how, object, "", "").replace("\"won\"", &format!("\"{how}\""))
    }
}
