//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use auric_db::StoreError;
use auric_ids::JobId;
use auric_lanes::Refused;
use auric_status::{BadField, Problem};
use tonic::{Code, Status};

use crate::domain::{Refusal, Rejection};

/// The reasons that the scheduler gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// There is a job of that name.
    pub const JOB_EXISTS: &str = "JOB_EXISTS";
    /// There is no job of that name.
    pub const JOB_NOT_FOUND: &str = "JOB_NOT_FOUND";
    /// There is no such dead letter.
    pub const DEAD_LETTER_NOT_FOUND: &str = "DEAD_LETTER_NOT_FOUND";
    /// There is no such handler.
    pub const HANDLER_NOT_FOUND: &str = "HANDLER_NOT_FOUND";
    /// Something is not as the request expected it.
    pub const STALE_VERSION: &str = "STALE_VERSION";

    /// All of the above.
    pub const ALL: [&str; 5] = [JOB_EXISTS, JOB_NOT_FOUND, DEAD_LETTER_NOT_FOUND, HANDLER_NOT_FOUND, STALE_VERSION];
}

/// What callers know the service as.
const SERVICE: &str = "the scheduler";

/// Why a request was not decided.
pub fn of_refusal(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Invalid(fields) => {
            let fields = fields.into_iter().map(|field| BadField::new(field.path, field.fault));
            Problem::invalid_argument(fields.collect())
        }
        Refusal::KeyReused { fields, first_method } => auric_edge::key_reused(&fields, &first_method),
    }
}

/// Why a rule said no.
pub fn of_rejection(rejection: &Rejection) -> Problem {
    let reason = rejection.reason();
    match rejection {
        Rejection::JobExists { job } => {
            let message = format!("there is a job {job}; update it, or take another name");
            Problem::new(Code::AlreadyExists, reason, message).with("job_id", job)
        }
        Rejection::JobNotFound { job } => job_not_found(job),
        Rejection::StaleVersion { job, expected, found } => {
            let message = format!("job {job} has version {found}, not {expected}: read it again, and decide again");
            Problem::new(Code::Aborted, reason, message)
                .with("job_id", job)
                .with("expected", expected)
                .with("found", found)
        }
        Rejection::DeadLetterNotFound { key } => {
            let message = format!("{key} is no dead letter, or no longer: it may have been replayed or discarded");
            Problem::new(Code::NotFound, reason, message).with("key", key)
        }
    }
}

/// There is no job of that name.
pub fn job_not_found(job: &JobId) -> Problem {
    Problem::new(Code::NotFound, reasons::JOB_NOT_FOUND, format!("there is no job {job}")).with("job_id", job)
}

/// There is no such handler.
pub fn handler_not_found(handler: &str) -> Problem {
    let message = format!("{SERVICE} has no handler {handler:?}; it has record");
    Problem::new(Code::NotFound, reasons::HANDLER_NOT_FOUND, message)
        .with("handler", handler)
        .with("handlers", "record")
}

/// A request of one kind was answered as one of another: ours to mend.
pub fn of_another_kind() -> Status {
    tracing::error!("a request was answered as one of another kind");
    Problem::internal().into_status()
}

/// What the lanes said instead of an answer.
pub fn of_refused(refused: Refused) -> Status {
    auric_edge::of_refused(SERVICE, refused)
}

/// Why a read failed.
pub fn of_read(error: &StoreError) -> Status {
    auric_edge::of_read(SERVICE, error)
}
