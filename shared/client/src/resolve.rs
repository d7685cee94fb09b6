//! Where a name's copies are now.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Finds the addresses of a name; a test brings its own.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Gives every address of `host`, in any order.
    ///
    /// # Errors
    ///
    /// The name cannot be resolved now: those who ask keep the addresses that they have.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the system. A headless service of Kubernetes has one address a copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dns;

#[async_trait]
impl Resolver for Dns {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
