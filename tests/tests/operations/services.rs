//! Services on loopback, and how patient those are that coordinate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auric_auth::Door;
use auric_client::ClientConfig;
use auric_server::{Services, Stop};
use auric_twophase::Settings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How patient the coordinators of a town are: everything is found soon.
pub const SETTINGS: Settings = Settings {
    service: "test",
    lease: Duration::from_millis(300),
    prepare_timeout: Duration::from_secs(2),
    finish_timeout: Duration::from_secs(2),
    finish_attempts: 2,
    backoff_min: Duration::from_millis(10),
    backoff_max: Duration::from_millis(200),
    recoveries_max: 256,
    orphan_age: Duration::from_millis(500),
    orphan_every: Duration::from_millis(200),
};

/// Serves on a free port of loopback until `stop`, and closes then.
pub async fn serve(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    services: Services,
    close: impl Future<Output = ()> + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = Stop { token: stop.clone(), drain_max: Duration::from_secs(5) };
    tasks.spawn(async move {
        let served = auric_server::serve(listener, services, Arc::new(Door::open()), || async { Ok(()) }, stop).await;
        served.expect("it serves until it is told to stop");
        close.await;
    });
    address
}

/// The way to a service, as one of its callers.
pub fn client(address: SocketAddr, caller: &str) -> ClientConfig {
    ClientConfig { caller: caller.parse().ok(), ..ClientConfig::new(&format!("http://{address}")) }
}
