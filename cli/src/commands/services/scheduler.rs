//! The scheduler as a service of this program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auric_catalog::CatalogError;
use auric_db::{Database, Migrated, StoreError};
use auric_scheduler::{Scheduler, StartError};
use tonic::service::Routes;

use super::{Service, Stops, Trouble};
use crate::config::{Peers, Settings};
use crate::fault::{Fault, chain};

impl Service for Scheduler {
    const NAME: &'static str = "scheduler";
    const PROCESS: &'static str = "auric-scheduler";
    const DATABASE: &'static str = "scheduler.database";
    const STOPS: Stops = Stops::First;
    type Summary = auric_scheduler::CatalogSummary;

    fn listen(settings: &Settings) -> SocketAddr {
        settings.scheduler.listen
    }

    fn database(settings: &Settings) -> Result<String, Fault> {
        settings.scheduler_database()
    }

    fn has_named_database(settings: &Settings) -> bool {
        settings.scheduler.database.is_some()
    }

    fn named_statements(settings: &Settings) -> Option<bool> {
        settings.scheduler.named_statements
    }

    fn names() -> &'static [&'static str] {
        Self::service_names()
    }

    fn check(catalog: &Path) -> Result<Self::Summary, CatalogError> {
        auric_scheduler::check_catalog(catalog)
    }

    async fn pending(database: &Database) -> Result<Option<i64>, StoreError> {
        auric_db::pending(database, auric_scheduler::store::migrator(database)).await
    }

    async fn migrate(url: &str) -> Result<Migrated, Trouble> {
        auric_scheduler::migrate(url).await.map_err(explain)
    }

    async fn open(settings: &Settings, catalog: PathBuf, peers: &Peers) -> Result<Self, Trouble> {
        Self::open(&settings.scheduler_config(catalog, peers)?).await.map_err(explain)
    }

    fn routes(&self) -> Routes {
        Self::routes(self)
    }

    async fn ready(&self) -> Result<(), String> {
        Self::ready(self).await
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
        StartError::Target { target, source } => {
            Fault::Config(format!("scheduler.targets.{target}: {}", chain(&source.into()))).into()
        }
        StartError::Store(_) | StartError::NotMigrated { .. } => Trouble::database(error),
    }
}
