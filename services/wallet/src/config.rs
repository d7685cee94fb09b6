//! The wallet's deployment settings. Game balance is not here: it is the catalog in `game/`.

use std::path::PathBuf;

use auric_db::PostgresSettings;
use auric_events::EventsConfig;
use auric_lanes::LanesConfig;
use serde::Deserialize;

use crate::StartError;
use crate::domain::Seal;

/// How one copy of the wallet is set up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletConfig {
    /// `sqlite:///path/to/wallet.db` or `postgres://user@host/database`.
    pub database: String,
    /// The folder of the catalog.
    pub catalog: PathBuf,
    /// 64 hexadecimal digits: the secret that the audit is chained with. Without it the chain is plain SHA-256.
    #[serde(default)]
    pub audit_key: Option<String>,
    /// Connections to PostgreSQL at most.
    #[serde(default)]
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    #[serde(default)]
    pub named_statements: Option<bool>,
    /// The lanes that mutations go through.
    #[serde(default)]
    pub lanes: LanesConfig,
    /// How long events are kept.
    #[serde(default)]
    pub events: EventsConfig,
}

impl WalletConfig {
    /// The smallest set-up: a database and a catalog.
    #[must_use]
    pub fn new(database: impl Into<String>, catalog: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            catalog: catalog.into(),
            audit_key: None,
            connections_max: None,
            named_statements: None,
            lanes: LanesConfig::default(),
            events: EventsConfig::default(),
        }
    }

    /// How entries are chained.
    pub(crate) fn seal(&self) -> Result<Seal, StartError> {
        let Some(text) = &self.audit_key else { return Ok(Seal::Plain) };
        let mut secret = [0; 32];
        // The reason names the fault, never the secret.
        hex::decode_to_slice(text, &mut secret).map_err(|_| StartError::Config {
            key: "wallet.audit_key",
            reason: "must be 64 hexadecimal digits".to_owned(),
        })?;
        Ok(Seal::keyed(&secret))
    }

    /// How PostgreSQL is connected to.
    pub(crate) fn postgres(&self) -> PostgresSettings {
        let defaults = PostgresSettings::default();
        PostgresSettings {
            connections_max: self.connections_max.unwrap_or(defaults.connections_max),
            named_statements: self.named_statements.unwrap_or(defaults.named_statements),
        }
    }
}
