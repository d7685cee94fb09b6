//! What an attempt's end means: an answer, or a reason to ask again.

use std::time::Duration;

use auric_status::Problem;
use tonic::{Code, Status, TimeoutExpired};

/// Asking again may help, and is safe under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// How long the service wants to be left alone.
    pub(crate) after: Duration,
    /// Whether it may have been done all the same.
    pub(crate) outcome_is_unknown: bool,
}

/// Reads what the service said; [`None`] when that is the answer.
pub(crate) fn again(status: &Status) -> Option<Again> {
    let problem = Problem::from_status(status);
    let after = problem.retry_after.unwrap_or_default();
    match problem.code {
        Code::Unavailable | Code::DeadlineExceeded => Some(Again { after, outcome_is_unknown: true }),
        Code::Cancelled if is_timeout(status) => Some(Again { after, outcome_is_unknown: true }),
        // Without a time these are rules that said no, such as STALE_VERSION.
        Code::Aborted | Code::ResourceExhausted if problem.retry_after.is_some() => {
            Some(Again { after, outcome_is_unknown: false })
        }
        _ => None,
    }
}

/// Tells tonic's own way of saying that time is up.
pub(crate) fn is_timeout(status: &Status) -> bool {
    status.code() == Code::Cancelled && status.message() == TimeoutExpired(()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(40);

    #[test]
    fn a_rule_that_said_no_is_the_answer() {
        for code in [Code::InvalidArgument, Code::FailedPrecondition, Code::AlreadyExists, Code::NotFound] {
            assert_eq!(again(&Problem::new(code, "X", "no").into_status()), None, "{code:?}");
        }
        for code in [Code::PermissionDenied, Code::Unauthenticated, Code::Internal, Code::Unknown] {
            assert_eq!(again(&Status::new(code, "no")), None, "{code:?}");
        }
        assert_eq!(again(&Problem::new(Code::Aborted, "STALE_VERSION", "stale").into_status()), None);
        assert_eq!(again(&Status::cancelled("by the service")), None);
    }

    #[test]
    fn what_may_pass_is_asked_again_when_the_service_says() {
        let full = Problem::new(Code::ResourceExhausted, "QUEUE_FULL", "full").retry_after(SOON);
        assert_eq!(again(&full.into_status()), Some(Again { after: SOON, outcome_is_unknown: false }));
        let contended = Problem::new(Code::Aborted, "CONTENDED", "contended").retry_after(SOON);
        assert_eq!(again(&contended.into_status()), Some(Again { after: SOON, outcome_is_unknown: false }));
        let away = Problem::unavailable("the database is away", SOON);
        assert_eq!(again(&away.into_status()), Some(Again { after: SOON, outcome_is_unknown: true }));
    }

    #[test]
    fn a_timeout_leaves_the_outcome_unknown_however_it_is_called() {
        let unknown = Some(Again { after: Duration::ZERO, outcome_is_unknown: true });
        assert_eq!(again(&Status::deadline_exceeded("late")), unknown);
        assert_eq!(again(&Status::cancelled("Timeout expired")), unknown);
    }
}
