//! What every request passes on its way to a service: the door, the limit, the deadline, and the net under a panic.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auric_auth::{AUTHORIZATION, Door};
use auric_status::{Problem, reason};
use auric_telemetry::context::meter;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use opentelemetry::KeyValue;
use tokio::sync::Semaphore;
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Layer, Service};

use crate::connection::Peer;
use crate::metadata;

/// Requests that one service works on at the same time; one more is refused at once.
pub const REQUESTS_MAX: usize = 4_096;

/// How long a request may take when its caller sets no deadline, or a later one.
pub const TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// The path prefix of what jobs set in motion: the scheduler says how long that may take, and some of it takes the night.
const JOBS: &str = "/auric.scheduler.v1.JobHandlerService/";

/// How long that may take at most.
pub const JOB_TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// When to try again after a refusal for want of room.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The path prefix of health and reflection: they are answered however much waits.
const MANNERS: &str = "/grpc.";

/// Wraps the routes of one service; clones share one limit.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    door: Arc<Door>,
    requests: Arc<Semaphore>,
    requests_max: usize,
}

impl Gate {
    pub(crate) fn new(door: Arc<Door>, requests_max: usize) -> Self {
        Self { door, requests: Arc::new(Semaphore::new(requests_max)), requests_max }
    }

    /// Shows among the metrics how many requests are being worked on, for as long as the gate stands.
    pub(crate) fn observe(&self, services: &[&str]) {
        let (requests, requests_max) = (Arc::downgrade(&self.requests), self.requests_max);
        let services = KeyValue::new("auric.services", services.join(","));
        let _registered = meter()
            .u64_observable_gauge("auric.gate.in_flight")
            .with_unit("{request}")
            .with_description("Requests that are being worked on")
            .with_callback(move |observer| {
                if let Some(requests) = requests.upgrade() {
                    let in_flight = requests_max.saturating_sub(requests.available_permits());
                    observer.observe(u64::try_from(in_flight).unwrap_or(u64::MAX), std::slice::from_ref(&services));
                }
            })
            .build();
    }

    /// Counts the requests that are being worked on.
    pub(crate) fn in_flight(&self) -> usize {
        self.requests_max.saturating_sub(self.requests.available_permits())
    }

    /// Lets a request in under the name of its caller, which replaces whatever it calls itself.
    fn admit(&self, request: &mut Request<Body>) -> Result<(), Box<Problem>> {
        let peer = request.extensions().get::<Peer>();
        let certificates = peer.map(|peer| Arc::clone(&peer.certificates)).unwrap_or_default();
        let path = request.uri().path();
        let admitted = self.door.admit(path, request.headers(), &certificates).inspect_err(|problem| {
            let (method, address) =
                (path.trim_start_matches('/'), peer.map(|peer| peer.address.to_string()).unwrap_or_default());
            let trace_id = metadata::trace_id_of_headers(request.headers());
            let Problem { reason, message, .. } = &**problem;
            tracing::warn!(
                method,
                peer = address,
                success = false,
                error = reason,
                trace_id = trace_id.as_str(),
                "{method} was refused: {message}"
            );
        })?;
        // What comes after needs no secret.
        request.headers_mut().remove(AUTHORIZATION);
        request.headers_mut().remove(metadata::GRANTED);
        if let Some(caller) = admitted {
            let written = [(metadata::CALLER, caller.name.as_str()), (metadata::GRANTED, caller.widened())];
            for (name, value) in written {
                // Names and scopes are visible ASCII.
                request
                    .headers_mut()
                    .insert(name, HeaderValue::from_str(value).unwrap_or_else(|_| unreachable!("{value:?}")));
            }
        }
        Ok(())
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Err(problem) = self.gate.admit(&mut request) {
            return Box::pin(async move { Ok(problem.into_status().into_http()) });
        }
        if request.uri().path().starts_with(MANNERS) {
            return Box::pin(self.routes.call(request));
        }
        let Ok(permit) = Arc::clone(&self.gate.requests).try_acquire_owned() else {
            let problem = queue_full(self.gate.requests_max);
            return Box::pin(async move { Ok(problem.into_status().into_http()) });
        };
        let method = request.uri().path().to_owned();
        let timeout = timeout(&method, metadata::timeout_of_headers(request.headers()));
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

/// How long the request at `path` may take, of which its caller asked for so much.
fn timeout(path: &str, asked: Option<Duration>) -> Duration {
    let longest = if path.starts_with(JOBS) { JOB_TIMEOUT_MAX } else { TIMEOUT_MAX };
    asked.map_or(TIMEOUT_MAX, |asked| asked.min(longest))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_sets_in_motion_may_take_longer_than_a_request_when_its_caller_says_so() {
        let (job, post) = ("/auric.scheduler.v1.JobHandlerService/RunBatch", "/auric.wallet.v1.WalletService/Post");
        let minutes = |path, asked: Option<u64>| timeout(path, asked.map(Duration::from_mins)).as_secs() / 60;
        assert_eq!([None, Some(30), Some(90)].map(|asked| minutes(job, asked)), [1, 30, 60]);
        assert_eq!([None, Some(30)].map(|asked| minutes(post, asked)), [1, 1]);
        assert_eq!(timeout(post, Some(Duration::from_secs(2))), Duration::from_secs(2));
    }
}
