//! Starting the gateway in this process: its public door, and its API for operators.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auric_auth::Door;
use auric_gateway::{Gateway, StartError, http};
use auric_server::{Drain, ServeError, Services, Stop};
use auric_telemetry::Health;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Running, Schema, Started, without_password};
use crate::config::Settings;
use crate::fault::{Fault, chain};
use crate::lock::{self, FileLock};

/// How long the inbox may take to say that it is there.
const DATABASE_WAIT_MAX: Duration = Duration::from_millis(1_500);

/// What the gateway needs, in the words of readiness.
const GATEWAY_DATABASE: &str = "gateway.database";

/// Everything that the gateway needs and that another process may have: taken before anything is changed.
#[derive(Debug)]
pub struct GatewayPort {
    /// The catalog's folder.
    pub catalog: PathBuf,
    /// How many products there are.
    pub products: usize,
    /// Where providers send their events.
    pub webhooks: SocketAddr,
    /// Where operators ask.
    pub admin: SocketAddr,
    webhook_listener: TcpListener,
    admin_listener: TcpListener,
    lock: Option<FileLock>,
    door: Arc<Door>,
}

impl GatewayPort {
    /// Validates the products, reads callers and certificates, locks the file and takes both ports, in this order.
    ///
    /// # Errors
    ///
    /// [`Fault`]; nothing is held, and no database was touched.
    pub async fn take(settings: &Settings, catalog: PathBuf) -> Result<Self, Fault> {
        let products = check_products(&catalog)?;
        let door = settings.access.door()?;
        let lock = lock::lock(&settings.gateway_database()?)?;
        let is_guarded = door.tls().is_some() || settings.gateway.behind_proxy;
        let webhook_listener = http::listen(settings.gateway.listen, is_guarded).await.map_err(listen_fault)?;
        let admin_listener = auric_server::listen(settings.gateway.admin_listen, &door).await?;
        let webhooks = webhook_listener.local_addr().map_err(anyhow::Error::from)?;
        let admin = admin_listener.local_addr().map_err(anyhow::Error::from)?;
        Ok(Self { catalog, products, webhooks, admin, webhook_listener, admin_listener, lock, door })
    }

    /// The scheme of its URLs.
    pub fn scheme(&self) -> &'static str {
        if self.door.tls().is_some() { "https" } else { "http" }
    }
}

fn listen_fault(error: http::ListenError) -> Fault {
    match error {
        http::ListenError::InTheClear { .. } => {
            Fault::Config(format!("gateway.listen: {error} (access.certificate, or gateway.behind_proxy = true)"))
        }
        http::ListenError::System { address, source } => match source.kind() {
            std::io::ErrorKind::AddrInUse => auric_server::ListenError::Taken { address }.into(),
            _ => auric_server::ListenError::System { address, source }.into(),
        },
    }
}

impl Running {
    /// Starts the gateway on a database that is migrated; `wallet` is the wallet's URL where the settings name none.
    ///
    /// # Errors
    ///
    /// [`Fault`]; the ports and the file are free again.
    pub async fn start_gateway(
        &mut self,
        settings: &Settings,
        port: GatewayPort,
        wallet: Option<&str>,
    ) -> Result<Started, Fault> {
        let GatewayPort { catalog, admin, webhook_listener, admin_listener, lock, door, .. } = port;
        let config = settings.gateway_config(catalog, wallet)?;
        let opened = Gateway::open(&config).await;
        let gateway = opened.map_err(|error| gateway_fault(error, &config.catalog, &config.database))?;
        let (stop, health) = (self.stop.clone(), self.health.clone());
        health.expect(GATEWAY_DATABASE);
        self.locks.extend(lock);
        let (serving, is_serving) = oneshot::channel();
        self.tasks.spawn(async move {
            let services =
                Services { routes: gateway.routes(), names: Gateway::service_names(), serving: Some(serving) };
            let webhooks = serve_webhooks(&gateway, webhook_listener, Arc::clone(&door), stop.clone());
            let admin = serve_admin(&gateway, admin_listener, services, door, stop, &health);
            let (cut, served) = tokio::join!(webhooks, admin);
            gateway.close().await;
            Ok(match served? {
                Drain::Complete if cut == 0 => Drain::Complete,
                Drain::Complete => Drain::Cut { requests: cut },
                Drain::Cut { requests } => Drain::Cut { requests: requests.saturating_add(cut) },
            })
        });
        Ok(Started { address: admin, is_serving })
    }
}

async fn serve_webhooks(gateway: &Gateway, listener: TcpListener, door: Arc<Door>, stop: Stop) -> usize {
    let router = http::router(Arc::clone(gateway.handlers()));
    http::serve(listener, router, move || door.tls(), stop.token, stop.drain_max).await
}

async fn serve_admin(
    gateway: &Gateway,
    listener: TcpListener,
    services: Services,
    door: Arc<Door>,
    stop: Stop,
    health: &Health,
) -> Result<Drain, ServeError> {
    let token = stop.token.clone();
    let ready = || async {
        let late = |_| Err(format!("no answer within {} ms", DATABASE_WAIT_MAX.as_millis()));
        let answer = tokio::time::timeout(DATABASE_WAIT_MAX, gateway.ready()).await.unwrap_or_else(late);
        health.tell(GATEWAY_DATABASE, answer.clone());
        answer
    };
    let served = auric_server::serve(listener, services, door, ready, stop).await;
    // One half without the other is no gateway.
    token.cancel();
    served
}

/// Reads and validates the products.
///
/// # Errors
///
/// [`Fault::Catalog`] with the file, the key and the reason.
pub fn check_products(folder: &Path) -> Result<usize, Fault> {
    auric_gateway::check_catalog(folder)
        .map_err(|error| Fault::Catalog { folder: folder.to_owned(), reason: error.to_string() })
}

/// Brings the gateway's database up to this version's schema.
///
/// # Errors
///
/// [`Fault::Database`] with its name and the reason.
pub async fn migrate_gateway(settings: &Settings) -> Result<Schema, Fault> {
    let database = settings.gateway_database()?;
    let migrated = auric_gateway::migrate(&database).await;
    let migrated = migrated.map_err(|error| gateway_fault(error, Path::new(""), &database))?;
    Ok(Schema { from: migrated.from, to: migrated.to })
}

/// Says what in the surroundings keeps the gateway from starting.
pub fn gateway_fault(error: StartError, catalog: &Path, database: &str) -> Fault {
    match error {
        StartError::Catalog(error) => Fault::Catalog { folder: catalog.to_owned(), reason: error.to_string() },
        StartError::Watch(_) => Fault::Catalog { folder: catalog.to_owned(), reason: chain(&error.into()) },
        StartError::Config { .. } => Fault::Config(error.to_string()),
        StartError::Wallet(error) => Fault::Config(format!("gateway.wallet: {}", chain(&error.into()))),
        StartError::Store(_) | StartError::NotMigrated { .. } => {
            Fault::Database { database: without_password(database), reason: chain(&error.into()) }
        }
    }
}
