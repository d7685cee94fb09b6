//! What an operator is told when there is no answer.

use std::time::Duration;

use auric_db::StoreError;
use auric_status::{Problem, reason};
use tonic::{Code, Status};

use crate::store::EventName;

/// The reasons that the gateway gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// No such event was ever kept.
    pub const EVENT_NOT_FOUND: &str = "EVENT_NOT_FOUND";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 1] = [EVENT_NOT_FOUND];
}

/// How long to wait before a retry.
const RETRY_AFTER: Duration = Duration::from_millis(200);

pub fn not_found(name: &EventName) -> Status {
    let message = format!("no event {} of {} was ever kept", name.event, name.provider);
    let problem = Problem::new(Code::NotFound, reasons::EVENT_NOT_FOUND, message);
    problem.with("provider", &name.provider).with("event_id", &name.event).into_status()
}

pub fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::Contended(..) | StoreError::Unavailable(_) | StoreError::Lost(_) => {
            let message = "the inbox does not answer; ask again";
            Problem::new(Code::Unavailable, reason::UNAVAILABLE, message).retry_after(RETRY_AFTER).into_status()
        }
        StoreError::Fault(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, "a request failed: {error}");
            Problem::internal().into_status()
        }
    }
}
