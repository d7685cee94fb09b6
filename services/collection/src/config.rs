//! The collection's deployment settings. Game balance is not here: it is the catalog in `game/`.

use std::num::NonZeroU16;
use std::path::PathBuf;

use auric_db::{Database, PostgresSettings};
use auric_lanes::LaneSettings;
use serde::Deserialize;

/// Requests in one transaction of SQLite, where each transaction waits for the disk and nobody else writes meanwhile.
const SQLITE_BATCH_MAX: NonZeroU16 = NonZeroU16::new(1_024).unwrap();

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

/// The lanes that requests go through.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanesConfig {
    /// How many: while one writes, another decides. SQLite has one writer, and one lane.
    pub count: Option<NonZeroU16>,
    /// Requests in one transaction at most.
    pub batch_max: Option<NonZeroU16>,
    /// Requests that may wait in one lane.
    pub queue_max: Option<NonZeroU16>,
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

impl LanesConfig {
    /// The bounds of every lane over `database`.
    pub(crate) fn settings(self, database: &Database) -> LaneSettings {
        let defaults = LaneSettings::default();
        let (lanes, batch_max) = match database {
            Database::Postgres(_) => (self.count.unwrap_or(defaults.lanes), defaults.batch_max),
            Database::Sqlite(_) => (NonZeroU16::MIN, SQLITE_BATCH_MAX),
        };
        LaneSettings {
            lanes,
            batch_max: self.batch_max.unwrap_or(batch_max),
            queue_max: self.queue_max.unwrap_or(defaults.queue_max),
            ..defaults
        }
    }
}
