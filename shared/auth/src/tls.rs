//! Certificates: the server's own, and those that it accepts from clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and what it was issued by, PEM, its own first.
    pub certificate: PathBuf,
    /// The private key of the certificate, PEM.
    pub key: PathBuf,
    /// Who issues the client certificates that are accepted, PEM; without it none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Why certificates are refused.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM of the right kind.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Each file can be read, and together they do not fit.
    #[error("{}: {source}", path.display())]
    Unfit {
        /// The file that shows it.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The issuers of client certificates cannot be used.
    #[error("{}: {source}", path.display())]
    Verifier {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::server::VerifierBuilderError,
    },
}

impl TlsFiles {
    /// Reads everything.
    ///
    /// # Errors
    ///
    /// [`TlsError`] with the file.
    pub(crate) fn load(&self) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|fault| unreadable(&self.key, &fault))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unfit = |source| TlsError::Unfit { path: self.certificate.clone(), source };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for issuer in certificates(path)? {
                    roots.add(issuer).map_err(|source| TlsError::Unfit { path: path.clone(), source })?;
                }
                // A caller may have a credential instead, so that none is demanded here.
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated();
                let verifier = verifier.build().map_err(|source| TlsError::Verifier { path: path.clone(), source })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// Every file, to be watched.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key].into_iter().chain(&self.client_ca).map(PathBuf::as_path)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|fault| unreadable(path, &fault))?;
    if found.is_empty() {
        return Err(TlsError::File { path: path.to_owned(), reason: "has no certificate".to_owned() });
    }
    Ok(found)
}

fn unreadable(path: &Path, fault: &rustls_pki_types::pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: fault.to_string() }
}

/// Lists the DNS names and URIs that a client certificate bears; none of what is no certificate.
///
/// # Source
///
/// RFC 5280 §4.2.1.6, *Subject Alternative Name*. The common name is not read: it is no name of a peer since RFC 6125.
#[must_use]
pub fn names_of_certificate(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = x509_parser::certificate::X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}
