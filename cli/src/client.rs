//! How the commands talk to a running service.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_api::gateway::v1::gateway_service_client::GatewayServiceClient;
use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_api::scheduler::v1::scheduler_service_client::SchedulerServiceClient;
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_server::metadata;
use auric_status::{Problem, reason};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status, TimeoutExpired};
use uuid::Uuid;

use crate::config::ClientSettings;
use crate::fault::{Fault, chain};

/// How long a connection may take to be made.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// A connection to one service, and what goes beside every request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The connection.
    pub channel: Channel,
    settings: ClientSettings,
    credential: Option<MetadataValue<Ascii>>,
    trace_id: String,
}

/// One of the services that commands ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Who owns every balance.
    Wallet,
    /// Who draws from banners.
    Summon,
    /// Who owns what players have collected.
    Collection,
    /// The door for payment providers, as its operators see it.
    Gateway,
    /// Who keeps what is to be done when.
    Scheduler,
}

impl Peer {
    /// Where it is.
    pub fn url(self, settings: &ClientSettings) -> &str {
        match self {
            Self::Wallet => &settings.wallet,
            Self::Summon => &settings.summon,
            Self::Collection => &settings.collection,
            Self::Gateway => &settings.gateway,
            Self::Scheduler => &settings.scheduler,
        }
    }

    /// The setting that says so.
    const fn key(self) -> &'static str {
        match self {
            Self::Wallet => "client.wallet",
            Self::Summon => "client.summon",
            Self::Collection => "client.collection",
            Self::Gateway => "client.gateway",
            Self::Scheduler => "client.scheduler",
        }
    }
}

impl Client {
    /// Connects to the wallet.
    ///
    /// # Errors
    ///
    /// As [`Self::connect_to`].
    pub async fn connect(settings: &ClientSettings) -> Result<Self, Fault> {
        Self::connect_to(Peer::Wallet, settings).await
    }

    /// Connects to a service.
    ///
    /// # Errors
    ///
    /// [`Fault::Config`] for what is no URL, `UNAVAILABLE` when nobody answers there.
    pub async fn connect_to(peer: Peer, settings: &ClientSettings) -> Result<Self, Fault> {
        let (key, url) = (peer.key(), peer.url(settings));
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|error| Fault::Config(format!("{key}: {url:?} is no URL: {error}")))?;
        let endpoint = with_tls(endpoint, url, settings)?;
        let credential = credential(key, url, settings)?;
        let channel =
            endpoint.connect_timeout(CONNECT_WAIT_MAX).tcp_nodelay(true).connect().await.map_err(|error| {
                let why = chain(&error.into());
                let why = why.trim_start_matches("transport error: ");
                let message = format!("nothing answers at {url}: {why}; is it running? `auric up` starts it");
                Problem::new(Code::Unavailable, reason::UNAVAILABLE, message)
            })?;
        Ok(Self { channel, settings: settings.clone(), credential, trace_id: Uuid::new_v4().simple().to_string() })
    }

    /// The wallet's methods.
    pub fn wallet(&self) -> WalletServiceClient<Channel> {
        WalletServiceClient::new(self.channel.clone())
    }

    /// The summon service's methods.
    pub fn summon(&self) -> SummonServiceClient<Channel> {
        SummonServiceClient::new(self.channel.clone())
    }

    /// The collection's methods.
    pub fn collection(&self) -> CollectionServiceClient<Channel> {
        CollectionServiceClient::new(self.channel.clone())
    }

    /// The methods of a service that takes part in operations of others.
    pub fn participant(&self) -> ParticipantServiceClient<Channel> {
        ParticipantServiceClient::new(self.channel.clone())
    }

    /// The gateway's methods.
    pub fn gateway(&self) -> GatewayServiceClient<Channel> {
        GatewayServiceClient::new(self.channel.clone())
    }

    /// The scheduler's methods.
    pub fn scheduler(&self) -> SchedulerServiceClient<Channel> {
        SchedulerServiceClient::new(self.channel.clone())
    }

    /// Puts the caller, the trace and the deadline beside `message`.
    ///
    /// # Errors
    ///
    /// [`Fault::Other`] never in practice: an id is printable.
    pub fn request<T>(&self, message: T) -> Result<Request<T>, Fault> {
        let mut request = Request::new(message);
        request.set_timeout(Duration::from_secs(self.settings.timeout_seconds));
        let text = |text: &str| MetadataValue::try_from(text).map_err(anyhow::Error::from);
        let span = &Uuid::new_v4().simple().to_string()[..16];
        let parent = format!("00-{}-{span}-01", self.trace_id);
        request.metadata_mut().insert(metadata::CALLER, text(self.settings.caller.as_str())?);
        request.metadata_mut().insert(metadata::TRACEPARENT, text(&parent)?);
        if let Some(credential) = &self.credential {
            request.metadata_mut().insert(auric_auth::AUTHORIZATION, credential.clone());
        }
        Ok(request)
    }

    /// Makes a fault of what came instead of an answer.
    pub fn fault(&self, status: &Status) -> Fault {
        let problem = problem_of(status, self.settings.timeout_seconds);
        if problem.code == Code::Internal {
            return problem.with("trace_id", &self.trace_id).into();
        }
        problem.into()
    }
}

