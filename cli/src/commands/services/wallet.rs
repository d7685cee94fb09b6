//! The wallet as a service of this program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auric_catalog::CatalogError;
use auric_db::{Database, Migrated, StoreError};
use auric_wallet::{StartError, Wallet};
use tonic::service::Routes;

use super::{Service, Stops, Trouble};
use crate::config::{Peers, Settings};
use crate::fault::Fault;

impl Service for Wallet {
    const NAME: &'static str = "wallet";
    const PROCESS: &'static str = "auric-wallet";
    const DATABASE: &'static str = "wallet.database";
    const STOPS: Stops = Stops::Last;
    type Summary = auric_wallet::CatalogSummary;

    fn listen(settings: &Settings) -> SocketAddr {
        settings.wallet.listen
    }

    fn database(settings: &Settings) -> Result<String, Fault> {
        settings.wallet_database()
    }

    fn has_named_database(settings: &Settings) -> bool {
        settings.wallet.database.is_some()
    }

    fn named_statements(settings: &Settings) -> Option<bool> {
        settings.wallet.named_statements
    }

    fn names() -> &'static [&'static str] {
        Self::service_names()
    }

    fn check(catalog: &Path) -> Result<Self::Summary, CatalogError> {
        auric_wallet::check_catalog(catalog)
    }

    async fn pending(database: &Database) -> Result<Option<i64>, StoreError> {
        auric_db::pending(database, auric_wallet::store::migrator(database)).await
    }

    async fn migrate(url: &str) -> Result<Migrated, Trouble> {
        auric_wallet::migrate(url).await.map_err(explain)
    }

    async fn open(settings: &Settings, catalog: PathBuf, _peers: &Peers) -> Result<Self, Trouble> {
        Self::open(&settings.wallet_config(catalog)?).await.map_err(explain)
    }

    fn routes(&self) -> Routes {
        Self::routes(self)
    }

    async fn ready(&self) -> Result<(), String> {
        Self::ready(self).await
    }

    fn end_streams(&self) {
        Self::end_streams(self);
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

/// Says what in the surroundings keeps it from starting.
fn explain(error: StartError) -> Trouble {
    match error {
        StartError::Catalog(error) => Trouble::catalog(error),
        StartError::Watch(_) => Trouble::catalog(error),
        StartError::Config { .. } => Fault::Config(error.to_string()).into(),
        StartError::Store(_) | StartError::NotMigrated { .. } => Trouble::database(error),
    }
}
