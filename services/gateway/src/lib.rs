//! The gateway: the only public door. It keeps what payment providers tell, and tells the wallet; it has no state but its inbox.
//!
//! An event's way: `http` takes its bytes, `handlers/accept` tests their signature and keeps them in `store`, and only then the provider hears that they were
//! taken. A worker leases the event, `payments` reads what it says, `domain` decides what the wallet is told, that is kept too, and the wallet is told under
//! a key made from the event's name. Amounts come from `products.toml`, never from the event.

pub mod catalog;
pub mod config;
pub mod domain;
mod grpc;
mod handlers;
pub mod http;
pub mod payments;
pub mod store;

use std::path::Path;
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_db::{Migrated, StoreError};
use thiserror::Error;
use tonic::service::Routes;

pub use config::GatewayConfig;
pub use grpc::{SERVICE_NAME, reasons};
pub use handlers::{Claim, Handlers, Refusal, Telling, Wallet, WalletFault, key_of};

/// A running gateway, not yet listening.
#[derive(Clone, Debug)]
pub struct Gateway {
    handlers: Arc<Handlers>,
}

/// Why a gateway cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A fault in `game/`.
    #[error("the catalog is invalid: {0}")]
    Catalog(#[from] CatalogError),
    /// The database cannot be used.
    #[error("the gateway's database cannot be used")]
    Store(#[from] StoreError),
    /// The schema is older than this version.
    #[error("the gateway's database is not migrated: {pending} is the newest migration; run `auric migrate`")]
    NotMigrated {
        /// The newest migration that is not applied.
        pending: i64,
    },
    /// The catalog's folder cannot be watched.
    #[error("the catalog's folder cannot be watched")]
    Watch(#[from] auric_reload::Error),
    /// The wallet can never be called like that.
    #[error("the wallet cannot be called")]
    Wallet(#[from] auric_client::ConfigError),
    /// A setting that cannot be.
    #[error("{key}: {reason}")]
    Config {
        /// The setting's name.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Gateway {
    /// Loads the products, connects to the database, begins to apply what is due, and watches the products from then on. The wallet need not be there yet.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &GatewayConfig) -> Result<Self, StartError> {
        let products = catalog::load(&config.catalog)?;
        let providers = config.providers()?;
        let wallet = grpc::connect(config.wallet.clone()).await?;
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        database.observe("gateway");
        let inbox = store::on(database, Arc::new(auric_time::SystemClock));
        let handlers = Handlers::new(inbox, Arc::new(wallet), providers, products).with_worker(config.worker);
        let handlers = Arc::new(handlers);
        handlers.watch_products(config.catalog.clone())?;
        handlers.begin_to_work();
        Ok(Self { handlers })
    }

    /// What is behind it, to be served over HTTP.
    #[must_use]
    pub fn handlers(&self) -> &Arc<Handlers> {
        &self.handlers
    }

    /// The gRPC services for operators, to be served.
    #[must_use]
    pub fn routes(&self) -> Routes {
        grpc::routes(Arc::clone(&self.handlers))
    }

    /// The full names of the gRPC services, for health and reflection.
    #[must_use]
    pub const fn service_names() -> &'static [&'static str] {
        &[SERVICE_NAME]
    }

    /// Whether it can take events now. The wallet is not asked: what it misses it is told later.
    ///
    /// # Errors
    ///
    /// What is missing, for a person.
    pub async fn ready(&self) -> Result<(), String> {
        self.handlers.ping().await.map_err(|error| error.to_string())
    }

    /// Ends what is being applied, and lets go of the database.
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

/// Reads and validates the products in `folder`; tells how many there are.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn check_catalog(folder: &Path) -> Result<usize, CatalogError> {
    Ok(catalog::load(folder)?.len())
}
