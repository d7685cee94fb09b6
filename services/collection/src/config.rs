//! The collection's deployment settings. Game balance is not here: it is the catalog in `game/`.

use std::path::PathBuf;

use auric_db::PostgresSettings;
use auric_lanes::LanesConfig;
use serde::Deserialize;

/// How one copy of the collection is set up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// `sqlite:///path/to/collection.db` or `postgres://user@host/database`.
    pub database: String,
    /// The folder of the catalog.
    pub catalog: PathBuf,
    /// Connections to PostgreSQL at most.
    #[serde(default)]
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    #[serde(default)]
    pub named_statements: Option<bool>,
    /// The lanes that requests go through.
    #[serde(default)]
    pub lanes: LanesConfig,
}

impl CollectionConfig {
    /// The smallest set-up: a database and a catalog.
    #[must_use]
    pub fn new(database: impl Into<String>, catalog: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            catalog: catalog.into(),
            connections_max: None,
            named_statements: None,
            lanes: LanesConfig::default(),
        }
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
