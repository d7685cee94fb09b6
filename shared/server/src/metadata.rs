//! What comes beside a request: who asks, under which trace, and until when.

use std::time::Duration;

use auric_ids::{CallerId, TraceId};
use auric_status::{BadField, Problem};
use auric_telemetry::context::Traceparent;
use tonic::metadata::MetadataMap;

pub use auric_telemetry::context::TRACEPARENT;

/// The request metadata that names the caller. Where there are callers to ask, the server writes it, and what a request says is replaced.
pub const CALLER: &str = "auric-caller";

/// The request metadata that the server writes for a caller who was granted more than methods: scopes such as `admin.holds`, with spaces between.
/// What a request itself says under this name is dropped.
pub const GRANTED: &str = "auric-granted";

/// The caller of a request that names none.
pub const CALLER_DEFAULT: &str = "local";

/// The response metadata that says `true` when an answer is the first answer to its key, given again.
pub const REPLAYED: &str = "auric-replayed";

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Names who asks.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a name that is not a [`CallerId`]: a caller that mistypes its own name must not become another.
pub fn caller(metadata: &MetadataMap) -> Result<CallerId, Problem> {
    let refuse = |why: String| Problem::invalid_argument(vec![BadField::new(CALLER, why)]);
    let Some(value) = metadata.get(CALLER) else {
        return CallerId::parse(CALLER_DEFAULT).map_err(|fault| refuse(fault.to_string()));
    };
    let text = value.to_str().map_err(|_| refuse("must be visible ASCII".to_owned()))?;
    CallerId::parse(text).map_err(|fault| refuse(fault.to_string()))
}

/// Whether the caller was granted `scope`, of those that no method asks for by itself.
pub fn is_granted(metadata: &MetadataMap, scope: &str) -> bool {
    let granted = metadata.get(GRANTED).and_then(|value| value.to_str().ok()).unwrap_or_default();
    granted.split(' ').any(|granted| granted == scope)
}

/// Reads the trace id; a request without a well-formed `traceparent` has the empty one. What is served here always has one: the server puts it in.
pub fn trace_id(metadata: &MetadataMap) -> TraceId {
    trace_id_of(metadata.get(TRACEPARENT).and_then(|value| value.to_str().ok()))
}

pub(crate) fn trace_id_of_headers(headers: &http::HeaderMap) -> TraceId {
    trace_id_of(headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()))
}

fn trace_id_of(header: Option<&str>) -> TraceId {
    let text = header.and_then(Traceparent::parse).map(|parent| parent.trace_id).unwrap_or_default();
    TraceId::parse(text).unwrap_or_else(|_| unreachable!("a trace id is 32 lower-case hexadecimal digits, or none"))
}

/// Reads how long the caller waits, from the moment that it sent the request; [`None`] without a well-formed `grpc-timeout`.
///
/// # Source
///
/// gRPC over HTTP/2, *Timeout*: at most 8 digits and one of `H M S m u n`.
pub fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    parse_timeout(metadata.get(GRPC_TIMEOUT)?.to_str().ok()?)
}

pub(crate) fn timeout_of_headers(headers: &http::HeaderMap) -> Option<Duration> {
    parse_timeout(headers.get(GRPC_TIMEOUT)?.to_str().ok()?)
}

fn parse_timeout(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(count.saturating_mul(60))),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &'static str, value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(key, value.parse().unwrap());
        metadata
    }

    #[test]
    fn a_request_without_a_caller_is_local() {
        assert_eq!(caller(&MetadataMap::new()).unwrap().as_str(), "local");
        assert_eq!(caller(&with(CALLER, "discord-gateway")).unwrap().as_str(), "discord-gateway");
    }

    #[test]
    fn a_caller_that_is_no_name_is_refused_and_not_replaced() {
        for bad in ["", "two words", &"a".repeat(65)] {
            let problem = caller(&with(CALLER, bad)).unwrap_err();
            assert_eq!(problem.bad_fields[0].path, "auric-caller", "{bad:?}");
        }
    }

    #[test]
    fn a_trace_id_is_read_from_a_well_formed_traceparent_only() {
        let id = |header: &str| trace_id(&with(TRACEPARENT, header)).as_str().to_owned();
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(id(&format!("00-{trace}-b7ad6b7169203331-01")), trace);
        assert_eq!(id(&format!("cc-{trace}-b7ad6b7169203331-01-what-comes-later")), trace);
        for bad in [
            String::new(),
            format!("00-{trace}-b7ad6b7169203331"),
            format!("00-{trace}-b7ad6b7169203331-01-more"),
            format!("ff-{trace}-b7ad6b7169203331-01"),
            format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(id(&bad), "", "{bad}");
        }
        assert_eq!(trace_id(&MetadataMap::new()).as_str(), "");
    }

    #[test]
    fn a_timeout_has_a_unit() {
        let read = |header: &str| timeout(&with(GRPC_TIMEOUT, header));
        assert_eq!(read("1500m"), Some(Duration::from_millis(1_500)));
        assert_eq!(read("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        for bad in ["", "S", "5", "-1S", "1.5S", "123456789S", "5x"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
