//! Starting services in this process, and stopping them without losing an answer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auric_auth::Door;
use auric_server::{Drain, ServeError, Services, Stop};
use auric_telemetry::{Health, Telemetry};
use auric_wallet::{CatalogSummary, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::fault::{Fault, chain};
use crate::lock::{self, FileLock};
use crate::output;

pub mod gateway;

/// How long a service may take to become ready before its start is called off.
const READY_WAIT_MAX: Duration = Duration::from_secs(15);

/// How long a database may take to say that it is there: less than a service may, so that it is known which of them is late.
const DATABASE_WAIT_MAX: Duration = Duration::from_millis(1_500);

/// What the wallet needs, in the words of readiness.
const WALLET_DATABASE: &str = "wallet.database";

/// The schema of one service's database before and after its migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Schema {
    /// The newest migration that was applied before.
    pub from: i64,
    /// The newest that is applied now.
    pub to: i64,
}

/// A service that was started, and is not yet ready.
#[derive(Debug)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    is_serving: oneshot::Receiver<()>,
}

/// Services that run in this process, and what they hold.
#[derive(Debug)]
pub struct Running {
    tasks: JoinSet<Result<Drain, Fault>>,
    stop: Stop,
    signals: Signals,
    locks: Vec<FileLock>,
    health: Health,
}

impl Running {
    /// Begins with no service.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        let stop = Stop { token: CancellationToken::new(), drain_max: Duration::from_secs(settings.drain_seconds) };
        let health = Health::new();
        Ok(Self { tasks: JoinSet::new(), stop, signals: Signals::new()?, locks: Vec::new(), health })
    }

    /// Shows metrics and health by HTTP where the settings say so, until the endpoint is dropped.
    ///
    /// # Errors
    ///
    /// [`Fault::Metrics`] when the address cannot be listened on.
    pub async fn show(&self, telemetry: &Telemetry) -> Result<Option<auric_telemetry::Endpoint>, Fault> {
        let endpoint = telemetry.serve(&self.health).await.map_err(Fault::Metrics)?;
        if let Some(endpoint) = &endpoint {
            let metrics = endpoint.address();
            tracing::info!(%metrics, "metrics and health are shown at http://{metrics}");
        }
        Ok(endpoint)
    }

    /// Starts the wallet on a database that is migrated.
    ///
    /// # Errors
    ///
    /// [`Fault`]; the port and the file are free again.
    pub async fn start_wallet(&mut self, settings: &Settings, port: Port) -> Result<Started, Fault> {
        let config = settings.wallet_config(port.catalog)?;
        let opened = auric_wallet::Wallet::open(&config).await;
        let wallet = opened.map_err(|error| wallet_fault(error, &config.catalog, &config.database))?;
        let (stop, health) = (self.stop.clone(), self.health.clone());
        health.expect(WALLET_DATABASE);
        self.locks.extend(port.lock);
        let door = port.door;
        let (serving, is_serving) = oneshot::channel();
        self.tasks.spawn(async move {
            let services = Services {
                routes: wallet.routes(),
                names: auric_wallet::Wallet::service_names(),
                serving: Some(serving),
            };
            let served = serve_wallet(&wallet, port.listener, services, door, stop, &health).await;
            wallet.close().await;
            Ok(served?)
        });
        Ok(Started { address: port.address, is_serving })
    }

    /// Waits until `started` says that it is ready.
    ///
    /// # Errors
    ///
    /// What ended it, when it ended; or that it did not become ready in time.
    pub async fn wait_ready(&mut self, started: Started) -> Result<(), Fault> {
        let Started { address, is_serving } = started;
        let late = || {
            anyhow::anyhow!(
                "the service at {address} is not ready after {} s; its log says why",
                READY_WAIT_MAX.as_secs()
            )
        };
        tokio::select! {
            Ok(()) = is_serving => Ok(()),
            () = tokio::time::sleep(READY_WAIT_MAX) => Err(Fault::Other(late())),
            fault = ended_early(&mut self.tasks) => Err(fault),
        }
    }

    /// Serves until a signal arrives, or a service ends by itself; then drains.
    ///
    /// # Errors
    ///
    /// What ended the service; [`Fault::Interrupted`] when a second signal cuts the drain.
    pub async fn until_stopped(mut self) -> Result<(), Fault> {
        let broken = tokio::select! {
            () = self.signals.next() => None,
            fault = ended_early(&mut self.tasks) => Some(fault),
        };
        if broken.is_none() {
            output::tell("stopping: what is under way is answered first (again to stop at once)");
        }
        self.stop.token.cancel();
        let drained = tokio::select! {
            drained = drain(&mut self.tasks) => drained?,
            () = self.signals.next() => return Err(Fault::Interrupted),
        };
        drop(self.locks);
        match (broken, drained) {
            (Some(fault), _) => Err(fault),
            (None, Drain::Complete) => {
                output::tell("stopped; everything is kept");
                Ok(())
            }
            (None, Drain::Cut { requests }) => {
                output::tell(&format!(
                    "stopped; {requests} requests were cut, and their callers do not know the outcome"
                ));
                Ok(())
            }
        }
    }
}

