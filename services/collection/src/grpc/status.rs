//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_lanes::Refused;
use auric_status::{BadField, Problem};
use tonic::{Code, Status};

use crate::domain::{Refusal, word_of};

/// The reasons that the collection gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// This database has not seen the coordinator's catalog yet.
    pub const CATALOG_UNKNOWN: &str = "CATALOG_UNKNOWN";
    /// The player has no room for more esprits.
    pub const COLLECTION_FULL: &str = "COLLECTION_FULL";
    /// The participation has ended otherwise than the request asks.
    pub const PARTICIPATION_ENDED: &str = "PARTICIPATION_ENDED";
    /// There is no such participation.
    pub const PARTICIPATION_NOT_FOUND: &str = "PARTICIPATION_NOT_FOUND";
    /// The operation's name belongs to another request.
    pub const OPERATION_ID_REUSED: &str = "OPERATION_ID_REUSED";
    /// Another service coordinates the operation.
    pub const NOT_YOUR_OPERATION: &str = "NOT_YOUR_OPERATION";
    /// There is no such esprit.
    pub const ESPRIT_NOT_FOUND: &str = "ESPRIT_NOT_FOUND";

    /// All of the above.
    pub const ALL: [&str; 7] = [
        CATALOG_UNKNOWN,
        COLLECTION_FULL,
        PARTICIPATION_ENDED,
        PARTICIPATION_NOT_FOUND,
        OPERATION_ID_REUSED,
        NOT_YOUR_OPERATION,
        ESPRIT_NOT_FOUND,
    ];
}

/// What callers know the service as.
const SERVICE: &str = "the collection";

/// How long to wait for a catalog that another copy has already.
const CATALOG_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request has no effect.
pub fn of_refusal(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Invalid(fields) => {
            let fields = fields.into_iter().map(|field| BadField::new(field.path, field.fault));
            Problem::invalid_argument(fields.collect())
        }
        Refusal::CatalogUnknown(hash) => {
            let message =
                format!("the catalog {hash} was not put into force here yet; nothing was promised, send it again");
            Problem::new(Code::Unavailable, reasons::CATALOG_UNKNOWN, message)
                .with("catalog_hash", hash)
                .retry_after(CATALOG_RETRY_AFTER)
        }
        Refusal::CollectionFull { player, esprits, promised, asked, maximum } => {
            let message = format!(
                "player {player} has {esprits} esprits and is promised {promised}; {asked} more are asked for, {maximum} is the most"
            );
            Problem::new(Code::FailedPrecondition, reasons::COLLECTION_FULL, message)
                .with("player_id", player)
                .with("esprits", esprits)
                .with("promised", promised)
                .with("asked", asked)
                .with("maximum", maximum)
        }
        Refusal::Ended { operation, state, ended_at } => {
            let state = word_of(state);
            let message = format!("the part in the operation {operation} is {state} since {ended_at}");
            Problem::new(Code::FailedPrecondition, reasons::PARTICIPATION_ENDED, message)
                .with("operation_id", operation)
                .with("state", state)
                .with("ended_at", ended_at)
        }
        Refusal::NotFound(operation) => participation_not_found(&operation),
        Refusal::OperationReused { operation, fields } => {
            let fields = fields.join(", ");
            let message = format!("the operation {operation} was asked for otherwise: {fields} differ");
            Problem::new(Code::AlreadyExists, reasons::OPERATION_ID_REUSED, message)
                .with("operation_id", operation)
                .with("fields", fields)
        }
        Refusal::NotYours(operation) => {
            let message = format!("the operation {operation} is another caller's");
            Problem::new(Code::PermissionDenied, reasons::NOT_YOUR_OPERATION, message).with("operation_id", operation)
        }
    }
}

/// What the lanes said instead of an answer.
pub fn of_refused(refused: Refused) -> Status {
    auric_edge::of_refused(SERVICE, refused)
}

/// Why a read failed.
pub fn of_read(error: &StoreError) -> Status {
    auric_edge::of_read(SERVICE, error)
}

/// There is no such esprit.
pub fn esprit_not_found(player: &PlayerId, id: &EspritId) -> Status {
    let message = format!("player {player} has no esprit {id}");
    Problem::new(Code::NotFound, reasons::ESPRIT_NOT_FOUND, message)
        .with("player_id", player)
        .with("esprit_id", id)
        .into_status()
}

/// There is no such part.
pub fn participation_not_found(operation: &OperationId) -> Problem {
    let message = format!(
        "there is no part in the operation {operation} yet; its Prepare may still arrive, unless it is cancelled first"
    );
    Problem::new(Code::NotFound, reasons::PARTICIPATION_NOT_FOUND, message).with("operation_id", operation)
}
