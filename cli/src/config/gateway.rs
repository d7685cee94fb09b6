//! The gateway's settings: two addresses, its inbox, the way to the wallet, and who may tell of payments.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use auric_client::{ClientConfig, Credential, Identity, Tls};
use auric_gateway::GatewayConfig;
use auric_gateway::config::{ProviderConfig, WorkerConfig};
use auric_ids::{CallerId, ProviderId};
use serde::Deserialize;

use super::{Secret, Settings};
use crate::fault::Fault;

/// The wallet where none is named.
const WALLET_DEFAULT: &str = "http://127.0.0.1:7401";

/// Who the gateway is to a wallet that asks nobody.
const CALLER: &str = "gateway";

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

    /// The gateway service's own settings; `wallet` is where the wallet is when the settings do not say.
    ///
    /// # Errors
    ///
    /// As [`Self::gateway_database`]; [`Fault::Config`] for a certificate without its key.
    pub fn gateway_config(&self, catalog: PathBuf, wallet: Option<&str>) -> Result<GatewayConfig, Fault> {
        let GatewaySettings { connections_max, named_statements, providers, .. } = self.gateway.clone();
        let wallet = self.gateway.wallet.as_deref().or(wallet).unwrap_or(WALLET_DEFAULT);
        Ok(GatewayConfig {
            database: self.gateway_database()?,
            catalog,
            wallet: self.gateway.wallet_client(wallet)?,
            providers,
            connections_max,
            named_statements,
            worker: WorkerConfig::default(),
        })
    }
}

impl GatewaySettings {
    fn wallet_client(&self, url: &str) -> Result<ClientConfig, Fault> {
        let credential = self.credential.as_ref().map(|secret| Credential::text(secret.reveal()));
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate: certificate.clone(), key: key.clone() }),
            (None, None) => None,
            _ => return Err(Fault::Config("gateway: certificate and key go together".to_owned())),
        };
        let caller = CallerId::parse(CALLER).map_err(|fault| Fault::Config(fault.to_string()))?;
        Ok(ClientConfig {
            credential: credential.or_else(|| self.credential_file.as_ref().map(Credential::file)),
            caller: Some(caller),
            tls: Tls { ca: self.ca.clone(), identity },
            ..ClientConfig::new(url)
        })
    }
}
