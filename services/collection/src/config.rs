//! The collection's deployment settings. Game balance is not here: it is the catalog in `game/`.

use std::path::PathBuf;
use std::time::Duration;

use auric_client::ClientConfig;
use auric_db::PostgresSettings;
use auric_events::EventsConfig;
use auric_lanes::LanesConfig;
use auric_twophase::Settings;

/// How one copy of the collection is set up.
#[derive(Clone, Debug)]
pub struct CollectionConfig {
    /// `sqlite:///path/to/collection.db` or `postgres://user@host/database`.
    pub database: String,
    /// The folder of the catalog.
    pub catalog: PathBuf,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that requests go through.
    pub lanes: LanesConfig,
    /// How long events are kept.
    pub events: EventsConfig,
    /// The way to the wallet; its caller is whose holds are this service's. Without one nothing is upgraded and nothing dissolved.
    pub wallet: Option<ClientConfig>,
    /// How long an operation is its copy's own after the last sign of life.
    pub lease: Option<Duration>,
    /// Rows that are kept in memory for readers, of all players together; 0 keeps none.
    pub views_rows_max: Option<usize>,
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
            events: EventsConfig::default(),
            wallet: None,
            lease: None,
            views_rows_max: None,
        }
    }

    /// How patient the coordinator is.
    pub(crate) fn operations(&self) -> Settings {
        let defaults = Settings::default();
        Settings { service: "collection", lease: self.lease.unwrap_or(defaults.lease), ..defaults }
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
