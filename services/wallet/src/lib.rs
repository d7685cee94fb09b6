//! The wallet: it owns every balance and the audit; nobody else moves money.
//!
//! A mutation's way: `grpc` decodes it, a lane of `handlers` takes it into a batch, `store` locks its players and loads what it may
//! touch, `domain` decides it, `store` writes and commits, `grpc` encodes the answer.

pub mod catalog;
pub mod config;
pub mod domain;
mod grpc;
mod handlers;
pub mod store;

use std::path::Path;
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_db::{Migrated, StoreError};
use thiserror::Error;
use tonic::service::Routes;

pub use catalog::CatalogSummary;
pub use config::WalletConfig;
pub use grpc::{SERVICE_NAME, reasons};
pub use handlers::{
    Answers, AuditFault, Balances, FaultKind, Handlers, Page, Progress, ReloadError, Supply, Swept, Thing, roster,
};

use domain::Rules;

/// A running wallet, not yet listening.
#[derive(Clone, Debug)]
pub struct Wallet {
    handlers: Arc<Handlers>,
}

/// Why a wallet cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A fault in `game/`.
    #[error("the catalog is invalid: {0}")]
    Catalog(#[from] CatalogError),
    /// The database cannot be used.
    #[error("the wallet's database cannot be used")]
    Store(#[from] StoreError),
    /// The schema is older than this version.
    #[error("the wallet's database is not migrated: {pending} is the newest migration; run `auric migrate`")]
    NotMigrated {
        /// The newest migration that is not applied.
        pending: i64,
    },
    /// The catalog's folder cannot be watched.
    #[error("the catalog's folder cannot be watched")]
    Watch(#[from] auric_reload::Error),
    /// A setting that cannot be.
    #[error("{key}: {reason}")]
    Config {
        /// The setting's name.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Wallet {
    /// Loads the catalog, connects to the database, and watches the catalog's files from then on.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &WalletConfig) -> Result<Self, StartError> {
        let loaded = catalog::load(&config.catalog)?;
        let seal = config.seal()?;
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        database.observe("wallet");
        let settings = config.lanes.settings("wallet", database.has_one_writer());
        let store = store::on(database, Arc::new(auric_time::SystemClock));
        handlers::keep_catalog(store.as_ref(), &loaded).await?;
        let rules = Rules { assets: Arc::new(loaded.assets), seal };
        let handlers = Arc::new(Handlers::start(store, rules, settings).keeping_events(config.events.keep()));
        handlers.watch_catalog(config.catalog.clone())?;
        handlers.report_lanes();
        let lanes = Arc::downgrade(&handlers);
        auric_lanes::observe(move || Some(lanes.upgrade()?.lane_stats()));
        Ok(Self { handlers })
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
    Ok(CatalogSummary::of(&catalog::load(folder)?.assets))
}
