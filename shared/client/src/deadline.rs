//! Until when an answer is of use, from the first caller of a chain to the last.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::Request;

/// The header that says how long the caller still waits.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// How far away a deadline can be: a caller that waits longer waits for ever.
const FAR: Duration = Duration::from_hours(24 * 365);

tokio::task_local! {
    static INHERITED: Deadline;
}

/// The moment from which on nobody waits for the answer any more.
///
/// It travels in the extensions of a request, or with the task: everything that is called inside of [`scope`](Self::scope) has it. The soonest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// Begins to count now.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout.min(FAR))
    }

    /// Gives what is left of it: nothing once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Runs `work` under this deadline, or under the one that it runs under already when that is sooner.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        let soonest = Self::inherited().map_or(self, |outer| outer.min(self));
        INHERITED.scope(soonest, work).await
    }

    /// Puts it beside a request.
    pub fn put<T>(self, request: &mut Request<T>) {
        request.extensions_mut().insert(self);
    }

    fn inherited() -> Option<Self> {
        INHERITED.try_with(|deadline| *deadline).ok()
    }

    /// Finds the soonest that a request has: in its extensions, its headers, or its task.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<Self> {
        let named = request.extensions().get::<Self>().copied();
        let header = timeout(request.headers()).map(Self::after);
        [named, header, Self::inherited()].into_iter().flatten().min()
    }
}

/// Reads the header; [`None`] for one that is absent or not well-formed.
///
/// # Source
///
/// gRPC over HTTP/2, *Timeout*: at most 8 digits and one of `H M S m u n`.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Writes the header, in the finest unit whose number is short enough.
pub(crate) fn timeout_header(timeout: Duration) -> Option<HeaderValue> {
    let mut request = Request::new(());
    request.set_timeout(timeout);
    request.into_parts().0.into_headers().remove(GRPC_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(header: Option<&'static str>) -> http::Request<()> {
        let mut request = http::Request::new(());
        if let Some(header) = header {
            request.headers_mut().insert(GRPC_TIMEOUT, HeaderValue::from_static(header));
        }
        request
    }

    fn left(request: &http::Request<()>) -> Option<Duration> {
        Deadline::of(request).map(Deadline::remaining)
    }

    #[tokio::test(start_paused = true)]
    async fn the_soonest_deadline_counts() {
        let second = Duration::from_secs(1);
        assert_eq!(left(&request(None)), None);
        assert_eq!(left(&request(Some("3S"))), Some(3 * second));
        let mut both = request(Some("3S"));
        both.extensions_mut().insert(Deadline::after(2 * second));
        assert_eq!(left(&both), Some(2 * second));
        let inner = Deadline::after(9 * second).scope(async { left(&request(None)) });
        assert_eq!(Deadline::after(second).scope(inner).await, Some(second));
        assert_eq!(Deadline::after(second).scope(async { left(&both) }).await, Some(second));
    }

    #[test]
    fn a_header_is_read_as_it_is_written() {
        for millis in [1, 250, 99_999, 1_234_567] {
            let timeout = Duration::from_millis(millis);
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, timeout_header(timeout).expect("it is written"));
            assert_eq!(super::timeout(&headers), Some(timeout), "{headers:?}");
        }
        for bad in ["", "S", "5", "-1S", "123456789S", "5x"] {
            assert!(left(&request(Some(bad))).is_none_or(|left| left.is_zero()), "{bad:?}");
        }
    }
}
