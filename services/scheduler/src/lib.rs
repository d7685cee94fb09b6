//! The scheduler: durable jobs for every other service, and firings that happen once.
//!
//! A firing's way: the planner moves its job on by compare-and-set, and inserts it a little before its time; the runner of any copy leases it when it is due, and
//! calls its target with it; the settler writes what came of it over the lease's fence. A lease that runs out is another copy's to take. What fails is tried again,
//! what keeps failing is a dead letter, what never runs is on record with its reason.

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
use thiserror::Error;
use tonic::service::Routes;

pub use catalog::CatalogSummary;
pub use config::{Pace, SchedulerConfig, TargetConfig};
pub use grpc::{SERVICE_NAMES, reasons, target};
pub use handlers::{DesiredSet, Handlers, Page, Ran, RunEnd, Standing, Target, TargetSet, TargetStanding, ToRun};

/// A running scheduler, not yet listening.
#[derive(Clone, Debug)]
pub struct Scheduler {
    handlers: Arc<Handlers>,
}

/// Why a scheduler cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// A fault in `game/`.
    #[error("the catalog is invalid: {0}")]
    Catalog(#[from] CatalogError),
    /// The catalog's folder cannot be watched.
    #[error("the catalog's folder cannot be watched")]
    Watch(#[from] auric_reload::Error),
    /// The database cannot be used.
    #[error("the scheduler's database cannot be used")]
    Store(#[from] StoreError),
    /// The schema is older than this version.
    #[error("the scheduler's database is not migrated: {pending} is the newest migration; run `auric migrate`")]
    NotMigrated {
        /// The newest migration that is not applied.
        pending: i64,
    },
    /// A target can never be called like that.
    #[error("the target {target} cannot be called")]
    Target {
        /// Which.
        target: String,
        /// Why.
        source: ConfigError,
    },
}

impl Scheduler {
    /// Connects to the database, and begins to fire what is due. No target needs to be there yet.
    ///
    /// # Errors
    ///
    /// [`StartError`]: each says what to mend.
    pub async fn open(config: &SchedulerConfig) -> Result<Self, StartError> {
        if let Some(folder) = &config.catalog {
            catalog::load(folder)?;
        }
        let mut targets = TargetSet::default();
        let half = config.pace.parallel_max.get().div_ceil(2).try_into().unwrap_or(config.pace.parallel_max);
        for (name, target) in &config.targets {
            let connected = target::connect(target.client.clone()).await;
            let connected = connected.map_err(|source| StartError::Target { target: name.to_string(), source })?;
            targets = targets.with(name.clone(), Arc::new(connected), target.parallel_max.unwrap_or(half));
        }
        let database = auric_db::Database::connect(&config.database, config.postgres()).await?;
        if let Some(pending) = auric_db::pending(&database, store::migrator(&database)).await? {
            return Err(StartError::NotMigrated { pending });
        }
        database.observe("scheduler");
        let settings = config.lanes.settings("scheduler", database.has_one_writer());
        let store = store::on(database, Arc::new(SystemClock));
        let handlers = Arc::new(Handlers::start(store, targets, config.pace, settings));
        let lanes = Arc::downgrade(&handlers);
        auric_lanes::observe(move || Some(lanes.upgrade()?.lane_stats()));
        match &config.catalog {
            Some(folder) => handlers.follow_catalog(folder.clone(), config.declared.clone())?,
            None => handlers.desire(config.declared.clone()),
        }
        handlers.begin_to_work();
        Ok(Self { handlers })
    }

    /// The service of handlers that were started apart, with other stores or targets.
    #[must_use]
    pub const fn of(handlers: Arc<Handlers>) -> Self {
        Self { handlers }
    }

    /// Makes these the desired sets from now on: they are seen to at once, and every minute.
    pub fn desire(&self, sets: Vec<DesiredSet>) {
        self.handlers.desire(sets);
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

    /// Whether it can serve now. Targets are not asked: what they miss is tried again.
    ///
    /// # Errors
    ///
    /// What is missing, for a person.
    pub async fn ready(&self) -> Result<(), String> {
        self.handlers.ping().await.map_err(|error| error.to_string())
    }

    /// Hands over at once: leases nothing any more, gives back what has not begun, waits for calls in flight up to the bound, and lets go of the database.
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
    Ok(catalog::load(folder)?.summary())
}