/// Speaks TLS to an `https` URL, and shows a client certificate where there is one.
fn with_tls(endpoint: Endpoint, url: &str, settings: &ClientSettings) -> Result<Endpoint, Fault> {
    if !url.starts_with("https:") {
        return Ok(endpoint);
    }
    let read = |path: &Path| std::fs::read(path).map_err(|error| Fault::Config(format!("{}: {error}", path.display())));
    let mut tls = ClientTlsConfig::new();
    if let Some(ca) = &settings.ca {
        tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
    }
    match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?)),
        (None, None) => {}
        _ => return Err(Fault::Config("client: certificate and key go together".to_owned())),
    }
    endpoint.tls_config(tls).map_err(|error| Fault::Config(format!("client: {}", chain(&error.into()))))
}

/// Reads the credential, and refuses to send it where others can read along.
fn credential(key: &str, url: &str, settings: &ClientSettings) -> Result<Option<MetadataValue<Ascii>>, Fault> {
    let from_file = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .map_err(|error| Fault::Config(format!("client.credential_file: {}: {error}", path.display())))
    };
    let text = match (&settings.credential, &settings.credential_file) {
        (Some(credential), _) => credential.reveal().to_owned(),
        (None, Some(path)) => from_file(path)?,
        (None, None) => return Ok(None),
    };
    let uri: http::Uri = url.parse().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if uri.scheme_str() != Some("https") && !is_loopback {
        return Err(Fault::Config(format!("{key}: {url} is not https: the credential would be sent in the clear")));
    }
    let mut value = MetadataValue::try_from(format!("Bearer {}", text.trim()))
        .map_err(|_| Fault::Config("client.credential: must be visible ASCII".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Whether the answer is the first answer to its key, given again.
pub fn is_replayed<T>(response: &Response<T>) -> bool {
    is_marked(response.metadata())
}

/// The same for a refusal.
pub fn is_replayed_refusal(status: &Status) -> bool {
    is_marked(status.metadata())
}

fn is_marked(metadata: &tonic::metadata::MetadataMap) -> bool {
    metadata.get(metadata::REPLAYED).is_some_and(|value| value == "true")
}

/// Reads what the service said. What the transport says in its place always means that the outcome is unknown, whatever code it chose.
fn problem_of(status: &Status, timeout_seconds: u64) -> Problem {
    let timeout = TimeoutExpired(()).to_string();
    if status.code() == Code::Cancelled && status.message() == timeout {
        let message = format!("no answer within {timeout_seconds} s; the outcome is unknown");
        return Problem::new(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, message)
            .with("timeout_seconds", timeout_seconds);
    }
    if std::error::Error::source(status).is_some() {
        let message = format!("the connection broke: {}; the outcome is unknown", status.message());
        return Problem::new(Code::Unavailable, reason::UNAVAILABLE, message);
    }
    Problem::from_status(status)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_the_transport_says_leaves_the_outcome_unknown() {
        let timeout = problem_of(&Status::cancelled("Timeout expired"), 10);
        assert_eq!((timeout.code, timeout.reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        assert!(timeout.unspoken_numbers().is_empty());

        let mut broken = Status::unknown("transport error");
        broken.set_source(Arc::new(std::io::Error::other("broken pipe")));
        assert_eq!(problem_of(&broken, 10).code, Code::Unavailable);
        assert_eq!(problem_of(&Status::cancelled("by the service"), 10).code, Code::Cancelled);
    }
}
