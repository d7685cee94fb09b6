//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_lanes::Refused;
use auric_status::{BadField, Problem};
use tonic::{Code, Status};

use crate::domain::{Refusal, Rejection, word_of};

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

    /// The esprit is no longer there.
    pub const ESPRIT_DISSOLVED: &str = "ESPRIT_DISSOLVED";
    /// An operation is about to change the esprit.
    pub const ESPRIT_BUSY: &str = "ESPRIT_BUSY";
    /// There is no such piece of equipment.
    pub const EQUIPMENT_NOT_FOUND: &str = "EQUIPMENT_NOT_FOUND";
    /// The player has no room for more equipment.
    pub const EQUIPMENT_FULL: &str = "EQUIPMENT_FULL";
    /// Something is not as the request expected it.
    pub const STALE_VERSION: &str = "STALE_VERSION";

    /// All of the above.
    pub const ALL: [&str; 12] = [
        CATALOG_UNKNOWN,
        COLLECTION_FULL,
        PARTICIPATION_ENDED,
        PARTICIPATION_NOT_FOUND,
        OPERATION_ID_REUSED,
        NOT_YOUR_OPERATION,
        ESPRIT_NOT_FOUND,
        ESPRIT_DISSOLVED,
        ESPRIT_BUSY,
        EQUIPMENT_NOT_FOUND,
        EQUIPMENT_FULL,
        STALE_VERSION,
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
        Refusal::EspritNotFound { player, esprit } => esprit_not_found(&player, &esprit),
        Refusal::EspritBusy { esprit, operation } => {
            let message = format!("the operation {operation} is about to change {esprit}; nothing was done, try again");
            Problem::new(Code::Aborted, reasons::ESPRIT_BUSY, message)
                .with("esprit_id", esprit)
                .with("operation_id", operation)
                .retry_after(auric_edge::RETRY_AFTER)
        }
        Refusal::EquipmentNotFound { player, piece } => {
            let message = format!("player {player} has no equipment {piece}");
            Problem::new(Code::NotFound, reasons::EQUIPMENT_NOT_FOUND, message)
                .with("player_id", player)
                .with("equipment_id", piece)
        }
        Refusal::KeyReused { fields, first_method } => auric_edge::key_reused(&fields, &first_method),
    }
}

/// What a rule said.
pub fn of_rejection(rejection: &Rejection) -> Problem {
    let reason = rejection.reason();
    match rejection {
        Rejection::StaleVersion { id, expected, found } => {
            let message = format!("{id} is at version {found}, not at {expected}: read again, and decide again");
            let problem = Problem::new(Code::Aborted, reason, message);
            problem.with("id", id).with("expected", expected).with("found", found)
        }
        Rejection::EspritDissolved { esprit, dissolved_at } => {
            let message = format!("the esprit {esprit} was dissolved at {dissolved_at}");
            let problem = Problem::new(Code::FailedPrecondition, reason, message);
            problem.with("esprit_id", esprit).with("dissolved_at", dissolved_at)
        }
        Rejection::EquipmentFull { player, pieces, asked, maximum } => {
            let message = format!(
                "player {player} has {pieces} pieces of equipment; {asked} more are to come, {maximum} is the most"
            );
            Problem::new(Code::FailedPrecondition, reason, message)
                .with("player_id", player)
                .with("pieces", pieces)
                .with("asked", asked)
                .with("maximum", maximum)
        }
    }
}

/// A request of one kind was answered as one of another: ours to mend.
pub fn of_another_kind() -> Status {
    tracing::error!("a request was answered as one of another kind");
    Problem::internal().into_status()
}

/// A search for a team did not come to its end: ours to mend.
pub fn of_a_broken_search() -> Status {
    tracing::error!("a search for the best team broke off");
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

/// There is no such esprit.
pub fn esprit_not_found(player: &PlayerId, id: &EspritId) -> Problem {
    let message = format!("player {player} has no esprit {id}");
    Problem::new(Code::NotFound, reasons::ESPRIT_NOT_FOUND, message).with("player_id", player).with("esprit_id", id)
}

/// There is no such part.
pub fn participation_not_found(operation: &OperationId) -> Problem {
    let message = format!(
        "there is no part in the operation {operation} yet; its Prepare may still arrive, unless it is cancelled first"
    );
    Problem::new(Code::NotFound, reasons::PARTICIPATION_NOT_FOUND, message).with("operation_id", operation)
}
