//! What a service says when it does not do what it was asked: a `google.rpc.Status` that a program can act on and a person can read.
//!
//! A [`Problem`] is built where the refusal is known and becomes a [`tonic::Status`] at the edge; [`Problem::from_status`] reads it back in a client.
//! Two rules of the house are kept here. The message holds every number that the metadata holds, so that a log line alone tells the whole story. And
//! the whole answer fits into the 8 KiB of trailers that the strictest gRPC client accepts by default: a longer list is cut, and says by how much.

mod fit;
mod problem;

pub use fit::TRAILER_BYTES_MAX;
pub use problem::{BadField, DOMAIN, Problem};

/// The reasons that any service may give; each service adds its own. `docs/errors.md` has a section for every one.
pub mod reason {
    /// The request is malformed; every bad field is named. Correct it: the same request is never accepted.
    pub const INVALID_ARGUMENT: &str = "INVALID_ARGUMENT";
    /// The service failed; what happened is in its log, under the request's trace id.
    pub const INTERNAL: &str = "INTERNAL";
    /// The service cannot answer now, and the outcome is unknown. Send the same request under the same key again.
    pub const UNAVAILABLE: &str = "UNAVAILABLE";
    /// The deadline passed before the request was begun.
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// Too much is waiting; nothing was done. Try again after the delay that the answer names.
    pub const QUEUE_FULL: &str = "QUEUE_FULL";

    /// The key was used for another request; the fields that differ are named. Use a new key.
    pub const IDEMPOTENCY_KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
    /// Other transactions were in the way each time; nothing was done. Send the same key again.
    pub const CONTENDED: &str = "CONTENDED";

    /// Nothing that came with the request says who calls. Send a credential that is in force.
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// The caller is known and has not been granted the method's scope.
    pub const PERMISSION_DENIED: &str = "PERMISSION_DENIED";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 9] = [
        INVALID_ARGUMENT,
        INTERNAL,
        UNAVAILABLE,
        DEADLINE_EXCEEDED,
        QUEUE_FULL,
        IDEMPOTENCY_KEY_REUSED,
        CONTENDED,
        UNAUTHENTICATED,
        PERMISSION_DENIED,
    ];
}
