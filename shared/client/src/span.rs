//! A call in the trace of its caller.
//!
//! # Source
//!
//! OpenTelemetry semantic conventions for RPC clients.

use tonic::Code;
use tracing::{Span, field};

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

/// Says on the span of now how its call ended.
pub(crate) fn end(code: Code, attempts: u32) {
    let span = Span::current();
    span.record("rpc.response.status_code", name_of(code));
    span.record("auric.attempts", attempts);
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
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
