//! One copy of a service: its connection, and whether calls go there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Code;
use tonic::transport::{self, Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{ConfigError, Identity, Origin, Policy, Tls, read};
use crate::rank;

/// What the TLS files hold.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Material {
    ca: Vec<u8>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Material {
    /// Reads the files; [`None`] where there are none.
    pub(crate) fn read(tls: &Tls) -> Result<Option<Self>, ConfigError> {
        let Some(ca) = &tls.ca else { return Ok(None) };
        Ok(Some(Self { ca: read(ca)?, identity: tls.identity.as_ref().map(read_pair).transpose()? }))
    }

    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    fn config(&self, host: &str) -> ClientTlsConfig {
        let config = ClientTlsConfig::new().domain_name(host).ca_certificate(Certificate::from_pem(&self.ca));
        match &self.identity {
            Some((certificate, key)) => config.identity(transport::Identity::from_pem(certificate, key)),
            None => config,
        }
    }
}

fn read_pair(identity: &Identity) -> Result<(Vec<u8>, Vec<u8>), ConfigError> {
    Ok((read(&identity.certificate)?, read(&identity.key)?))
}

/// One address of one target.
pub(crate) struct ServiceCopy {
    pub(crate) address: SocketAddr,
    pub(crate) origin: usize,
    /// Whom a player's calls prefer is decided by this, the same way in every process.
    pub(crate) hash: u64,
    endpoint: Endpoint,
    connection: Mutex<Connection>,
    is_resting: AtomicBool,
}

/// A connection that is made when it is first used, and its number among those of the copy.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) channel: transport::Channel,
    number: u64,
}

impl ServiceCopy {
    pub(crate) fn new(
        origin: (usize, &Origin),
        address: SocketAddr,
        policy: &Policy,
        tls: Option<&Material>,
    ) -> Result<Self, transport::Error> {
        let (index, origin) = origin;
        let endpoint = endpoint(origin, address, policy, tls)?;
        let connection = Connection { channel: endpoint.connect_lazy(), number: 0 };
        Ok(Self {
            address,
            origin: index,
            hash: rank::hash(address.to_string().as_bytes()),
            endpoint,
            connection: Mutex::new(connection),
            is_resting: AtomicBool::new(false),
        })
    }

    pub(crate) fn connection(&self) -> Connection {
        self.lock().clone()
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Acquire)
    }

    /// Leaves the copy alone until it answers a health check, and the connection for ever: its calls end as they can, new ones get another.
    ///
    /// A call that finds the connection broken after it was replaced says nothing about the one in its place.
    pub(crate) fn rest(&self, broken: &Connection) {
        let mut connection = self.lock();
        if connection.number == broken.number {
            *connection = Connection { channel: self.endpoint.connect_lazy(), number: broken.number.saturating_add(1) };
            drop(connection);
            if !self.is_resting.swap(true, Ordering::AcqRel) {
                tracing::info!(address = %self.address, "{} broke a call, and is left alone until it is healthy", self.address);
            }
        }
    }

    /// Asks for the health of a copy that is left alone, and lets calls go there again when it answers.
    pub(crate) async fn probe(&self, within: Duration) {
        let connection = self.connection();
        let mut health = HealthClient::new(connection.channel.clone());
        let asked = tokio::time::timeout(within, health.check(HealthCheckRequest::default())).await;
        let is_well = match asked {
            Ok(Ok(answer)) => answer.into_inner().status() == ServingStatus::Serving,
            // It answers, though it does not say how it is.
            Ok(Err(status)) => {
                matches!(status.code(), Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied)
            }
            // This connection may have been made while nothing came through.
            Err(_) => {
                self.rest(&connection);
                false
            }
        };
        if is_well && self.is_resting.swap(false, Ordering::AcqRel) {
            tracing::info!(address = %self.address, "{} is healthy again", self.address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint(
    origin: &Origin,
    address: SocketAddr,
    policy: &Policy,
    tls: Option<&Material>,
) -> Result<Endpoint, transport::Error> {
    let scheme = if origin.is_tls { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
        .origin(origin.uri.clone())
        .user_agent(concat!("auric-client/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(policy.connect_timeout)
        .tcp_nodelay(true)
        // Without these a partition that says nothing is never noticed.
        .http2_keep_alive_interval(policy.keepalive_interval)
        .keep_alive_timeout(policy.keepalive_timeout)
        .keep_alive_while_idle(true);
    match tls.filter(|_| origin.is_tls) {
        Some(material) => endpoint.tls_config(material.config(&origin.host)),
        None => Ok(endpoint),
    }
}
