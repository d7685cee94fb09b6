//! What this program knows of its services, and what a service needs before it runs.

use std::future::Future;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_auth::Door;
use auric_catalog::CatalogError;
use auric_db::{Database, Migrated, PostgresSettings, StoreError};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::config::{Peers, Settings};
use crate::fault::{Fault, chain};
use crate::lock::{self, FileLock};

mod background;
mod collection;
pub mod gateway;
mod running;
mod scheduler;
mod summon;
mod wallet;

pub use running::Running;

/// When a service stops, among those of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stops {
    /// Nobody of this process calls it.
    First,
    /// It is called, and calls others.
    Second,
    /// It calls nobody.
    Last,
}

/// One of the services that this program can run.
pub trait Service: Sized + Send + Sync + 'static {
    /// What it is called in commands, tables and the settings.
    const NAME: &'static str;
    /// What it calls itself in telemetry.
    const PROCESS: &'static str;
    /// Its database, in the words of readiness.
    const DATABASE: &'static str;
    /// When it stops: those that it calls are started before it, and stop only when it has ended.
    const STOPS: Stops;
    /// What is in its part of the catalog.
    type Summary: std::fmt::Debug + Send;

    /// Where it listens.
    fn listen(settings: &Settings) -> SocketAddr;

    /// Its database's URL.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    fn database(settings: &Settings) -> Result<String, Fault>;

    /// Whether its database is named, and not the file in the data folder.
    fn has_named_database(settings: &Settings) -> bool;

    /// Whether statements may be named in its database, where the settings say.
    fn named_statements(settings: &Settings) -> Option<bool>;

    /// The full names of its gRPC services, its own before those that it shares with others.
    fn names() -> &'static [&'static str];

    /// Reads and validates its part of the catalog.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] with the file, the key and the reason.
    fn check(catalog: &Path) -> Result<Self::Summary, CatalogError>;

    /// The newest migration that `database` does not have; [`None`] when it has all.
    fn pending(database: &Database) -> impl Future<Output = Result<Option<i64>, StoreError>> + Send;

    /// Brings the database at `url` up to this version's schema.
    fn migrate(url: &str) -> impl Future<Output = Result<Migrated, Trouble>> + Send;

    /// Opens it on a database that is migrated; `peers` are where the settings name none.
    fn open(settings: &Settings, catalog: PathBuf, peers: &Peers)
    -> impl Future<Output = Result<Self, Trouble>> + Send;

    /// Its gRPC services, to be served.
    fn routes(&self) -> Routes;

    /// Whether it can serve now; else what is missing.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Ends the streams that are open, so that they do not hold up a drain.
    fn end_streams(&self) {}

    /// Answers what is under way, and lets go of the database.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// What keeps a service from starting, by what a person can do about it.
#[derive(Debug)]
pub enum Trouble {
    /// The catalog's file, key and reason.
    Catalog(String),
    /// The database cannot be used.
    Database(String),
    /// Something that has its name and its place already.
    Known(Fault),
}

impl Trouble {
    /// The error and its causes, about the catalog.
    fn catalog(error: impl Into<anyhow::Error>) -> Self {
        Self::Catalog(chain(&error.into()))
    }

    /// The error and its causes, about the database.
    fn database(error: impl Into<anyhow::Error>) -> Self {
        Self::Database(chain(&error.into()))
    }

    fn into_fault(self, catalog: &Path, database: &str) -> Fault {
        match self {
            Self::Catalog(reason) => Fault::Catalog { folder: catalog.to_owned(), reason },
            Self::Database(reason) => Fault::Database { database: without_password(database), reason },
            Self::Known(fault) => fault,
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Known(fault)
    }
}

/// The schema of one service's database before and after its migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Schema {
    /// The newest migration that was applied before.
    pub from: i64,
    /// The newest that is applied now.
    pub to: i64,
}

/// Everything that a service needs and that another process may have: taken before anything is changed.
#[derive(Debug)]
pub struct Port<S: Service> {
    /// The catalog's folder.
    pub catalog: PathBuf,
    /// What is in it.
    pub summary: S::Summary,
    /// Where the service will be.
    pub address: SocketAddr,
    listener: TcpListener,
    lock: Option<FileLock>,
    door: Arc<Door>,
    service: PhantomData<fn() -> S>,
}

impl<S: Service> Port<S> {
    /// Validates the catalog, reads callers and certificates, locks the file and takes the port, in this order.
    ///
    /// # Errors
    ///
    /// [`Fault`]; nothing is held, and no database was touched.
    pub async fn take(settings: &Settings, catalog: PathBuf) -> Result<Self, Fault> {
        let summary = check_catalog::<S>(&catalog)?;
        let door = settings.access.door()?;
        let lock = lock::lock(&S::database(settings)?)?;
        let listener = auric_server::listen(S::listen(settings), &door).await?;
        let address = listener.local_addr().map_err(anyhow::Error::from)?;
        Ok(Self { catalog, summary, address, listener, lock, door, service: PhantomData })
    }

    /// Where the service will be, as others name it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.address)
    }

    fn scheme(&self) -> &'static str {
        if self.door.tls().is_some() { "https" } else { "http" }
    }
}

/// Reads and validates a service's part of the catalog.
///
/// # Errors
///
/// [`Fault::Catalog`] with the file, the key and the reason.
pub fn check_catalog<S: Service>(folder: &Path) -> Result<S::Summary, Fault> {
    S::check(folder).map_err(|error| Fault::Catalog { folder: folder.to_owned(), reason: error.to_string() })
}

/// Brings a service's database up to this version's schema.
///
/// # Errors
///
/// [`Fault::Database`] with its name and the reason.
pub async fn migrate<S: Service>(settings: &Settings) -> Result<Schema, Fault> {
    let database = S::database(settings)?;
    let migrated = S::migrate(&database).await.map_err(|trouble| trouble.into_fault(Path::new(""), &database))?;
    Ok(Schema { from: migrated.from, to: migrated.to })
}

/// Connects to a service's database beside what may be running, and changes nothing.
///
/// # Errors
///
/// [`Fault::Database`] when it does not answer or is not migrated.
pub async fn look_at_database<S: Service>(settings: &Settings) -> Result<(), Fault> {
    let url = S::database(settings)?;
    let looked = async {
        let named_statements = S::named_statements(settings).unwrap_or(PostgresSettings::default().named_statements);
        let database = Database::connect(&url, PostgresSettings { connections_max: 1, named_statements }).await?;
        let pending = S::pending(&database).await;
        database.close().await;
        pending
    };
    let reason = match looked.await {
        Ok(None) => return Ok(()),
        Ok(Some(pending)) => format!("not migrated: {pending} is the newest migration; run `auric migrate`"),
        Err(error) => chain(&error.into()),
    };
    Err(Fault::Database { database: without_password(&url), reason })
}

/// Writes a database's URL without its password.
pub fn without_password(database: &str) -> String {
    let hidden = || {
        let (scheme, rest) = database.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:…@{host}"))
    };
    hidden().unwrap_or_else(|| database.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://auric:s3:cr@t@db/wallet"), "postgres://auric:…@db/wallet");
        assert_eq!(without_password("postgres://auric@db/wallet"), "postgres://auric@db/wallet");
        assert_eq!(without_password("sqlite:///data/wallet.db"), "sqlite:///data/wallet.db");
    }
}
