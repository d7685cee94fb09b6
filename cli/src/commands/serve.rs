//! `auric serve`: one service in one process, as a deployment runs it.

use clap::Subcommand;

use super::services::gateway::GatewayPort;
use super::services::{Port, Running};
use super::{Logs, Places};
use crate::config::{Flags, Settings, Surroundings};
use crate::fault::Fault;
use crate::game;

/// Runs one service, on a database that `auric migrate` has prepared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric serve wallet
  auric serve wallet --database postgres://auric@db/wallet --game /etc/auric/game --log-format json
  auric serve gateway --wallet http://127.0.0.1:7401")]
pub struct Serve {
    #[command(subcommand)]
    service: Service,
}

#[derive(Debug, Subcommand)]
enum Service {
    /// Runs the wallet: it owns every balance and the audit.
    Wallet(ServeWallet),
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

impl ServeGateway {
    fn flags(&self) -> Flags {
        let own = vec![
            ("gateway.listen", self.listen.clone()),
            ("gateway.admin_listen", self.admin_listen.clone()),
            ("gateway.database", self.database.clone()),
            ("gateway.wallet", self.wallet.clone()),
        ];
        [self.places.flags(), self.logs.flags(), own].concat()
    }
}

impl Serve {
    pub fn flags(&self) -> Flags {
        match &self.service {
            Service::Wallet(wallet) => {
                let own = vec![("wallet.listen", wallet.listen.clone()), ("wallet.database", wallet.database.clone())];
                [wallet.places.flags(), wallet.logs.flags(), own].concat()
            }
            Service::Gateway(gateway) => gateway.flags(),
        }
    }

    pub async fn run(self, settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
        match self.service {
            Service::Wallet(_) => serve_wallet(settings, surroundings).await,
            Service::Gateway(_) => serve_gateway(settings, surroundings).await,
        }
    }
}

async fn serve_wallet(settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
    let telemetry = auric_telemetry::init(&settings.telemetry("auric-wallet"))?;
    warn_of_unknown(surroundings);
    let port = Port::take(settings, game::find(settings)?).await?;
    tracing::info!(catalog = port.summary.hash, assets = port.summary.assets, "the catalog is valid");
    let mut running = Running::new(settings)?;
    let _endpoint = running.show(&telemetry).await?;
    let address = running.start_wallet(settings, port).await?.address;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the wallet listens on {address}");
    running.until_stopped().await
}

async fn serve_gateway(settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
    let telemetry = auric_telemetry::init(&settings.telemetry("auric-gateway"))?;
    warn_of_unknown(surroundings);
    let port = GatewayPort::take(settings, game::find(settings)?).await?;
    tracing::info!(products = port.products, "the products are valid");
    let webhooks = port.webhooks;
    let mut running = Running::new(settings)?;
    let _endpoint = running.show(&telemetry).await?;
    let address = running.start_gateway(settings, port, None).await?.address;
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
