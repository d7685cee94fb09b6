//! Where a service is, who asks, and how patiently.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auric_ids::CallerId;
use http::{HeaderValue, Uri};
use thiserror::Error;

/// What is needed to call one service.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The service's copies: `http://HOST:PORT` or `https://HOST:PORT`, each with as many addresses as its name has.
    pub targets: Vec<String>,
    /// Sent as `authorization: Bearer …`; never in clear text to another machine.
    pub credential: Option<Credential>,
    /// Sent as `auric-caller` to a loopback address where neither a credential nor a certificate says who asks.
    pub caller: Option<CallerId>,
    /// Whom to trust, and as whom to come.
    pub tls: Tls,
    /// How long, how often.
    pub policy: Policy,
}

impl ClientConfig {
    /// Takes one target, or several with commas between them, and defaults for the rest.
    pub fn new(targets: &str) -> Self {
        let targets = targets.split(',').map(|target| target.trim().to_owned()).filter(|target| !target.is_empty());
        Self {
            targets: targets.collect(),
            credential: None,
            caller: None,
            tls: Tls::default(),
            policy: Policy::default(),
        }
    }
}

/// The files of TLS. They are read again every [`Policy::resolve_every`]; what changed is used from the next connection on.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The authorities that may have signed the service's certificate, as PEM. Needed for `https`.
    pub ca: Option<PathBuf>,
    /// The certificate to come with, where the service asks for one.
    pub identity: Option<Identity>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain, the own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How long a call takes at most, and how often it is tried.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long a call may take that has no deadline of its own.
    pub call_timeout: Duration,
    /// How long one attempt may take; then another copy, or another connection, is asked.
    pub attempt_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// Attempts of one call, the first included.
    pub attempts_max: u32,
    /// The longest pause after the first attempt; it doubles with each.
    pub backoff_min: Duration,
    /// The longest pause after any attempt; what the service asks for comes on top.
    pub backoff_max: Duration,
    /// How often a connection is asked whether it is alive, idle ones too.
    pub keepalive_interval: Duration,
    /// How long the answer to that may take.
    pub keepalive_timeout: Duration,
    /// How often names are resolved and files are read again.
    pub resolve_every: Duration,
    /// How often a copy that broke a call is asked for its health.
    pub probe_every: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(20),
            attempt_timeout: Duration::from_secs(4),
            connect_timeout: Duration::from_secs(2),
            attempts_max: 32,
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_secs(1),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            resolve_every: Duration::from_secs(5),
            probe_every: Duration::from_millis(500),
        }
    }
}

/// A secret that says who asks. It is never printed.
#[derive(Clone)]
pub struct Credential(Source);

#[derive(Clone)]
enum Source {
    Text(String),
    File(PathBuf),
}

impl Credential {
    /// Takes the secret itself.
    pub fn text(secret: impl Into<String>) -> Self {
        Self(Source::Text(secret.into()))
    }

    /// Takes the file that holds it; a change is followed.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// Makes the header.
    pub(crate) fn read(&self) -> Result<HeaderValue, ConfigError> {
        let text = match &self.0 {
            Source::Text(text) => text.clone(),
            Source::File(path) => {
                let bytes = read(path)?;
                String::from_utf8(bytes).map_err(|_| ConfigError::Credential)?
            }
        };
        let secret = text.trim_end();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::Credential);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {secret}")).map_err(|_| ConfigError::Credential)?;
        // Kept out of logs, and out of the compression that could give it away byte by byte.
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("Credential(…)"),
            Source::File(path) => write!(f, "Credential(… of {})", path.display()),
        }
    }
}

/// Why a service cannot be called as it was configured.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is nobody to call.
    #[error("no target: give at least one, such as http://127.0.0.1:7401")]
    NoTarget,
    /// It is no URL of a service.
    #[error("target {target:?} is not http://HOST:PORT or https://HOST:PORT")]
    Target {
        /// What was given.
        target: String,
    },
    /// Nobody could be trusted.
    #[error("target {target} is https, and tls.ca names no file of authorities")]
    NoAuthorities {
        /// What was given.
        target: String,
    },
    /// The secret would be sent in clear text to another machine.
    #[error("refusing to send a credential to {address} in clear text: use https, or a loopback address")]
    ClearText {
        /// Where it would have gone.
        address: std::net::SocketAddr,
    },
    /// The secret is not one; it is not shown.
    #[error("the credential is empty, or not visible ASCII")]
    Credential,
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate or key is malformed, or the two do not belong together.
    #[error("the TLS files are not usable")]
    Tls(#[from] tonic::transport::Error),
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

/// A target, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// As it was given: what the service is called in requests.
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

impl Origin {
    pub(crate) fn parse(target: &str) -> Result<Self, ConfigError> {
        let refused = || ConfigError::Target { target: target.to_owned() };
        let uri: Uri = target.parse().map_err(|_| refused())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refused()),
        };
        let has_more = uri.path() != "/" || uri.query().is_some() || target.contains('@');
        let (Some(host), Some(port), false) = (uri.host(), uri.port_u16(), has_more) else { return Err(refused()) };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { uri, host, port, is_tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_never_printed() {
        let config =
            ClientConfig { credential: Some(Credential::text("s3cret-of-all")), ..ClientConfig::new("http://a:1") };
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
        let header = config.credential.unwrap().read().unwrap();
        assert_eq!(header, "Bearer s3cret-of-all");
        assert!(!format!("{header:?}").contains("s3cret"), "{header:?}");
        let bad = Credential::text("two words").read().unwrap_err();
        assert_eq!(bad.to_string(), "the credential is empty, or not visible ASCII");
    }

    #[test]
    fn a_target_has_a_scheme_a_host_and_a_port() {
        let origin = Origin::parse("https://wallet.auric.svc:7401").unwrap();
        assert_eq!((origin.host.as_str(), origin.port, origin.is_tls), ("wallet.auric.svc", 7401, true));
        assert_eq!(Origin::parse("http://[::1]:7401").unwrap().host, "::1");
        for bad in ["", "wallet:7401", "ftp://a:1", "http://a", "http://a:1/path", "http://me:pass@a:1", "http://a:1?b"]
        {
            assert!(Origin::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn several_targets_have_commas_between_them() {
        assert_eq!(ClientConfig::new("http://a:1, http://b:2,").targets, ["http://a:1", "http://b:2"]);
    }
}
