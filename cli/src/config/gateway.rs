//! The gateway's settings: two addresses, its inbox, the way to the wallet, and who may tell of payments.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use auric_gateway::GatewayConfig;
use auric_gateway::config::{ProviderConfig, WorkerConfig};
use auric_ids::ProviderId;
use serde::Deserialize;

use super::peer::Presented;
use super::summon::Peers;
use super::variables::WALLET_URL;
use super::{Secret, Settings};
use crate::fault::Fault;

/// The gateway service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Where providers send their events, by HTTP.
    pub listen: SocketAddr,
    /// Where operators ask, by gRPC.
    pub admin_listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// Whether a proxy that speaks TLS stands before it.
    #[serde(default)]
    pub behind_proxy: bool,
    /// The wallet's URL, or several with commas between them.
    pub wallet: Option<String>,
    /// What it presents to a wallet that asks who comes.
    pub credential: Option<Secret>,
    /// A file with the credential; a change is followed.
    pub credential_file: Option<PathBuf>,
    /// Who issues the wallet's certificate, PEM.
    pub ca: Option<PathBuf>,
    /// A client certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Who may tell of payments, and how they sign.
    #[serde(default)]
    pub providers: BTreeMap<ProviderId, ProviderConfig>,
}

impl Settings {
    /// Whether there is a gateway in this set-up: nobody could tell one without a provider anything.
    pub fn has_gateway(&self) -> bool {
        !self.gateway.providers.is_empty() || self.gateway.database.is_some()
    }

    /// The gateway's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn gateway_database(&self) -> Result<String, Fault> {
        self.database(self.gateway.database.as_ref(), "gateway.db")
    }

    /// The gateway service's own settings.
    ///
    /// # Errors
    ///
    /// As [`Self::gateway_database`]; [`Fault::Config`] for a certificate without its key.
    pub fn gateway_config(&self, catalog: PathBuf, peers: &Peers) -> Result<GatewayConfig, Fault> {
        let GatewaySettings { connections_max, named_statements, providers, .. } = self.gateway.clone();
        let wallet = self.gateway.wallet.as_ref().or(peers.wallet.as_ref()).map_or(WALLET_URL, String::as_str);
        Ok(GatewayConfig {
            database: self.gateway_database()?,
            catalog,
            wallet: self.gateway.presented().to(wallet)?,
            providers,
            connections_max,
            named_statements,
            worker: WorkerConfig::default(),
        })
    }
}

impl GatewaySettings {
    fn presented(&self) -> Presented<'_> {
        Presented {
            service: "gateway",
            credential: self.credential.as_ref(),
            credential_file: self.credential_file.as_deref(),
            ca: self.ca.as_deref(),
            certificate: self.certificate.as_deref(),
            key: self.key.as_deref(),
        }
    }
}
