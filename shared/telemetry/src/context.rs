//! The W3C trace context of a request: which trace it belongs to, on its way in and on its way out.
//!
//! One reader for everybody: the span of an RPC, the line of a mutation and its audit entry agree because they ask here.
//!
//! # Source
//!
//! W3C Trace Context. A later version may append to the four fields of version 00; an id of zeros is no id.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tonic::metadata::{MetadataMap, MetadataValue};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that names a trace and its latest span.
pub const TRACEPARENT: &str = "traceparent";

/// The header with what vendors keep beside it.
pub const TRACESTATE: &str = "tracestate";

/// What a well-formed `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent<'a> {
    /// 32 lower-case hexadecimal digits.
    pub trace_id: &'a str,
    span_id: &'a str,
    flags: u8,
}

impl<'a> Traceparent<'a> {
    /// Reads the header; [`None`] for one that is not well-formed.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        let mut fields = header.split('-');
        let (version, trace_id, span_id, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let is_hex = |field: &str, length: usize| {
            field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_well_formed = is_hex(version, 2) && is_hex(trace_id, 32) && is_hex(span_id, 16) && is_hex(flags, 2);
        let is_known = version != "ff" && (version != "00" || fields.next().is_none());
        let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
        if !is_well_formed || !is_known || is_zero(trace_id) || is_zero(span_id) {
            return None;
        }
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()? })
    }
}

/// Reads the context that a request came with; it has no span when the headers name none.
#[must_use]
pub fn extract(headers: &HeaderMap) -> Context {
    match remote(headers) {
        Some(span) => Context::new().with_remote_span_context(span),
        None => Context::new(),
    }
}

/// Writes the context of the work that is done now, so that whoever is called goes on with its trace. Writes nothing where there is none.
pub fn inject(metadata: &mut MetadataMap) {
    let span = current();
    if !span.is_valid() {
        return;
    }
    if let Ok(value) = MetadataValue::try_from(traceparent(&span)) {
        metadata.insert(TRACEPARENT, value);
    }
    let state = span.trace_state().header();
    if let Ok(value) = MetadataValue::try_from(state)
        && !value.is_empty()
    {
        metadata.insert(TRACESTATE, value);
    }
}

/// The id of the trace that the work of now belongs to; empty where there is none.
#[must_use]
pub fn trace_id() -> String {
    let span = current();
    if span.is_valid() { span.trace_id().to_string() } else { String::new() }
}

/// The span that the work of now belongs to; an invalid one where there is none.
pub(crate) fn current() -> SpanContext {
    let span = tracing::Span::current();
    if span.is_disabled() {
        return Context::map_current(|context| context.span().span_context().clone());
    }
    span.context().span().span_context().clone()
}

/// The span that a request's headers name.
pub(crate) fn remote(headers: &HeaderMap) -> Option<SpanContext> {
    let parent = Traceparent::parse(headers.get(TRACEPARENT)?.to_str().ok()?)?;
    let state = headers.get(TRACESTATE).and_then(|state| TraceState::from_str(state.to_str().ok()?).ok());
    Some(SpanContext::new(
        TraceId::from_hex(parent.trace_id).ok()?,
        SpanId::from_hex(parent.span_id).ok()?,
        TraceFlags::new(parent.flags),
        true,
        state.unwrap_or_default(),
    ))
}

/// A trace of our own that is not kept: its id is on lines and entries all the same.
pub(crate) fn unsampled() -> SpanContext {
    let ids = RandomIdGenerator::default();
    SpanContext::new(ids.new_trace_id(), ids.new_span_id(), TraceFlags::NOT_SAMPLED, false, TraceState::NONE)
}

/// Puts `span` in place of what the headers say, which named no trace.
pub(crate) fn put(headers: &mut HeaderMap, span: &SpanContext) {
    headers.remove(TRACESTATE);
    if let Ok(value) = HeaderValue::try_from(traceparent(span)) {
        headers.insert(TRACEPARENT, value);
    }
}

/// The instruments of Auric's own metrics; they count for nothing until telemetry is set up, and where nobody asks for metrics.
#[must_use]
pub fn meter() -> opentelemetry::metrics::Meter {
    global::meter("auric")
}

fn traceparent(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn a_trace_is_read_from_a_well_formed_header_only() {
        let id = |header: &str| Traceparent::parse(header).map(|parent| parent.trace_id.to_owned());
        assert_eq!(id(&format!("00-{TRACE}-b7ad6b7169203331-01")).as_deref(), Some(TRACE));
        assert_eq!(id(&format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes-later")).as_deref(), Some(TRACE));
        for bad in [
            String::new(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(id(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_came_in_goes_out() {
        let mut headers = HeaderMap::new();
        // Level 2 of the standard sets the second bit for a random id.
        headers.insert(TRACEPARENT, HeaderValue::from_str(&format!("00-{TRACE}-b7ad6b7169203331-03")).unwrap());
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=what-it-likes"));
        let context = extract(&headers);
        assert!(context.span().span_context().is_sampled());

        let _attached = context.attach();
        let mut metadata = MetadataMap::new();
        inject(&mut metadata);
        assert_eq!(metadata.into_headers(), headers);
    }

    #[test]
    fn outside_a_trace_nothing_is_sent() {
        let mut metadata = MetadataMap::new();
        inject(&mut metadata);
        assert!(metadata.is_empty());
        assert!(!extract(&HeaderMap::new()).span().span_context().is_valid());
    }

    #[test]
    fn a_trace_of_our_own_is_well_formed_and_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACESTATE, HeaderValue::from_static("of=a-trace-that-is-not-there"));
        let own = unsampled();
        put(&mut headers, &own);
        assert_eq!(remote(&headers).map(|span| (span.trace_id(), span.is_sampled())), Some((own.trace_id(), false)));
        assert!(!headers.contains_key(TRACESTATE));
    }
}
