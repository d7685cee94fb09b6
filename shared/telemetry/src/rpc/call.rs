//! One RPC, from its headers to its status.

use std::time::Instant;

use http::HeaderMap;
use opentelemetry::metrics::Histogram;
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME};
use opentelemetry_semantic_conventions::metric::RPC_SERVER_CALL_DURATION;
use tonic::Code;
use tracing::Span;

use crate::context::meter;

/// The bounds of the buckets, in seconds: from a read of one row to the longest that any call may take.
const BOUNDS_S: [f64; 16] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// The header or trailer that ends an RPC.
const GRPC_STATUS: &str = "grpc-status";

/// What is counted of RPCs.
#[derive(Clone, Debug)]
pub struct Figures {
    duration: Histogram<f64>,
}

impl Figures {
    pub fn new() -> Self {
        let meter = meter();
        let duration = meter.f64_histogram(RPC_SERVER_CALL_DURATION).with_unit("s");
        let duration = duration.with_description("How long RPCs took, to the last byte of their answers");
        Self { duration: duration.with_boundaries(BOUNDS_S.to_vec()).build() }
    }
}

/// An RPC that is under way. Dropping it before its end means that its caller went away.
#[derive(Debug)]
pub struct Call {
    method: &'static str,
    began: Instant,
    span: Span,
    context: Context,
    figures: Figures,
    ended: bool,
}

impl Call {
    pub fn begin(method: &'static str, span: Span, context: Context, figures: Figures) -> Self {
        Self { method, began: Instant::now(), span, context, figures, ended: false }
    }

    /// Does a part of its work, inside its trace.
    pub fn work<T>(&self, part: impl FnOnce() -> T) -> T {
        if !self.span.is_disabled() {
            return self.span.in_scope(part);
        }
        let _attached = self.context.clone().attach();
        part()
    }

    /// Notes how it ended; only the first time counts.
    pub fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let name = name_of(code);
        let attributes = [
            KeyValue::new(RPC_METHOD, self.method),
            KeyValue::new(RPC_RESPONSE_STATUS_CODE, name),
            KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
        ];
        self.figures.duration.record(self.began.elapsed().as_secs_f64(), &attributes);
        self.span.record(RPC_RESPONSE_STATUS_CODE, name);
        if is_our_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// Reads the status from headers or trailers that have one.
pub fn code_of(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get(GRPC_STATUS)?.as_bytes()))
}

/// Whether a server's span of such a call is an error, by the conventions: the others are the caller's doing.
fn is_our_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
