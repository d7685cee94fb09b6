//! The collection service's settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use auric_collection::CollectionConfig;
use auric_lanes::LanesConfig;
use serde::Deserialize;

use super::Settings;
use crate::fault::Fault;

/// The collection service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that requests go through.
    #[serde(default)]
    pub lanes: LanesConfig,
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
    /// As [`Self::collection_database`].
    pub fn collection_config(&self, catalog: PathBuf) -> Result<CollectionConfig, Fault> {
        let CollectionSettings { connections_max, named_statements, lanes, .. } = self.collection;
        Ok(CollectionConfig {
            connections_max,
            named_statements,
            lanes,
            ..CollectionConfig::new(self.collection_database()?, catalog)
        })
    }
}
