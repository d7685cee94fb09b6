//! The collection service's settings: where it listens, its database, and the way to the wallet.

use std::net::SocketAddr;
use std::path::PathBuf;

use auric_collection::CollectionConfig;
use auric_events::EventsConfig;
use auric_lanes::LanesConfig;
use serde::Deserialize;

use super::peer::Presented;
use super::summon::LeaseMs;
use super::variables::WALLET_URL;
use super::{Peers, Secret, Settings};
use crate::fault::Fault;

/// The collection service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
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
    /// How long an operation is its copy's own after the last sign of life.
    pub lease_ms: Option<LeaseMs>,
    /// Rows that are kept in memory for readers; 0 keeps none.
    pub views_rows_max: Option<usize>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that requests go through.
    #[serde(default)]
    pub lanes: LanesConfig,
    /// How long its events are kept.
    #[serde(default)]
    pub events: EventsConfig,
}

impl Settings {
    /// The collection's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn collection_database(&self) -> Result<String, Fault> {
        self.database(self.collection.database.as_ref(), "collection.db")
    }

    /// The collection service's own settings.
    ///
    /// # Errors
    ///
    /// As [`Self::collection_database`]; [`Fault::Config`] for a certificate without its key.
    pub fn collection_config(&self, catalog: PathBuf, peers: &Peers) -> Result<CollectionConfig, Fault> {
        let collection = &self.collection;
        let wallet = collection.wallet.as_ref().or(peers.wallet.as_ref()).map_or(WALLET_URL, String::as_str);
        Ok(CollectionConfig {
            connections_max: collection.connections_max,
            named_statements: collection.named_statements,
            lanes: collection.lanes,
            events: collection.events,
            wallet: Some(collection.presented().to(wallet)?),
            lease: collection.lease_ms.map(LeaseMs::duration),
            views_rows_max: collection.views_rows_max,
            ..CollectionConfig::new(self.collection_database()?, catalog)
        })
    }
}

impl CollectionSettings {
    /// Who the service is to the wallet.
    pub fn presented(&self) -> Presented<'_> {
        Presented {
            service: "collection",
            credential: self.credential.as_ref(),
            credential_file: self.credential_file.as_deref(),
            ca: self.ca.as_deref(),
            certificate: self.certificate.as_deref(),
            key: self.key.as_deref(),
        }
    }
}
