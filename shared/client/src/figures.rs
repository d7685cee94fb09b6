//! What traces and metrics see of a call.
//!
//! # Source
//!
//! OpenTelemetry semantic conventions for RPC clients.

use std::sync::LazyLock;
use std::time::Instant;

use auric_telemetry::context::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry_semantic_conventions::attribute::{RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME};
use opentelemetry_semantic_conventions::metric::RPC_CLIENT_CALL_DURATION;
use tonic::Code;
use tracing::{Span, field};

/// The bounds of the buckets, in seconds: those of the services' own figures.
const BOUNDS_S: [f64; 16] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let meter = meter();
    let duration = meter.f64_histogram(RPC_CLIENT_CALL_DURATION).with_unit("s");
    let duration = duration.with_description("How long calls took, with all of their attempts");
    duration.with_boundaries(BOUNDS_S.to_vec()).build()
});

static RETRIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let retries = meter.u64_counter("auric.client.retries");
    retries.with_description("Attempts that were made again, by how the one before ended").build()
});

/// Begins the span of a call; there is none where its caller has none.
pub(crate) fn begin(path: &str, targets: &str) -> Span {
    if Span::current().is_disabled() {
        return Span::none();
    }
    let method = path.trim_start_matches('/');
    tracing::info_span!(
        "call",
        otel.name = method,
        otel.kind = "client",
        rpc.system.name = "grpc",
        rpc.method = method,
        server.address = targets,
        rpc.response.status_code = field::Empty,
        otel.status_code = field::Empty,
        auric.attempts = field::Empty,
    )
}

/// Counts an attempt that is made again after one that ended so.
pub(crate) fn again(path: &str, code: Code) {
    RETRIES.add(1, &attributes(path, code));
}

/// Counts a call, and says on the span of now how it ended.
pub(crate) fn end(path: &str, began: Instant, code: Code, attempts: u32) {
    DURATION.record(began.elapsed().as_secs_f64(), &attributes(path, code));
    let span = Span::current();
    span.record("rpc.response.status_code", name_of(code));
    span.record("auric.attempts", attempts);
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
}

fn attributes(path: &str, code: Code) -> [KeyValue; 3] {
    [
        KeyValue::new(RPC_METHOD, path.trim_start_matches('/').to_owned()),
        KeyValue::new(RPC_RESPONSE_STATUS_CODE, name_of(code)),
        KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
    ]
}

/// Writes a code as gRPC does: `NOT_FOUND`.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_name_that_grpc_gives_it() {
        assert_eq!(name_of(Code::Ok), "OK");
        assert_eq!(name_of(Code::DeadlineExceeded), "DEADLINE_EXCEEDED");
    }
}
