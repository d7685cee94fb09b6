//! Whom a client trusts, as whom it comes, and that both may change while calls are made.

use std::path::{Path, PathBuf};

use auric_client::{ClientConfig, ConfigError, Credential, Identity, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::server::ServerTlsConfig;
use tonic::transport::{Certificate, Identity as ServerIdentity};

use super::service::{Copy, hurried, in_time, post};

/// An authority of the test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM, and the certificate as it is sent.
struct Pair {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// A copy that asks its callers for a certificate of this authority.
    async fn copy(&self) -> Copy {
        let own = self.sign("localhost");
        let tls = ServerTlsConfig::new().identity(ServerIdentity::from_pem(own.certificate, own.key));
        Copy::start_with(Some(tls.client_ca_root(Certificate::from_pem(&self.pem)))).await
    }
}

/// Writes a pair where a client finds it.
fn write(folder: &Path, pair: &Pair) -> Identity {
    let (certificate, key) = (folder.join("client.pem"), folder.join("client.key"));
    std::fs::write(&certificate, &pair.certificate).expect("it is written");
    std::fs::write(&key, &pair.key).expect("it is written");
    Identity { certificate, key }
}

fn config(copy: &Copy, ca: PathBuf, identity: Option<Identity>) -> ClientConfig {
    let tls = Tls { ca: Some(ca), identity };
    ClientConfig { tls, ..hurried(&format!("https://localhost:{}", copy.address().port())) }
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_followed_without_a_failed_call() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let copy = authority.copy().await;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let (first, second) = (authority.sign("discord-gateway"), authority.sign("discord-gateway"));
    let identity = write(folder.path(), &first);
    let config = config(&copy, ca, Some(identity));
    let policy = config.policy.clone();
    let mut wallet = auric_client::wallet(config).await.unwrap();
    let mut call = async || {
        wallet.post(post("k")).await.unwrap();
        copy.service.seen().last().unwrap().certificate.clone()
    };
    assert_eq!(call().await.as_ref(), Some(&first.der));

    // Half of a pair is on its way: the whole one stays in force.
    std::fs::write(folder.path().join("client.key"), &second.key).unwrap();
    let since = Instant::now();
    while since.elapsed() < 4 * policy.resolve_every {
        assert_eq!(call().await.as_ref(), Some(&first.der));
    }
    write(folder.path(), &second);
    in_time(async { while call().await.as_ref() != Some(&second.der) {} }).await;
}

#[tokio::test]
async fn a_service_that_nobody_vouches_for_is_not_told_the_secret() {
    let (authority, stranger, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let copy = stranger.copy().await;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let mut config = config(&copy, ca, Some(write(folder.path(), &stranger.sign("discord-gateway"))));
    config.credential = Some(Credential::text("s3cret"));
    config.policy.attempts_max = 3;
    let status = auric_client::wallet(config).await.unwrap().post(post("k")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("nothing was sent"), "{}", status.message());
    assert_eq!(copy.service.count(), 0);
}

#[tokio::test]
async fn a_pair_that_does_not_belong_together_is_refused_at_once() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let copy = authority.copy().await;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let mixed = Pair { key: authority.sign("b").key, ..authority.sign("a") };
    let refused = auric_client::connect(config(&copy, ca, Some(write(folder.path(), &mixed)))).await.unwrap_err();
    assert!(matches!(refused, ConfigError::Tls(_)), "{refused:?}");
}
