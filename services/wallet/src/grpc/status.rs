//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use std::time::Duration;

use auric_api::wallet::v1 as api;
use auric_db::StoreError;
use auric_lanes::Refused;
use auric_status::{BadField, Problem, reason};
use tonic::{Code, Status};

use super::{Metadata, invalid};
use crate::domain::{BoundFault, MutationKey, Rejection, Unstored};

/// The reasons that the wallet gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// A balance is too small.
    pub const INSUFFICIENT_FUNDS: &str = "INSUFFICIENT_FUNDS";
    /// A balance would become too large.
    pub const ABOVE_MAXIMUM: &str = "ABOVE_MAXIMUM";
    /// The key belongs to another request.
    pub const IDEMPOTENCY_KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
    /// No request was seen under the key.
    pub const MUTATION_NOT_SEEN: &str = "MUTATION_NOT_SEEN";
    /// Other transactions were in the way each time.
    pub const CONTENDED: &str = "CONTENDED";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 5] =
        [INSUFFICIENT_FUNDS, ABOVE_MAXIMUM, IDEMPOTENCY_KEY_REUSED, MUTATION_NOT_SEEN, CONTENDED];
}

/// How long to wait before a retry that no queue's length suggests.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Faults that one answer spells out.
const FAULTS_MAX: usize = 20;

/// What a rule said.
pub fn of_rejection(rejection: &Rejection) -> Problem {
    let refusal = refusal(rejection);
    let problem = Problem::new(Code::from(refusal.code), refusal.reason, refusal.message);
    refusal.metadata.into_iter().fold(problem, |problem, (name, value)| problem.with(name, value))
}

/// The same, inside an answer.
pub fn refusal(rejection: &Rejection) -> api::Refusal {
    let (code, message, metadata) = match rejection {
        Rejection::OutOfBounds { faults, .. } => (Code::FailedPrecondition, bounds(faults), bounds_metadata(faults)),
    };
    api::Refusal {
        code: code.into(),
        reason: rejection.reason().to_owned(),
        message,
        metadata: metadata.into_iter().collect(),
    }
}

/// What was not decided.
pub fn of_unstored(unstored: Unstored) -> Status {
    match unstored {
        Unstored::Invalid(fields) => {
            invalid(fields.into_iter().map(|field| BadField::new(field.path, field.fault)).collect())
        }
        Unstored::KeyReused { fields, first_method } => {
            let first_method = first_method.as_str();
            let differ = if fields.is_empty() { "method".to_owned() } else { fields.join(", ") };
            let message = format!(
                "the idempotency key was used for another request: {differ} differ from the first {first_method}; use a new key"
            );
            Problem::new(Code::AlreadyExists, reasons::IDEMPOTENCY_KEY_REUSED, message)
                .with("fields", differ)
                .with("first_method", first_method)
                .into_status()
        }
    }
}

/// What the lanes said instead of an answer.
pub fn of_refused(refused: Refused) -> Status {
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
            "the deadline passed before the mutation was begun; nothing was moved",
        ),
        Refused::Contended => Problem::new(
            Code::Aborted,
            reasons::CONTENDED,
            "other transactions were in the way each time; nothing was moved, send the same key again",
        )
        .retry_after(RETRY_AFTER),
        Refused::Draining => Problem::unavailable("the wallet is shutting down", RETRY_AFTER),
        Refused::Unavailable => Problem::unavailable("the wallet's database cannot be reached", RETRY_AFTER),
        Refused::Unknown => Problem::unavailable("the wallet lost its database on the way", RETRY_AFTER),
        Refused::Fault => Problem::internal(),
    };
    problem.into_status()
}

/// Why a read failed. Logged here: nobody else sees it.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub fn of_read(error: StoreError) -> Status {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    match &error {
        StoreError::Fault(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, source, "a read failed");
            Problem::internal().into_status()
        }
        StoreError::Contended(..) | StoreError::Unavailable(_) | StoreError::Lost(_) => {
            tracing::warn!(%error, source, "a read failed for a passing reason");
            Problem::unavailable("the wallet's database cannot be reached", RETRY_AFTER).into_status()
        }
    }
}

/// No request was seen under that key.
pub fn not_seen(key: &MutationKey) -> Status {
    let message = format!(
        "no mutation of {} under {} was seen yet; that is no promise that it will not arrive",
        key.caller, key.key
    );
    Problem::new(Code::NotFound, reasons::MUTATION_NOT_SEEN, message)
        .with("caller", &key.caller)
        .with("idempotency_key", &key.key)
        .into_status()
}

fn bounds(faults: &[BoundFault]) -> String {
    let mut parts: Vec<String> = faults.iter().take(FAULTS_MAX).map(bound).collect();
    if let Some(more) = faults.len().checked_sub(FAULTS_MAX).filter(|more| *more > 0) {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

fn bound(fault: &BoundFault) -> String {
    let key = fault.key();
    let what = match key.pool.as_str() {
        "" => format!("{} of {}", key.asset, key.player),
        pool => format!("{} ({pool}) of {}", key.asset, key.player),
    };
    match fault {
        BoundFault::Insufficient { available_units, asked_units, .. } => {
            format!("{what}: {available_units} available, {asked_units} asked")
        }
        BoundFault::AboveMaximum { total_units, asked_units, maximum_units, .. } => {
            format!("{what}: {total_units} there, {asked_units} to be added, {maximum_units} at most")
        }
    }
}

fn bounds_metadata(faults: &[BoundFault]) -> Metadata {
    let mut metadata = Metadata::new();
    let mut put = |index: usize, name: &str, value: String| {
        let name = if index == 0 { name.to_owned() } else { format!("{name}_{}", index.saturating_add(1)) };
        metadata.insert(name, value);
    };
    for (index, fault) in faults.iter().take(FAULTS_MAX).enumerate() {
        let key = fault.key();
        put(index, "player_id", key.player.to_string());
        put(index, "asset_id", key.asset.to_string());
        if !key.pool.as_str().is_empty() {
            put(index, "pool_id", key.pool.to_string());
        }
        match fault {
            BoundFault::Insufficient { available_units, asked_units, .. } => {
                put(index, "available", available_units.to_string());
                put(index, "asked", asked_units.to_string());
            }
            BoundFault::AboveMaximum { total_units, asked_units, maximum_units, .. } => {
                put(index, "total", total_units.to_string());
                put(index, "asked", asked_units.to_string());
                put(index, "maximum", maximum_units.to_string());
            }
        }
    }
    metadata
}
