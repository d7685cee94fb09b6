//! Summons: banners, pity, odds and draws. It coordinates the wallet and the collection: a summon is paid if and only if it is delivered.
//!
//! A summon's way: `grpc` decodes it, a lane of `handlers` takes its BEGIN into a batch, `shared/twophase` asks the participants, a lane takes its DECIDE,
//! where `domain` draws, and once all have finished `grpc` encodes the answer. What a player draws is decided by `domain` alone, from a catalog, the
//! player's counters and a stream of random numbers.

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
pub use config::SummonConfig;
pub use grpc::{SERVICE_NAME, collection, reasons, told, wallet};
pub use handlers::{
    Failed, FairnessView, Handlers, Manner, Page, PityView, Progress, Proof, ReloadError, Start, Summoned, TierView,
    Which,
};

/// A running service, not yet listening.
#[derive(Clone, Debug)]
pub struct Summon {
    handlers: Arc<Handlers>,
}

/// Why the service cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A fault in `game/`.
    #[error("the catalog is invalid: {0}")]
    Catalog(#[from] CatalogError),
    /// The database cannot be used.
    #[error("the database of summons cannot be used")]
    Store(#[from] StoreError),
    /// The schema is older than this version.
    #[error("the database of summons is not migrated: {pending} is the newest migration; run `auric migrate`")]
    NotMigrated {
        /// The newest migration that is not applied.
        pending: i64,
    },
    /// The catalog's folder cannot be watched.
    #[error("the catalog's folder cannot be watched")]
    Watch(#[from] auric_reload::Error),
    /// The way to another service can never work.
    #[error("{service}: it can never be reached")]
    Participant {
        /// Which.
        service: &'static str,
        /// Why.
        #[source]
        source: ConfigError,
    },
}

impl Summon {
    /// Loads the catalog, connects to the database, takes up what others left, and watches the catalog's files from then on.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &SummonConfig) -> Result<Self, StartError> {
        let loaded = catalog::load(&config.catalog)?;
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        database.observe("summon");
        let lost = |service| move |source| StartError::Participant { service, source };
        let wallet = wallet::connect(config.wallet.clone()).await.map_err(lost("wallet"))?;
        let collection = collection::connect(config.collection.clone()).await.map_err(lost("collection"))?;
        let lanes = config.lanes.settings("summon", database.has_one_writer());
        let operations = Operations::new(database.clone(), Arc::new(SystemClock));
        let store = store::on(database, Arc::new(SystemClock));
        handlers::keep_catalog(store.as_ref(), &loaded).await?;
        let handlers = Handlers::start(Start {
            store,
            operations,
            banners: loaded.banners,
            participants: vec![Arc::new(wallet), Arc::new(collection)],
            lanes,
            settings: config.operations(),
        });
        let handlers = Arc::new(handlers.keeping_events(config.events.keep()));
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
        &[SERVICE_NAME, auric_jobs::SERVICE_NAME, auric_events::grpc::SERVICE_NAME]
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
    Ok(CatalogSummary::of(&catalog::load(folder)?.banners))
}
