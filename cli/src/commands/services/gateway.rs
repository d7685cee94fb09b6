//! The gateway as a service of this program: its public door, and its API for operators.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_auth::Door;
use auric_catalog::CatalogError;
use auric_db::{Database, Migrated, StoreError};
use auric_gateway::{Gateway, StartError, http};
use auric_server::{Drain, Stop};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::service::Routes;

use super::running::{self, Running, Serving, Started};
use super::{Port, Service, Stops, Trouble};
use crate::config::{Peers, Settings};
use crate::fault::{Fault, chain};

/// Everything that the gateway needs and that another process may have: taken before anything is changed.
#[derive(Debug)]
pub struct GatewayPort {
    /// Where operators ask.
    pub admin: Port<Gateway>,
    /// Where providers send their events.
    pub webhooks: SocketAddr,
    listener: TcpListener,
}

impl GatewayPort {
    /// Takes what every service needs, and then the public port.
    ///
    /// # Errors
    ///
    /// [`Fault`]; nothing is held, and no database was touched.
    pub async fn take(settings: &Settings, catalog: PathBuf) -> Result<Self, Fault> {
        let admin = Port::take(settings, catalog).await?;
        let is_guarded = admin.door.tls().is_some() || settings.gateway.behind_proxy;
        let listener = http::listen(settings.gateway.listen, is_guarded).await.map_err(listen_fault)?;
        let webhooks = listener.local_addr().map_err(anyhow::Error::from)?;
        Ok(Self { admin, webhooks, listener })
    }

    /// Where providers send their events, as they are told.
    pub fn webhooks_url(&self) -> String {
        format!("{}://{}/webhooks/", self.admin.scheme(), self.webhooks)
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
    /// Starts the gateway on a database that is migrated; `peers` are where the settings name none.
    ///
    /// # Errors
    ///
    /// [`Fault`]; the ports and the file are free again.
    pub async fn start_gateway(
        &mut self,
        settings: &Settings,
        port: GatewayPort,
        peers: &Peers,
    ) -> Result<Started, Fault> {
        let GatewayPort { admin, listener: webhooks, .. } = port;
        let Port { catalog, address, listener, lock, door, .. } = admin;
        let gateway = running::open::<Gateway>(&self.background, settings, &catalog, peers).await?;
        let health = self.expect::<Gateway>(lock);
        let group = self.group::<Gateway>();
        let stop = group.stop.clone();
        let (serving, is_serving) = oneshot::channel();
        let with = Serving { listener, door: Arc::clone(&door), stop: stop.clone(), health, serving };
        group.tasks.spawn(async move {
            let admin = async {
                let served = running::serve(&gateway, with).await;
                // One half without the other is no gateway.
                stop.token.cancel();
                served
            };
            let (cut, served) = tokio::join!(serve_webhooks(&gateway, webhooks, door, stop.clone()), admin);
            gateway.close().await;
            Ok(match served? {
                Drain::Complete if cut == 0 => Drain::Complete,
                Drain::Complete => Drain::Cut { requests: cut },
                Drain::Cut { requests } => Drain::Cut { requests: requests.saturating_add(cut) },
            })
        });
        Ok(Started { address, is_serving })
    }
}

async fn serve_webhooks(gateway: &Gateway, listener: TcpListener, door: Arc<Door>, stop: Stop) -> usize {
    let router = http::router(Arc::clone(gateway.handlers()));
    http::serve(listener, router, move || door.tls(), stop.token, stop.drain_max).await
}

impl Service for Gateway {
    const NAME: &'static str = "gateway";
    const PROCESS: &'static str = "auric-gateway";
    const DATABASE: &'static str = "gateway.database";
    const STOPS: Stops = Stops::First;
    type Summary = usize;

    fn listen(settings: &Settings) -> SocketAddr {
        settings.gateway.admin_listen
    }

    fn database(settings: &Settings) -> Result<String, Fault> {
        settings.gateway_database()
    }

    fn has_named_database(settings: &Settings) -> bool {
        settings.gateway.database.is_some()
    }

    fn named_statements(settings: &Settings) -> Option<bool> {
        settings.gateway.named_statements
    }

    fn names() -> &'static [&'static str] {
        Self::service_names()
    }

    fn check(catalog: &Path) -> Result<Self::Summary, CatalogError> {
        auric_gateway::check_catalog(catalog)
    }

    async fn pending(database: &Database) -> Result<Option<i64>, StoreError> {
        auric_db::pending(database, auric_gateway::store::migrator(database)).await
    }

    async fn migrate(url: &str) -> Result<Migrated, Trouble> {
        auric_gateway::migrate(url).await.map_err(explain)
    }

    async fn open(settings: &Settings, catalog: PathBuf, peers: &Peers) -> Result<Self, Trouble> {
        Self::open(&settings.gateway_config(catalog, peers)?).await.map_err(explain)
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
        StartError::Config { .. } => Fault::Config(error.to_string()).into(),
        StartError::Wallet(error) => Fault::Config(format!("gateway.wallet: {}", chain(&error.into()))).into(),
        StartError::Store(_) | StartError::NotMigrated { .. } => Trouble::database(error),
    }
}
