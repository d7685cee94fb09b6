//! What every request passes on its way to a service: the limit, the deadline, and the net under a panic.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auric_status::{Problem, reason};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Layer, Service};

use crate::metadata;

/// Requests that one service works on at the same time; one more is refused at once.
pub const REQUESTS_MAX: usize = 4_096;

/// How long a request may take when its caller sets no deadline, or a later one.
pub const TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// When to try again after a refusal for want of room.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The path prefix of health and reflection: they are answered however much waits.
const MANNERS: &str = "/grpc.";

/// Wraps the routes of one service; clones share one limit.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    requests: Arc<Semaphore>,
    requests_max: usize,
}

impl Gate {
    pub(crate) fn new(requests_max: usize) -> Self {
        Self { requests: Arc::new(Semaphore::new(requests_max)), requests_max }
    }

    /// Counts the requests that are being worked on.
    pub(crate) fn in_flight(&self) -> usize {
        self.requests_max.saturating_sub(self.requests.available_permits())
    }
}

impl Layer<Routes> for Gate {
    type Service = Gated;

    fn layer(&self, routes: Routes) -> Gated {
        Gated { routes, gate: self.clone() }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Gated {
    routes: Routes,
    gate: Gate,
}

impl Service<Request<Body>> for Gated {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with(MANNERS) {
            return Box::pin(self.routes.call(request));
        }
        let Ok(permit) = Arc::clone(&self.gate.requests).try_acquire_owned() else {
            let problem = queue_full(self.gate.requests_max);
            return Box::pin(async move { Ok(problem.into_status().into_http()) });
        };
        let method = request.uri().path().to_owned();
        let timeout =
            metadata::timeout_of_headers(request.headers()).map_or(TIMEOUT_MAX, |asked| asked.min(TIMEOUT_MAX));
        // tonic times the request too, and says CANCELLED. This clock is set first, so it rings first.
        let deadline = tokio::time::sleep(timeout);
        let answer = AssertUnwindSafe(self.routes.call(request)).catch_unwind();
        Box::pin(async move {
            let _permit = permit;
            tokio::select! {
                biased;
                answer = answer => answer.unwrap_or_else(|_| {
                    tracing::error!(method, "{method} panicked; the panic is printed above");
                    Ok(Problem::internal().into_status().into_http())
                }),
                () = deadline => Ok(deadline_exceeded(timeout).into_status().into_http()),
            }
        })
    }
}

fn queue_full(requests_max: usize) -> Problem {
    let message = format!("{requests_max} requests are being worked on, which is the limit; nothing was done");
    Problem::new(Code::ResourceExhausted, reason::QUEUE_FULL, message)
        .with("requests_max", requests_max)
        .retry_after(RETRY_AFTER)
}

fn deadline_exceeded(timeout: Duration) -> Problem {
    let timeout_ms = timeout.as_millis();
    let message =
        format!("not answered within {timeout_ms} ms; the outcome is unknown, send the same idempotency key again");
    Problem::new(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, message).with("timeout_ms", timeout_ms)
}
