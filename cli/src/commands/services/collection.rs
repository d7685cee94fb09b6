//! The collection as a service of this program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auric_catalog::CatalogError;
use auric_collection::{Collection, StartError};
use auric_db::{Database, Migrated, StoreError};
use tonic::service::Routes;

use super::{Service, Stops, Trouble};
use crate::config::{Peers, Settings};
use crate::fault::{Fault, chain};

impl Service for Collection {
    const NAME: &'static str = "collection";
    const PROCESS: &'static str = "auric-collection";
    const DATABASE: &'static str = "collection.database";
    const STOPS: Stops = Stops::Second;
    type Summary = auric_collection::CatalogSummary;

    fn listen(settings: &Settings) -> SocketAddr {
        settings.collection.listen
    }

    fn database(settings: &Settings) -> Result<String, Fault> {
        settings.collection_database()
    }

    fn has_named_database(settings: &Settings) -> bool {
        settings.collection.database.is_some()
    }

    fn named_statements(settings: &Settings) -> Option<bool> {
        settings.collection.named_statements
    }

    fn names() -> &'static [&'static str] {
        Self::service_names()
    }

    fn check(catalog: &Path) -> Result<Self::Summary, CatalogError> {
        auric_collection::check_catalog(catalog)
    }

    async fn pending(database: &Database) -> Result<Option<i64>, StoreError> {
        auric_db::pending(database, auric_collection::store::migrator(database)).await
    }

    async fn migrate(url: &str) -> Result<Migrated, Trouble> {
        auric_collection::migrate(url).await.map_err(explain)
    }

    async fn open(settings: &Settings, catalog: PathBuf, peers: &Peers) -> Result<Self, Trouble> {
        Self::open(&settings.collection_config(catalog, peers)?).await.map_err(explain)
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
        StartError::Wallet(source) => Fault::Config(format!("collection.wallet: {}", chain(&source.into()))).into(),
        StartError::Store(_) | StartError::NotMigrated { .. } => Trouble::database(error),
    }
}
