//! Who may call what: callers and their credentials, the scopes that they are granted, and the TLS that carries them.
//!
//! A [`Door`] stands before every service. Without callers it lets in whoever reaches it, which is why a server without callers and TLS listens on
//! loopback only. With callers, each request presents a credential (`authorization: Bearer …`) or comes over a connection with a client certificate;
//! both map to a caller's name, and the name to the methods that it may call. Callers and certificates are read anew when their files
//! change: a faulty file is refused and named, and the old one stays in force.
//!
//! Nothing here keeps or shows a secret: a registry has hashes, a [`Credential`] prints as dots.

mod callers;
mod credential;
mod door;
mod scope;
mod tls;

pub use callers::{Caller, CallerSummary, Callers, CallersError, CredentialSummary, Refusal};
pub use credential::{Credential, CredentialHash};
pub use door::{Door, DoorError, DoorFiles};
pub use scope::{ADMIN_HOLDS, known_scopes};
pub use tls::{TlsError, TlsFiles, names_of_certificate};

/// The request metadata that carries a credential, after the word `Bearer`.
pub const AUTHORIZATION: &str = "authorization";
