//! The refusal itself, and its two ways: into a status and back.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::{fit, reason};

/// The `ErrorInfo.domain` of every problem: a reason is unique within it.
pub const DOMAIN: &str = "auric";

/// One field of a request that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The way to the field from the request, such as `legs[3].amount`.
    pub path: String,
    /// What it must be, and what it is.
    pub description: String,
}

impl BadField {
    /// Names the field and what is wrong with it.
    pub fn new(path: impl Into<String>, description: impl Into<String>) -> Self {
        Self { path: path.into(), description: description.into() }
    }
}

/// Why a request was not done, and what its sender can do about it.
///
/// Invariant: every number of `metadata` is in `message`, until a long list is cut to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The class, which says whether to try again.
    pub code: Code,
    /// The program's word for it, `UPPER_SNAKE_CASE`; empty in a status that did not come from Auric.
    pub reason: String,
    /// The sentence for a person: lower case, no full stop.
    pub message: String,
    /// What the message says, by name.
    pub metadata: BTreeMap<String, String>,
    /// Every field that must change before the request can be accepted.
    pub bad_fields: Vec<BadField>,
    /// How long to wait before trying again, where that helps.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Begins a problem without details.
    pub fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            metadata: BTreeMap::new(),
            bad_fields: Vec::new(),
            retry_after: None,
        }
    }

    /// Refuses a malformed request and names every bad field, in the message too.
    pub fn invalid_argument(bad_fields: Vec<BadField>) -> Self {
        let count = bad_fields.len();
        let opening = if count == 1 { "1 bad field".to_owned() } else { format!("{count} bad fields") };
        let named: Vec<String> =
            bad_fields.iter().map(|field| format!("{} {}", field.path, field.description)).collect();
        let message = format!("{opening}: {}", named.join("; "));
        Self { bad_fields, ..Self::new(Code::InvalidArgument, reason::INVALID_ARGUMENT, message) }
    }

    /// Says that the service failed and keeps why to itself: the log has it.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            reason::INTERNAL,
            "internal error; the service's log has it under this request's trace id",
        )
    }

    /// Says that the outcome is unknown and that the same key may be sent again after `retry_after`.
    pub fn unavailable(what: &str, retry_after: Duration) -> Self {
        let message = format!("{what}; the outcome is unknown, send the same idempotency key again");
        Self::new(Code::Unavailable, reason::UNAVAILABLE, message).retry_after(retry_after)
    }

    /// Adds one name and value that the message says.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a number reads best as it is, without a borrow at each call")]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.metadata.insert(name.into(), value.to_string());
        self
    }

    /// Adds one field that must change.
    #[must_use]
    pub fn bad_field(mut self, path: impl Into<String>, description: impl Into<String>) -> Self {
        self.bad_fields.push(BadField::new(path, description));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// Lists the numbers of the metadata that the message keeps silent about: none, if the problem is well made.
    pub fn unspoken_numbers(&self) -> Vec<&str> {
        let is_number = |value: &str| {
            let digits = value.strip_prefix('-').unwrap_or(value);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let spoken: Vec<&str> = self.message.split(|character: char| !character.is_ascii_digit()).collect();
        let is_unspoken = |value: &&str| is_number(value) && !spoken.contains(&value.trim_start_matches('-'));
        self.metadata.values().map(String::as_str).filter(is_unspoken).collect()
    }

    /// Makes the status, with `ErrorInfo`, and `BadRequest` and `RetryInfo` where there is something to say, cut to what every client accepts.
    pub fn into_status(self) -> Status {
        debug_assert!(
            self.unspoken_numbers().is_empty(),
            "message {:?} does not say {:?}",
            self.message,
            self.unspoken_numbers()
        );
        fit::cut(self).to_status()
    }

    /// Reads a problem back. A status without details, of a proxy for instance, has its code and message only.
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let mut problem = Self::new(status.code(), "", status.message());
        if let Some(info) = details.error_info().filter(|info| info.domain == DOMAIN) {
            problem.reason.clone_from(&info.reason);
            problem.metadata = info.metadata.clone().into_iter().collect();
        }
        if let Some(bad_request) = details.bad_request() {
            let field = |violation: &FieldViolation| BadField::new(&*violation.field, &*violation.description);
            problem.bad_fields = bad_request.field_violations.iter().map(field).collect();
        }
        problem.retry_after = details.retry_info().and_then(|info| info.retry_delay);
        problem
    }

    pub(crate) fn to_status(&self) -> Status {
        let metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        let mut details = ErrorDetails::with_error_info(&*self.reason, DOMAIN, metadata);
        if !self.bad_fields.is_empty() {
            let violation = |field: &BadField| FieldViolation::new(&*field.path, &*field.description);
            details.set_bad_request(self.bad_fields.iter().map(violation).collect::<Vec<_>>());
        }
        if self.retry_after.is_some() {
            details.set_retry_info(self.retry_after);
        }
        Status::with_error_details(self.code, &*self.message, details)
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        problem.into_status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overdraft() -> Problem {
        Problem::new(
            Code::FailedPrecondition,
            "INSUFFICIENT_FUNDS",
            "player discord:1 has 40 of lumees available, 100 are asked for",
        )
        .with("player_id", "discord:1")
        .with("asset_id", "lumees")
        .with("available", 40)
        .with("asked", 100)
        .bad_field("legs[0].amount", "100 is more than the 40 that are available")
    }

    #[test]
    fn a_problem_survives_its_status() {
        let problem = overdraft().retry_after(Duration::from_millis(250));
        assert_eq!(Problem::from_status(&problem.clone().into_status()), problem);
    }

    #[test]
    fn a_status_from_elsewhere_keeps_its_code_and_message() {
        let problem = Problem::from_status(&Status::unavailable("connection refused"));
        assert_eq!(problem, Problem::new(Code::Unavailable, "", "connection refused"));
    }

    #[test]
    fn a_number_that_only_the_metadata_has_is_found() {
        assert!(overdraft().unspoken_numbers().is_empty());
        assert!(Problem::new(Code::Aborted, "X", "the level is -3").with("level", -3).unspoken_numbers().is_empty());
        let silent = Problem::new(Code::Aborted, "X", "has 1400 of them").with("count", 40).with("key", "a-1");
        assert_eq!(silent.unspoken_numbers(), ["40"], "1400 does not say 40, and a-1 is no number");
    }

    #[test]
    fn an_invalid_argument_names_every_field_in_its_message() {
        let bad_fields = vec![
            BadField::new("reason", "must not be empty"),
            BadField::new("legs[2].amount", "must be 1 or more, is 0"),
        ];
        let problem = Problem::invalid_argument(bad_fields);
        assert_eq!(problem.message, "2 bad fields: reason must not be empty; legs[2].amount must be 1 or more, is 0");
        assert_eq!(problem.reason, reason::INVALID_ARGUMENT);
    }

    #[test]
    fn every_shared_reason_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let page = std::fs::read_to_string(path).expect("docs/errors.md is readable");
        for reason in reason::ALL {
            assert!(page.lines().any(|line| line == format!("## {reason}")), "docs/errors.md has no section {reason}");
        }
    }
}
