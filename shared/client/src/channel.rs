//! What stands below a generated client.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tower::Service;
use tracing::Instrument as _;

use crate::call::{self, Asked};
use crate::config::{ClientConfig, ConfigError};
use crate::figures;
use crate::fleet::Fleet;
use crate::resolve::{Dns, Resolver};

/// Connects to a service; nobody needs to listen there yet. Any generated client takes the result: `FooServiceClient::new(connect(config).await?)`.
///
/// # Errors
///
/// [`ConfigError`]: what was configured can never work, or a file is not there.
pub async fn connect(config: ClientConfig) -> Result<Channel, ConfigError> {
    connect_with(config, Dns).await
}

/// Connects as [`connect`] does, and asks `resolver` where the copies are.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_with(config: ClientConfig, resolver: impl Resolver) -> Result<Channel, ConfigError> {
    let fleet = Arc::new(Fleet::open(config, Arc::new(resolver)).await?);
    let keepers = Arc::new(fleet.keepers());
    Ok(Channel { fleet, _keepers: keepers })
}

/// The way to every copy of one service. Clones share it; it ends with the last of them.
///
/// # Cancellation
///
/// A call that is dropped is given up at the service as well; a mutation may have been done. Its key answers that.
#[derive(Clone)]
pub struct Channel {
    fleet: Arc<Fleet>,
    _keepers: Arc<JoinSet<()>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("targets", &self.fleet.targets()).finish_non_exhaustive()
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let span = figures::begin(request.uri().path(), &self.fleet.targets());
        let asked = span.in_scope(|| Asked::read(&mut request, self.fleet.policy()));
        let fleet = Arc::clone(&self.fleet);
        Box::pin(async move { call::run(&fleet, asked, request).await }.instrument(span))
    }
}
