//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId, SpeciesId};
use auric_lanes::Refused;
use auric_status::{BadField, Problem, reason};
use auric_twophase::Operation;
use tonic::{Code, Status};

use crate::domain::{Denial, Refusal, Rejection, Units, word_of};
use crate::handlers::Failed;

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
    /// Its owner guards the esprit from being dissolved.
    pub const ESPRIT_LOCKED: &str = "ESPRIT_LOCKED";
    /// The esprit is in the team.
    pub const ESPRIT_IN_TEAM: &str = "ESPRIT_IN_TEAM";
    /// The esprit wears something.
    pub const ESPRIT_EQUIPPED: &str = "ESPRIT_EQUIPPED";
    /// The esprit cannot be raised any more.
    pub const ESPRIT_AT_LEVEL_MAX: &str = "ESPRIT_AT_LEVEL_MAX";
    /// A dissolve would give something else than its preview showed.
    pub const PREVIEW_OUTDATED: &str = "PREVIEW_OUTDATED";
    /// No such operation is under way.
    pub const OPERATION_NOT_FOUND: &str = "OPERATION_NOT_FOUND";
    /// Something is not as the request expected it.
    pub const STALE_VERSION: &str = "STALE_VERSION";

    /// All of the above.
    pub const ALL: [&str; 18] = [
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
        ESPRIT_LOCKED,
        ESPRIT_IN_TEAM,
        ESPRIT_EQUIPPED,
        ESPRIT_AT_LEVEL_MAX,
        PREVIEW_OUTDATED,
        OPERATION_NOT_FOUND,
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
        Refusal::SpeciesUnknown(species) => species_unknown(&species),
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
        Rejection::EspritLocked { esprit } => in_the_way(reason, esprit, "is locked by its owner"),
        Rejection::EspritInTeam { esprit } => in_the_way(reason, esprit, "is in the team"),
        Rejection::EspritEquipped { esprit } => in_the_way(reason, esprit, "wears something"),
        Rejection::EspritAtLevelMax { esprit, level, maximum } => {
            let message = format!("the esprit {esprit} is at level {level}; {maximum} is the highest of its rarity");
            let problem = Problem::new(Code::FailedPrecondition, reason, message);
            problem.with("esprit_id", esprit).with("level", level).with("maximum", maximum)
        }
        Rejection::PreviewOutdated { seen, found } => {
            let (seen, found) = (listed(seen), listed(found));
            let message =
                format!("it would give {found} now, not {seen} as was shown: preview again, and decide again");
            Problem::new(Code::Aborted, reason, message).with("seen", seen).with("found", found)
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

/// An esprit that is in use cannot be dissolved.
fn in_the_way(reason: &str, esprit: &EspritId, why: &str) -> Problem {
    let message = format!("the esprit {esprit} {why}; nothing was dissolved");
    Problem::new(Code::FailedPrecondition, reason, message).with("esprit_id", esprit)
}

fn listed(units: &[Units]) -> String {
    units.iter().map(|units| format!("{} {}", units.amount, units.asset)).collect::<Vec<_>>().join(", ")
}

fn species_unknown(species: &SpeciesId) -> Problem {
    let message =
        format!("the species {species} is in no file that this copy has read yet; nothing was done, send it again");
    Problem::new(Code::Unavailable, reasons::CATALOG_UNKNOWN, message)
        .with("species_id", species)
        .retry_after(CATALOG_RETRY_AFTER)
}

/// What a rule said of an operation, here or at another service: the same for whoever asks under the key.
pub fn of_denial(denial: &Denial) -> Problem {
    match denial {
        Denial::Rule(rejection) => of_rejection(rejection),
        Denial::Participant { service, reason, message, metadata } => {
            let problem = Problem::new(Code::FailedPrecondition, reason, message.clone());
            metadata.iter().fold(problem, |told, (name, value)| told.with(name, value)).with("service", service)
        }
    }
}

/// It came to nothing, and the same key tries again.
pub fn given_up(operation: &Operation, why: &str) -> Problem {
    let message = format!("attempt {} came to nothing: {why}; send the same idempotency key again", operation.attempt);
    Problem::new(Code::Unavailable, reason::UNAVAILABLE, message)
        .with("operation_id", &operation.id)
        .with("attempt", operation.attempt)
        .retry_after(auric_edge::RETRY_AFTER)
}

/// It is not decided yet.
pub fn pending(operation: &Operation) -> Problem {
    Problem::unavailable("the operation is not decided yet", auric_edge::RETRY_AFTER)
        .with("operation_id", &operation.id)
}

/// Why there is nothing to tell of.
pub fn of_failed(failed: Failed) -> Status {
    match failed {
        Failed::Lane(refused) => of_refused(refused),
        Failed::Store(error) => of_read(&error),
        Failed::Unstored(refusal) => of_refusal(refusal).into_status(),
        Failed::Rejected(rejection) => of_rejection(&rejection).into_status(),
        Failed::NoWallet => Problem::unavailable(&failed.to_string(), auric_edge::RETRY_AFTER).into_status(),
    }
}

/// No such operation is under way.
pub fn operation_not_found(player: &PlayerId, id: &OperationId) -> Problem {
    let message = format!("no operation {id} of {player} is under way");
    Problem::new(Code::NotFound, reasons::OPERATION_NOT_FOUND, message)
        .with("player_id", player)
        .with("operation_id", id)
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
