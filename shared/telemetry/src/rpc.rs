//! What every RPC passes first: its trace, its span when the trace is kept, and its figure.
//!
//! A request without a well-formed `traceparent` gets one of our own before anybody reads it, kept or not, so that the line of a mutation, its
//! audit entry and its trace name the same id. A request that names a trace is kept if and only if that trace is; of the others a part is.
//! The rest has no span, and neither has anything that is done for it: that is what keeps tracing cheap.
//!
//! # Source
//!
//! OpenTelemetry semantic conventions for RPC: `rpc.server.call.duration`, `rpc.method` in full, `rpc.response.status_code` by name.

mod answer;
mod call;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{context, export};
use answer::Answer;
use call::{Call, Figures};

/// The path prefix of health and reflection: they are asked all the time, and tell nothing.
const MANNERS: &str = "/grpc.";

/// What a method is counted under that nobody serves: a caller must not be able to make up names without end.
const OTHER: &str = "_OTHER";

/// Gives every RPC of the routes that it wraps a trace and a figure.
#[derive(Clone, Debug)]
pub struct RpcLayer {
    edge: Arc<Edge>,
}

#[derive(Debug)]
struct Edge {
    /// The served methods by their paths, without the leading slash.
    methods: HashMap<&'static str, &'static str>,
    figures: Figures,
    is_tracing: bool,
}

impl RpcLayer {
    /// Knows the methods by their paths, such as `/auric.wallet.v1.WalletService/Post`. Telemetry must be set up before.
    pub fn new(paths: impl IntoIterator<Item = &'static str>) -> Self {
        let methods = paths.into_iter().map(|path| (path, path.trim_start_matches('/'))).collect();
        Self { edge: Arc::new(Edge { methods, figures: Figures::new(), is_tracing: export::is_tracing() }) }
    }
}

impl<S> Layer<S> for RpcLayer {
    type Service = Traced<S>;

    fn layer(&self, routes: S) -> Traced<S> {
        Traced { routes, edge: Arc::clone(&self.edge) }
    }
}

/// Routes whose RPCs are traced and counted.
#[derive(Clone, Debug)]
pub struct Traced<S> {
    routes: S,
    edge: Arc<Edge>,
}

impl<S> Service<Request<Body>> for Traced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if path.starts_with(MANNERS) {
            return Box::pin(self.routes.call(request));
        }
        let method = self.edge.methods.get(path).copied().unwrap_or(OTHER);
        let (span, context) = begin(method, request.headers_mut(), self.edge.is_tracing);
        let call = Call::begin(method, span.clone(), context.clone(), self.edge.figures.clone());
        let answer = call.work(|| self.routes.call(request));
        let answered = async move {
            let Ok(response) = answer.await;
            Ok(response.map_with(call))
        };
        if span.is_disabled() { Box::pin(answered.with_context(context)) } else { Box::pin(answered.instrument(span)) }
    }
}

/// Hands a call over from the future of its answer to the body of its answer.
trait MapWith {
    fn map_with(self, call: Call) -> Self;
}

impl MapWith for Response<Body> {
    fn map_with(self, mut call: Call) -> Self {
        if let Some(code) = call::code_of(self.headers()) {
            call.end(code);
            return self;
        }
        self.map(|body| Body::new(Answer::new(body, call)))
    }
}

/// Finds the trace of a request, or begins one, and makes the headers say so. The span is a disabled one where the trace is not kept.
fn begin(method: &'static str, headers: &mut HeaderMap, is_tracing: bool) -> (Span, Context) {
    let parent = context::remote(headers);
    let is_kept = match &parent {
        Some(parent) => is_tracing && parent.is_sampled(),
        None => is_tracing && export::keeps_new_trace(),
    };
    let is_new = parent.is_none();
    let outside = parent.map(|parent| Context::new().with_remote_span_context(parent));
    if is_kept {
        let span = span_of(method);
        if let Some(outside) = &outside {
            // It cannot have begun yet, and where nobody makes a span of it there is nothing to be the parent of.
            let _ = span.set_parent(outside.clone());
        }
        let context = span.context();
        if context.span().span_context().is_valid() {
            if is_new {
                context::put(headers, context.span().span_context());
            }
            return (span, context);
        }
    }
    let context = outside.unwrap_or_else(|| {
        let own = context::unsampled();
        context::put(headers, &own);
        Context::new().with_remote_span_context(own)
    });
    (Span::none(), context)
}

fn span_of(method: &'static str) -> Span {
    info_span!(
        target: "auric::rpc",
        parent: None,
        "rpc",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = field::Empty,
        otel.status_code = field::Empty,
    )
}
