//! The trace of a plain HTTP request: the one that it names, or one that begins here, kept as often as any.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::{Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{context, export};

/// Finds the trace of a request, or begins one, and makes the headers say so. The span is a disabled one where the trace is not kept.
///
/// A stranger's word is taken for the trace's name, and never for whether it is kept: otherwise anybody could have everything kept.
pub fn begin(method: &'static str, route: &'static str, headers: &mut HeaderMap) -> (Span, Context) {
    let outside = context::remote(headers).map(|span| Context::new().with_remote_span_context(span));
    if export::is_tracing() && export::keeps_new_trace() {
        let span = span_of(method, route);
        if let Some(outside) = &outside {
            // It cannot have begun yet, and where nobody makes a span of it there is nothing to be the parent of.
            let _ = span.set_parent(outside.clone());
        }
        let context = span.context();
        if context.span().span_context().is_valid() {
            context::put(headers, context.span().span_context());
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

fn span_of(method: &'static str, route: &'static str) -> Span {
    info_span!(
        target: "auric::http",
        parent: None,
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        otel.status_code = field::Empty,
    )
}
