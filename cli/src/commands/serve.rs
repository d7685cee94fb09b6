//! `auric serve`: one service in one process, as a deployment runs it.

use auric_collection::Collection;
use auric_scheduler::Scheduler;
use auric_summon::Summon;
use auric_wallet::Wallet;
use clap::Subcommand;

use super::services::gateway::GatewayPort;
use super::services::{Port, Running, Service};
use super::{Logs, Places};
use crate::config::{Flags, Peers, Settings, Surroundings};
use crate::fault::Fault;
use crate::game;

/// Runs one service, on a database that `auric migrate` has prepared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric serve wallet
  auric serve wallet --database postgres://auric@db/wallet --game /etc/auric/game --log-format json
  auric serve collection
  auric serve summon --wallet http://127.0.0.1:7401 --collection http://127.0.0.1:7403
  auric serve scheduler --wallet http://127.0.0.1:7401
  auric serve gateway --wallet http://127.0.0.1:7401")]
pub struct Serve {
    #[command(subcommand)]
    service: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Runs the wallet: it owns every balance and the audit.
    Wallet(ServeWallet),
    /// Runs the collection: it owns what players have collected.
    Collection(ServeCollection),
    /// Runs the summon service: it draws from banners, and has the wallet and the collection do what was drawn.
    Summon(ServeSummon),
    /// Runs the scheduler: it sees to it that what is to be done at a time is done, once.
    Scheduler(ServeScheduler),
    /// Runs the gateway: it takes what payment providers tell, and tells the wallet.
    Gateway(ServeGateway),
}

#[derive(Debug, clap::Args)]
struct ServeWallet {
    /// Address and port to listen on; beyond loopback with callers and TLS only [default: 127.0.0.1:7401; variable: `AURIC_WALLET_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// `sqlite://PATH` or `postgres://…` [default: wallet.db in the data folder; variable: `AURIC_WALLET_DATABASE`, which hides a password].
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    logs: Logs,
}

#[derive(Debug, clap::Args)]
struct ServeCollection {
    /// Address and port to listen on; beyond loopback with callers and TLS only [default: 127.0.0.1:7403; variable: `AURIC_COLLECTION_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// `sqlite://PATH` or `postgres://…` [default: collection.db in the data folder; variable: `AURIC_COLLECTION_DATABASE`, which hides a password].
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// The wallet's URL [default: `http://127.0.0.1:7401`; variable: `AURIC_COLLECTION_WALLET`].
    #[arg(long, value_name = "URL")]
    wallet: Option<String>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    logs: Logs,
}

#[derive(Debug, clap::Args)]
struct ServeSummon {
    /// Address and port to listen on; beyond loopback with callers and TLS only [default: 127.0.0.1:7402; variable: `AURIC_SUMMON_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// `sqlite://PATH` or `postgres://…` [default: summon.db in the data folder; variable: `AURIC_SUMMON_DATABASE`, which hides a password].
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// The wallet's URL [default: `http://127.0.0.1:7401`; variable: `AURIC_SUMMON_WALLET`].
    #[arg(long, value_name = "URL")]
    wallet: Option<String>,

    /// The collection's URL [default: `http://127.0.0.1:7403`; variable: `AURIC_SUMMON_COLLECTION`].
    #[arg(long, value_name = "URL")]
    collection: Option<String>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    logs: Logs,
}

#[derive(Debug, clap::Args)]
struct ServeScheduler {
    /// Address and port to listen on; beyond loopback with callers and TLS only [default: 127.0.0.1:7404; variable: `AURIC_SCHEDULER_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// `sqlite://PATH` or `postgres://…` [default: scheduler.db in the data folder; variable: `AURIC_SCHEDULER_DATABASE`, which hides a password].
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// The wallet's URL [default: `http://127.0.0.1:7401`; variable: `AURIC_SCHEDULER_WALLET`].
    #[arg(long, value_name = "URL")]
    wallet: Option<String>,

    /// The collection's URL [default: `http://127.0.0.1:7403`; variable: `AURIC_SCHEDULER_COLLECTION`].
    #[arg(long, value_name = "URL")]
    collection: Option<String>,

    /// The summon service's URL [default: `http://127.0.0.1:7402`; variable: `AURIC_SCHEDULER_SUMMON`].
    #[arg(long, value_name = "URL")]
    summon: Option<String>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    logs: Logs,
}

