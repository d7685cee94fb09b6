//! A served house with a door, its certificates, and clients of every kind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auric_api::bench::v1 as pb;
use auric_auth::{AUTHORIZATION, Credential, Door, DoorFiles, TlsFiles};
use auric_server::{Drain, Services, Stop, listen, metadata, serve};
use auric_time::SystemClock;
use pb::echo_service_client::EchoServiceClient;
use pb::echo_service_server::{EchoService, EchoServiceServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status};

/// Answers with who called, and waits for ever when it is asked to.
struct Who;

/// The request metadata that asks it to wait.
const WAIT: &str = "wait";

#[tonic::async_trait]
impl EchoService for Who {
    async fn echo(&self, request: Request<pb::EchoRequest>) -> Result<Response<pb::EchoResponse>, Status> {
        if request.metadata().contains_key(WAIT) {
            std::future::pending::<()>().await;
        }
        let caller = metadata::caller(request.metadata()).map_err(auric_status::Problem::into_status)?;
        let secret = request.metadata().get(AUTHORIZATION).is_some();
        let widened = metadata::is_granted(request.metadata(), auric_auth::ADMIN_HOLDS);
        let mut response = Response::new(pb::EchoResponse {});
        let said = format!(
            "{caller}{}{}",
            if secret { " with its secret" } else { "" },
            if widened { " widened" } else { "" }
        );
        response.metadata_mut().insert("who", said.parse().unwrap());
        Ok(response)
    }
}

/// Who issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        Issued { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    pub fn server(&self) -> Issued {
        self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn client(&self, name: &str) -> Issued {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// The files of a door.
pub struct Files {
    folder: TempDir,
}

impl Files {
    pub fn new(callers: &str, authority: &Authority) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write("callers.toml", callers);
        files.write("ca.pem", &authority.pem());
        files.write_server(&authority.server());
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file at once, as a cluster does.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    pub fn write_server(&self, issued: &Issued) {
        // A certificate and a key that do not fit are refused until both are there.
        self.write("server.pem", &issued.certificate);
        self.write("server.key", &issued.key);
    }

    pub fn door(&self) -> Arc<Door> {
        let tls = TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: Some(self.path("ca.pem")),
        };
        let files = DoorFiles { callers: Some(self.path("callers.toml")), tls: Some(tls) };
        Arc::new(Door::new(files, Arc::new(SystemClock)).unwrap())
    }
}

/// A served house; dropping it stops it.
pub struct House {
    pub address: SocketAddr,
    _serving: JoinSet<Drain>,
}

impl House {
    pub async fn new(door: Arc<Door>) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap(), &door).await.unwrap();
        let address = listener.local_addr().unwrap();
        let services = Services {
            routes: Routes::new(EchoServiceServer::new(Who)),
            names: &["auric.bench.v1.EchoService"],
            serving: None,
        };
        let when = Stop { token: CancellationToken::new(), drain_max: Duration::from_secs(10) };
        let mut serving = JoinSet::new();
        serving.spawn(async move { serve(listener, services, door, || async { Ok(()) }, when).await.unwrap() });
        Self { address, _serving: serving }
    }

    pub fn plain(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    /// Over TLS, with a client certificate where one is given.
    pub fn tls(&self, authority: &Authority, client: Option<&Issued>) -> Endpoint {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
        let tls = match client {
            Some(Issued { certificate, key }) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        Endpoint::from_shared(format!("https://localhost:{}", self.address.port())).unwrap().tls_config(tls).unwrap()
    }
}

/// Asks who is calling.
pub async fn who(channel: &Channel, credential: Option<&Credential>) -> Result<String, Status> {
    let mut request = Request::new(pb::EchoRequest {});
    if let Some(credential) = credential {
        request.metadata_mut().insert(AUTHORIZATION, format!("Bearer {}", credential.reveal()).parse().unwrap());
    }
    // Whatever a request says of itself counts only where nobody asks.
    request.metadata_mut().insert(metadata::CALLER, "somebody-else".parse().unwrap());
    request.metadata_mut().insert(metadata::GRANTED, "admin.holds".parse().unwrap());
    let answer = EchoServiceClient::new(channel.clone()).echo(request).await?;
    Ok(answer.metadata().get("who").unwrap().to_str().unwrap().to_owned())
}

/// Calls and is never answered.
pub async fn wait(channel: Channel) -> Status {
    let mut request = Request::new(pb::EchoRequest {});
    request.metadata_mut().insert(WAIT, "1".parse().unwrap());
    EchoServiceClient::new(channel).echo(request).await.unwrap_err()
}

/// The line of a registry.
pub fn caller(name: &str, scope: &str, rest: &str) -> String {
    format!("[callers.{name}]\nscopes = ['{scope}']\n{rest}\n")
}
