//! `auric serve`: one service in one process, as a deployment runs it.

use clap::Subcommand;

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
  auric serve wallet --database postgres://auric@db/wallet --game /etc/auric/game --log-format json")]
pub struct Serve {
    #[command(subcommand)]
    service: Service,
}

#[derive(Debug, Subcommand)]
enum Service {
    /// Runs the wallet: it owns every balance and the audit.
    Wallet(ServeWallet),
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

impl Serve {
    pub fn flags(&self) -> Flags {
        let Service::Wallet(wallet) = &self.service;
        let own = vec![("wallet.listen", wallet.listen.clone()), ("wallet.database", wallet.database.clone())];
        [wallet.places.flags(), wallet.logs.flags(), own].concat()
    }

    pub async fn run(self, settings: &Settings, surroundings: &Surroundings) -> Result<(), Fault> {
        let Service::Wallet(_) = self.service;
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
}

/// Tells of variables that look like settings and are none.
pub fn warn_of_unknown(surroundings: &Surroundings) {
    for variable in surroundings.unknown() {
        tracing::warn!(variable, "{variable} is no setting and is ignored");
    }
}