#[derive(Debug, clap::Args)]
struct ServeGateway {
    /// Address and port that providers send events to; beyond loopback with TLS, or behind a proxy [default: 127.0.0.1:7480; variable: `AURIC_GATEWAY_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Address and port that operators ask; beyond loopback with callers and TLS only [default: 127.0.0.1:7481; variable: `AURIC_GATEWAY_ADMIN_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,

    /// `sqlite://PATH` or `postgres://…` [default: gateway.db in the data folder; variable: `AURIC_GATEWAY_DATABASE`, which hides a password].
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// The wallet's URL [default: `http://127.0.0.1:7401`; variable: `AURIC_GATEWAY_WALLET`].
    #[arg(long, value_name = "URL")]
    wallet: Option<String>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    logs: Logs,
}

impl Serve {
    pub fn flags(&self) -> Flags {
        let (places, logs, own) = match &self.service {
            What::Wallet(ServeWallet { listen, database, places, logs }) => {
                (places, logs, vec![("wallet.listen", listen), ("wallet.database", database)])
            }
            What::Collection(ServeCollection { listen, database, wallet, places, logs }) => {
                let own = vec![
                    ("collection.listen", listen),
                    ("collection.database", database),
                    ("collection.wallet", wallet),
                ];
                (places, logs, own)
            }
            What::Summon(ServeSummon { listen, database, wallet, collection, places, logs }) => {
                let own = vec![
                    ("summon.listen", listen),
                    ("summon.database", database),
                    ("summon.wallet", wallet),
                    ("summon.collection", collection),
                ];
                (places, logs, own)
            }
            What::Scheduler(ServeScheduler { listen, database, wallet, collection, summon, places, logs }) => {
                let own = vec![
                    ("scheduler.listen", listen),
                    ("scheduler.database", database),
                    ("scheduler.wallet", wallet),
                    ("scheduler.collection", collection),
                    ("scheduler.summon", summon),
                ];
                (places, logs, own)
            }
            What::Gateway(ServeGateway { listen, admin_listen, database, wallet, places, logs }) => {
                let own = vec![
                    ("gateway.listen", listen),
                    ("gateway.admin_listen", admin_listen),
                    ("gateway.database", database),
                    ("gateway.wallet", wallet),
                ];
                (places, logs, own)
            }
        };
        let own = own.into_iter().map(|(key, said)| (key, said.clone())).collect();
        [places.flags(), logs.flags(), own].concat()
    }

    pub async fn run(self, settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
        match self.service {
            What::Wallet(_) => serve::<Wallet>(settings, surroundings).await,
            What::Collection(_) => serve::<Collection>(settings, surroundings).await,
            What::Summon(_) => serve::<Summon>(settings, surroundings).await,
            What::Scheduler(_) => serve::<Scheduler>(settings, surroundings).await,
            What::Gateway(_) => serve_gateway(settings, surroundings).await,
        }
    }
}

async fn serve<S: Service>(settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
    let telemetry = auric_telemetry::init(&settings.telemetry(S::PROCESS))?;
    warn_of_unknown(surroundings);
    let port = Port::<S>::take(settings, game::find(settings)?).await?;
    tracing::info!("the catalog is valid: {:?}", port.summary);
    let mut running = Running::new(settings)?;
    let _endpoint = running.show(&telemetry).await?;
    let peers = Peers { own: Some(port.url()), ..Peers::default() };
    let address = running.start(settings, port, &peers).await?.address;
    let (name, version) = (S::NAME, env!("CARGO_PKG_VERSION"));
    tracing::info!(%address, version, "the service {name} listens on {address}");
    running.until_stopped().await
}

async fn serve_gateway(settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
    let telemetry = auric_telemetry::init(&settings.telemetry("auric-gateway"))?;
    warn_of_unknown(surroundings);
    let port = GatewayPort::take(settings, game::find(settings)?).await?;
    tracing::info!(products = port.admin.summary, "the products are valid");
    let webhooks = port.webhooks;
    let mut running = Running::new(settings)?;
    let _endpoint = running.show(&telemetry).await?;
    let address = running.start_gateway(settings, port, &Peers::default()).await?.address;
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(%address, %webhooks, version, "the gateway takes webhooks on {webhooks}, and listens on {address}");
    running.until_stopped().await
}

/// Tells of variables that look like settings and are none.
pub fn warn_of_unknown(surroundings: &Surroundings) {
    for variable in surroundings.unknown() {
        tracing::warn!(variable, "{variable} is no setting and is ignored");
    }
}
