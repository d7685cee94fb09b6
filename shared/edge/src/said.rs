//! What lanes and stores say instead of an answer, as a caller is told.

use std::time::Duration;

use auric_db::StoreError;
use auric_lanes::Refused;
use auric_status::{Problem, reason};
use tonic::{Code, Status};

/// When to come back to what is not there now.
pub const RETRY_AFTER: Duration = Duration::from_millis(200);

/// What the lanes of `service`, such as `the wallet`, said instead of an answer.
#[must_use]
pub fn of_refused(service: &str, refused: Refused) -> Status {
    let problem = match refused {
        Refused::QueueFull { retry_after } => {
            let message = format!("too many mutations are waiting; try again in {} ms", retry_after.as_millis());
            Problem::new(Code::ResourceExhausted, reason::QUEUE_FULL, message)
                .with("retry_after_ms", retry_after.as_millis())
                .retry_after(retry_after)
        }
        Refused::DeadlinePassed => Problem::new(
            Code::DeadlineExceeded,
            reason::DEADLINE_EXCEEDED,
            "the deadline passed before the mutation was begun; nothing was done",
        ),
        Refused::Contended => Problem::new(
            Code::Aborted,
            reason::CONTENDED,
            "other transactions were in the way each time; nothing was done, send the same key again",
        )
        .retry_after(RETRY_AFTER),
        Refused::Draining => Problem::unavailable(&format!("{service} is shutting down"), RETRY_AFTER),
        Refused::Unavailable => {
            Problem::unavailable(&format!("the database of {service} cannot be reached"), RETRY_AFTER)
        }
        Refused::Unknown => Problem::unavailable(&format!("{service} lost its database on the way"), RETRY_AFTER),
        Refused::Fault => Problem::internal(),
    };
    problem.into_status()
}

/// Why a read of `service` failed. Logged here: nobody else sees it.
#[must_use]
pub fn of_read(service: &str, error: &StoreError) -> Status {
    let source = std::error::Error::source(error).map(ToString::to_string);
    match error {
        StoreError::Fault(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, source, "a read failed");
            Problem::internal().into_status()
        }
        StoreError::Contended(..) | StoreError::Unavailable(_) | StoreError::Lost(_) => {
            tracing::warn!(%error, source, "a read failed for a passing reason");
            Problem::unavailable(&format!("the database of {service} cannot be reached"), RETRY_AFTER).into_status()
        }
    }
}

/// The key was used for another request: `fields` differ from the `first` one.
#[must_use]
pub fn key_reused(fields: &[String], first: &str) -> Problem {
    let differ = if fields.is_empty() { "method".to_owned() } else { fields.join(", ") };
    let message = format!(
        "the idempotency key was used for another request: {differ} differ from the first {first}; use a new key"
    );
    Problem::new(Code::AlreadyExists, reason::IDEMPOTENCY_KEY_REUSED, message)
        .with("fields", differ)
        .with("first_method", first)
}

/// What another service said, for a person: its word for it, and its sentence.
#[must_use]
pub fn said(status: &Status) -> String {
    let problem = Problem::from_status(status);
    let word = if problem.reason.is_empty() { status.code().description() } else { &problem.reason };
    format!("{word}: {}", problem.message)
}
