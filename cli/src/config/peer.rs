//! The way from one service to another.

use std::path::Path;

use auric_client::{ClientConfig, Credential, Identity, Tls};
use auric_ids::CallerId;

use super::Secret;
use crate::fault::Fault;

/// Who a service is to those that it calls, and what it presents to them.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The service's part of the settings, and its name where nobody is asked who comes.
    pub service: &'static str,
    /// What it presents.
    pub credential: Option<&'a Secret>,
    /// A file with the credential; a change is followed.
    pub credential_file: Option<&'a Path>,
    /// Who issues the others' certificates, PEM.
    pub ca: Option<&'a Path>,
    /// A client certificate, PEM.
    pub certificate: Option<&'a Path>,
    /// Its private key, PEM.
    pub key: Option<&'a Path>,
}

impl Presented<'_> {
    /// How to call the service at `url`, or at several with commas between them.
    ///
    /// # Errors
    ///
    /// [`Fault::Config`] for a certificate without its key.
    pub fn to(&self, url: &str) -> Result<ClientConfig, Fault> {
        let identity = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => {
                Some(Identity { certificate: certificate.to_owned(), key: key.to_owned() })
            }
            (None, None) => None,
            _ => return Err(Fault::Config(format!("{}: certificate and key go together", self.service))),
        };
        let credential = self.credential.map(|secret| Credential::text(secret.reveal()));
        let caller = CallerId::parse(self.service).map_err(|fault| Fault::Config(fault.to_string()))?;
        Ok(ClientConfig {
            credential: credential.or_else(|| self.credential_file.map(Credential::file)),
            caller: Some(caller),
            tls: Tls { ca: self.ca.map(Path::to_owned), identity },
            ..ClientConfig::new(url)
        })
    }

    /// Whether there is anything that says who comes.
    pub const fn is_somebody(&self) -> bool {
        self.credential.is_some() || self.credential_file.is_some() || self.certificate.is_some()
    }
}
