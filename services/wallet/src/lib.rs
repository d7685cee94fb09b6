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
pub use handlers::Handlers;

use domain::Rules;
use store::WalletStore;

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
    /// Loads the catalog and connects to the database.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &WalletConfig) -> Result<Self, StartError> {
        let assets = catalog::load(&config.catalog)?;
        let seal = config.seal()?;
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        let store = store::on(database, Arc::new(auric_time::SystemClock));
        Ok(Self::on(store, Rules { assets: Arc::new(assets), seal }, config))
    }

    /// Starts on an open store, with rules that are already loaded.
    #[must_use]
    pub fn on(store: Arc<dyn WalletStore>, rules: Rules, config: &WalletConfig) -> Self {
        Self { handlers: Arc::new(Handlers::start(store, rules, config.lanes.settings())) }
    }

    /// The gRPC services, to be served.
    #[must_use]
    pub fn routes(&self) -> Routes {
        grpc::routes(Arc::clone(&self.handlers))
    }

    /// The full names of the gRPC services, for health and reflection.
    #[must_use]
    pub const fn service_names() -> &'static [&'static str] {
        &[SERVICE_NAME]
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
    Ok(CatalogSummary::of(&catalog::load(folder)?))
}