/// Serves the wallet until the drain has ended; its streams end when the drain begins, since they would hold it up.
async fn serve_wallet(
    wallet: &auric_wallet::Wallet,
    listener: tokio::net::TcpListener,
    services: Services,
    door: Arc<Door>,
    stop: Stop,
    health: &Health,
) -> Result<Drain, ServeError> {
    let draining = stop.token.clone();
    let ready = || async {
        let late = |_| Err(format!("no answer within {} ms", DATABASE_WAIT_MAX.as_millis()));
        let answer = tokio::time::timeout(DATABASE_WAIT_MAX, wallet.ready()).await.unwrap_or_else(late);
        health.tell(WALLET_DATABASE, answer.clone());
        answer
    };
    let serving = auric_server::serve(listener, services, door, ready, stop);
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = draining.cancelled() => {
            health.drain();
            wallet.end_streams();
        }
    }
    serving.await
}

/// Everything that the wallet needs and that another process may have: taken before anything is changed.
#[derive(Debug)]
pub struct Port {
    /// The catalog's folder.
    pub catalog: PathBuf,
    /// What is in it.
    pub summary: CatalogSummary,
    /// Where it will be served.
    pub address: SocketAddr,
    listener: tokio::net::TcpListener,
    lock: Option<FileLock>,
    door: Arc<Door>,
}

impl Port {
    /// Validates the catalog, reads callers and certificates, locks the file and takes the port, in this order.
    ///
    /// # Errors
    ///
    /// [`Fault`]; nothing is held, and no database was touched.
    pub async fn take(settings: &Settings, catalog: PathBuf) -> Result<Self, Fault> {
        let summary = check_catalog(&catalog)?;
        let door = settings.access.door()?;
        let lock = lock::lock(&settings.wallet_database()?)?;
        let listener = auric_server::listen(settings.wallet.listen, &door).await?;
        let address = listener.local_addr().map_err(anyhow::Error::from)?;
        Ok(Self { catalog, summary, address, listener, lock, door })
    }
}

impl Port {
    /// The scheme of its URL.
    pub fn scheme(&self) -> &'static str {
        if self.door.tls().is_some() { "https" } else { "http" }
    }
}

/// Reads and validates the catalog.
///
/// # Errors
///
/// [`Fault::Catalog`] with the file, the key and the reason.
pub fn check_catalog(folder: &Path) -> Result<CatalogSummary, Fault> {
    auric_wallet::check_catalog(folder)
        .map_err(|error| Fault::Catalog { folder: folder.to_owned(), reason: error.to_string() })
}

/// Brings the wallet's database up to this version's schema.
///
/// # Errors
///
/// [`Fault::Database`] with its name and the reason.
pub async fn migrate_wallet(settings: &Settings) -> Result<Schema, Fault> {
    let database = settings.wallet_database()?;
    let migrated = auric_wallet::migrate(&database).await;
    let migrated = migrated.map_err(|error| wallet_fault(error, Path::new(""), &database))?;
    Ok(Schema { from: migrated.from, to: migrated.to })
}

/// Says what in the surroundings keeps the wallet from starting.
pub fn wallet_fault(error: StartError, catalog: &Path, database: &str) -> Fault {
    match error {
        StartError::Catalog(error) => Fault::Catalog { folder: catalog.to_owned(), reason: error.to_string() },
        StartError::Watch(_) => Fault::Catalog { folder: catalog.to_owned(), reason: chain(&error.into()) },
        StartError::Config { .. } => Fault::Config(error.to_string()),
        StartError::Store(_) | StartError::NotMigrated { .. } => {
            Fault::Database { database: without_password(database), reason: chain(&error.into()) }
        }
    }
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

/// Waits for a service that ends although nobody told it to; for ever when there is none.
async fn ended_early(tasks: &mut JoinSet<Result<Drain, Fault>>) -> Fault {
    match tasks.join_next().await {
        Some(Ok(Err(fault))) => fault,
        Some(Ok(Ok(_))) => Fault::Other(anyhow::anyhow!("a service ended by itself")),
        Some(Err(error)) => Fault::Other(error.into()),
        None => std::future::pending().await,
    }
}

async fn drain(tasks: &mut JoinSet<Result<Drain, Fault>>) -> Result<Drain, Fault> {
    let mut cut: usize = 0;
    while let Some(ended) = tasks.join_next().await {
        if let Drain::Cut { requests } = ended.map_err(anyhow::Error::from)?? {
            cut = cut.saturating_add(requests);
        }
    }
    Ok(if cut == 0 { Drain::Complete } else { Drain::Cut { requests: cut } })
}

/// The signals that ask for a stop.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
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
