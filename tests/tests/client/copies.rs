//! Copies of the wallet on one database, killed and started again at other addresses while calls are made.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Resolver, connect_with};

use super::storm::{Progress, patient, rage};
use crate::wallet::harness::Cluster;

const COPIES: usize = 3;

/// Knows where the copies are, a while after they have moved.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    fn set(&self, addresses: Vec<SocketAddr>) {
        *self.0.lock().expect("no holder panicked") = addresses;
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.lock().expect("no holder panicked").clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_that_are_killed_and_come_back_elsewhere_cost_no_call() {
    let cluster = Arc::new(Cluster::postgres(COPIES).await);
    let addresses = || (0..COPIES).map(|copy| cluster.address(copy)).collect::<Vec<_>>();
    let names = &Names::default();
    // One copy is known at first; the others come.
    names.set(vec![cluster.address(0)]);
    let channel = connect_with(patient("http://wallet.test:7401"), names.clone()).await.expect("a channel");
    let come_and_go = async |progress: Progress| {
        progress.wait_for(1, 8).await;
        names.set(addresses());
        for copy in 0..COPIES {
            progress.wait_for(2 + 2 * copy, 8).await;
            // Nobody says that it is gone: the calls find out.
            beside(&cluster, move |cluster| cluster.kill(copy)).await;
            progress.wait_for(3 + 2 * copy, 8).await;
            beside(&cluster, move |cluster| cluster.restart(copy)).await;
            names.set(addresses());
        }
    };
    rage(&cluster, &WalletServiceClient::new(channel), come_and_go).await;
    cluster.stop_without_errors();
}

/// Waits for processes without holding up the callers.
async fn beside(cluster: &Arc<Cluster>, work: impl FnOnce(&Cluster) + Send + 'static) {
    let cluster = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || work(&cluster)).await.expect("it did not panic");
}
