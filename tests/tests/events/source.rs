//! The way to the copies of a wallet that come and go.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auric_client::{Channel, ClientConfig, Policy, Resolver, connect_with};
use auric_events::grpc::FollowSettings;

use crate::wallet::harness::Cluster;

/// Knows where the copies are.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    /// The copies of `cluster`, all of which are up.
    pub fn of(cluster: &Cluster) -> Self {
        let names = Self::default();
        names.find(cluster);
        names
    }

    /// Looks again where they are.
    pub fn find(&self, cluster: &Cluster) {
        self.set((0..cluster.copies()).map(|copy| cluster.address(copy)).collect());
    }

    pub fn set(&self, addresses: Vec<SocketAddr>) {
        *self.0.lock().expect("no holder panicked") = addresses;
    }

    /// A channel of its own, that soon notices who has moved.
    pub async fn channel(&self) -> Channel {
        let policy = Policy {
            resolve_every: Duration::from_millis(50),
            probe_every: Duration::from_millis(20),
            backoff_max: Duration::from_millis(50),
            ..Policy::default()
        };
        let config = ClientConfig { policy, ..ClientConfig::new("http://wallet.test:7401") };
        connect_with(config, self.clone()).await.expect("a channel")
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.lock().expect("no holder panicked").clone())
    }
}

/// How the tests follow: soon back.
pub fn settings() -> FollowSettings {
    FollowSettings {
        backoff_first: Duration::from_millis(10),
        backoff_max: Duration::from_millis(200),
        silence_max: Duration::from_secs(8),
    }
}
