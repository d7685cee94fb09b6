//! The summon service's settings: where it listens, its database, and the way to those that take part in a summon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auric_events::EventsConfig;
use auric_lanes::LanesConfig;
use auric_summon::SummonConfig;
use serde::{Deserialize, Deserializer, de};

use super::peer::Presented;
use super::variables::{COLLECTION_URL, WALLET_URL};
use super::{Secret, Settings};
use crate::fault::Fault;

/// A lease that is shorter would be lost by a copy that only paused.
const LEASE_MS_MIN: u64 = 100;

/// A lease that is longer would leave what a dead copy began undone for too long.
const LEASE_MS_MAX: u64 = 600_000;

/// The summon service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummonSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
    /// The wallet's URL, or several with commas between them.
    pub wallet: Option<String>,
    /// The collection's URL, or several with commas between them.
    pub collection: Option<String>,
    /// What it presents to services that ask who comes.
    pub credential: Option<Secret>,
    /// A file with the credential; a change is followed.
    pub credential_file: Option<PathBuf>,
    /// Who issues the others' certificates, PEM.
    pub ca: Option<PathBuf>,
    /// A client certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// How long an operation is its copy's own after the last sign of life.
    pub lease_ms: Option<LeaseMs>,
    /// The lanes that BEGIN and DECIDE go through.
    #[serde(default)]
    pub lanes: LanesConfig,
    /// How long its events are kept.
    #[serde(default)]
    pub events: EventsConfig,
}

/// A lease in milliseconds.
///
/// Invariant: from [`LEASE_MS_MIN`] to [`LEASE_MS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseMs(u64);

impl LeaseMs {
    /// How long it is.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<'de> Deserialize<'de> for LeaseMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            ms @ LEASE_MS_MIN..=LEASE_MS_MAX => Ok(Self(ms)),
            ms => Err(de::Error::custom(format!("must be from {LEASE_MS_MIN} to {LEASE_MS_MAX}, is {ms}"))),
        }
    }
}

/// Where the services are that others call, when the settings do not say.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// The wallet's URL.
    pub wallet: Option<String>,
    /// The collection's URL.
    pub collection: Option<String>,
    /// The summon service's URL.
    pub summon: Option<String>,
    /// The URL of the service itself that is started.
    pub own: Option<String>,
}

impl Settings {
    /// The summon service's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn summon_database(&self) -> Result<String, Fault> {
        self.database(self.summon.database.as_ref(), "summon.db")
    }

    /// The summon service's own settings.
    ///
    /// # Errors
    ///
    /// As [`Self::summon_database`]; [`Fault::Config`] for a certificate without its key.
    pub fn summon_config(&self, catalog: PathBuf, peers: &Peers) -> Result<SummonConfig, Fault> {
        let summon = &self.summon;
        let presented = summon.presented();
        let wallet = summon.wallet.as_ref().or(peers.wallet.as_ref()).map_or(WALLET_URL, String::as_str);
        let collection =
            summon.collection.as_ref().or(peers.collection.as_ref()).map_or(COLLECTION_URL, String::as_str);
        Ok(SummonConfig {
            connections_max: summon.connections_max,
            named_statements: summon.named_statements,
            lanes: summon.lanes,
            events: summon.events,
            lease: summon.lease_ms.map(LeaseMs::duration),
            ..SummonConfig::new(self.summon_database()?, catalog, presented.to(wallet)?, presented.to(collection)?)
        })
    }
}

impl SummonSettings {
    /// Who the service is to the others.
    pub fn presented(&self) -> Presented<'_> {
        Presented {
            service: "summon",
            credential: self.credential.as_ref(),
            credential_file: self.credential_file.as_deref(),
            ca: self.ca.as_deref(),
            certificate: self.certificate.as_deref(),
            key: self.key.as_deref(),
        }
    }
}
