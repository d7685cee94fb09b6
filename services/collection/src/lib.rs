//! The collection: it owns what players have collected, and takes part in the operations that bring it.
//!
//! A request's way: `grpc` decodes it, a lane of `handlers` takes it into a batch, `store` locks its players and loads what it may
//! touch, `domain` decides it, `store` writes and commits, `grpc` encodes the answer. What is paid for, or gives something, it coordinates itself
//! with the wallet: a lane takes its BEGIN into a batch, `shared/twophase` asks the wallet, a lane takes its DECIDE.

pub mod catalog;
pub mod config;
pub mod domain;
mod grpc;
mod handlers;
pub mod store;

use std::path::Path;
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_client::ConfigError;
use auric_db::{Migrated, StoreError};
use auric_time::SystemClock;
use auric_twophase::store::Operations;
use thiserror::Error;
use tonic::service::Routes;

pub use catalog::CatalogSummary;
pub use config::CollectionConfig;
pub use grpc::{SERVICE_NAMES, reasons, wallet};
pub use handlers::{Coordination, Failed, Handlers, Operated, Page, ReloadError, VIEWS_ROWS_MAX};

use domain::Rules;

/// A running collection, not yet listening.
#[derive(Clone, Debug)]
pub struct Collection {
    handlers: Arc<Handlers>,
}

/// Why a collection cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A fault in `game/`.
    #[error("the catalog is invalid: {0}")]
    Catalog(#[from] CatalogError),
    /// The database cannot be used.
    #[error("the collection's database cannot be used")]
    Store(#[from] StoreError),
    /// The schema is older than this version.
    #[error("the collection's database is not migrated: {pending} is the newest migration; run `auric migrate`")]
    NotMigrated {
        /// The newest migration that is not applied.
        pending: i64,
    },
    /// The catalog's folder cannot be watched.
    #[error("the catalog's folder cannot be watched")]
    Watch(#[from] auric_reload::Error),
    /// The way to the wallet can never work.
    #[error("the wallet can never be reached")]
    Wallet(#[from] ConfigError),
}

impl Collection {
    /// Loads the catalog, connects to the database, and watches the catalog's files from then on.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &CollectionConfig) -> Result<Self, StartError> {
        let loaded = catalog::load(&config.catalog)?;
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        database.observe("collection");
        let settings = config.lanes.settings("collection", database.has_one_writer());
        let coordination = match &config.wallet {
            None => None,
            Some(wallet) => Some(Coordination {
                operations: Operations::new(database.clone(), Arc::new(SystemClock)),
                participants: vec![Arc::new(wallet::connect(wallet.clone()).await?)],
                settings: config.operations(),
            }),
        };
        let store = store::on(database, Arc::new(SystemClock));
        handlers::keep_catalog(store.as_ref(), &loaded).await?;
        let rules = Rules { catalog: Arc::new(loaded.catalog) };
        let handlers = Handlers::start(store, rules, settings, coordination);
        let handlers =
            handlers.keeping_events(config.events.keep()).keeping(config.views_rows_max.unwrap_or(VIEWS_ROWS_MAX));
        let handlers = Arc::new(handlers);
        handlers.watch_catalog(config.catalog.clone())?;
        let lanes = Arc::downgrade(&handlers);
        auric_lanes::observe(move || Some(lanes.upgrade()?.lane_stats()));
        Ok(Self { handlers })
    }

    /// The service of handlers that were started apart, with other stores or participants.
    #[must_use]
    pub const fn of(handlers: Arc<Handlers>) -> Self {
        Self { handlers }
    }

    /// The gRPC services, to be served.
    #[must_use]
    pub fn routes(&self) -> Routes {
        grpc::routes(Arc::clone(&self.handlers))
    }

    /// The full names of the gRPC services, for health and reflection.
    #[must_use]
    pub const fn service_names() -> &'static [&'static str] {
        &SERVICE_NAMES
    }

    /// Ends the streams that are open, so that they do not hold up a drain.
    pub fn end_streams(&self) {
        self.handlers.end_streams();
    }

    /// Whether it can serve now.
    ///
    /// # Errors
    ///
    /// What is missing, for a person.
    pub async fn ready(&self) -> Result<(), String> {
        self.handlers.ping().await.map_err(|error| error.to_string())
    }

    /// Answers what is under way, takes nothing new, and lets go of the database.
    pub async fn close(self) {
        self.handlers.close().await;
    }
}

impl From<ReloadError> for StartError {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Catalog(fault) => Self::Catalog(fault),
            ReloadError::Store(error) => Self::Store(error),
        }
    }
}

/// Brings the database that `url` names up to this version's schema.
///
/// # Errors
///
/// [`StartError::Store`] when it cannot be reached or a migration fails.
pub async fn migrate(url: &str) -> Result<Migrated, StartError> {
    Ok(store::migrate(url).await?)
}

/// Reads and validates the catalog in `folder`.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn check_catalog(folder: &Path) -> Result<CatalogSummary, CatalogError> {
    Ok(CatalogSummary::of(&catalog::load(folder)?.catalog))
}
