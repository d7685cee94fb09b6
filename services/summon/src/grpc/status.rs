//! What a caller is told when it gets no summon: the one place that knows both the domain's refusals and `Status`.

use auric_db::StoreError;
use auric_edge::RETRY_AFTER;
use auric_ids::{BannerId, OperationId, PlayerId};
use auric_status::{BadField, Problem, reason};
use auric_twophase::Operation;
use tonic::{Code, Status};

use crate::domain::{Refusal, Unstored};
use crate::handlers::{Failed, Which};

/// The reasons that summon gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// The catalog in force has no such banner.
    pub const BANNER_NOT_FOUND: &str = "BANNER_NOT_FOUND";
    /// Nobody can summon from the banner now.
    pub const BANNER_CLOSED: &str = "BANNER_CLOSED";
    /// What was free in this period is used.
    pub const FREE_SUMMON_USED: &str = "FREE_SUMMON_USED";
    /// The player has no more pulls in this period.
    pub const LIMIT_REACHED: &str = "LIMIT_REACHED";
    /// The player has not the spark points that the species costs.
    pub const INSUFFICIENT_SPARK_POINTS: &str = "INSUFFICIENT_SPARK_POINTS";
    /// No such summon was seen.
    pub const SUMMON_NOT_FOUND: &str = "SUMMON_NOT_FOUND";
    /// No such operation is under way.
    pub const OPERATION_NOT_FOUND: &str = "OPERATION_NOT_FOUND";

    /// A summon of the player is not decided yet.
    pub const SUMMON_UNDECIDED: &str = "SUMMON_UNDECIDED";
    /// The player has no pull of that number.
    pub const PULL_NOT_FOUND: &str = "PULL_NOT_FOUND";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 9] = [
        BANNER_NOT_FOUND,
        BANNER_CLOSED,
        FREE_SUMMON_USED,
        LIMIT_REACHED,
        INSUFFICIENT_SPARK_POINTS,
        SUMMON_NOT_FOUND,
        OPERATION_NOT_FOUND,
        SUMMON_UNDECIDED,
        PULL_NOT_FOUND,
    ];
}

/// The service's name in sentences.
const SERVICE: &str = "the summon service";

/// What a rule said, here or at another service: the same for whoever asks under the key.
pub fn of_refusal(refusal: &Refusal) -> Problem {
    let problem = |message: String| Problem::new(Code::FailedPrecondition, refusal.reason(), message);
    match refusal {
        Refusal::BannerClosed { banner, why } => {
            problem(format!("the banner {banner} {why}")).with("banner_id", banner).with("why", why)
        }
        Refusal::FreeUsed { banner, cost, again_at } => {
            problem(format!("the free summon {cost} of {banner} is used; there is one again at {again_at}"))
                .with("banner_id", banner)
                .with("cost_id", cost)
                .with("again_at", again_at)
        }
        Refusal::LimitReached { banner, limit, left, count, again_at } => problem(format!(
            "{left} of {limit} pulls of {banner} are left, {count} are asked for; there are more at {again_at}"
        ))
        .with("banner_id", banner)
        .with("limit", limit)
        .with("left", left)
        .with("count", count)
        .with("again_at", again_at),
        Refusal::SparkPointsShort { banner, species, price_points, points } => {
            problem(format!("{species} costs {price_points} spark points at {banner}, the player has {points}"))
                .with("banner_id", banner)
                .with("species_id", species)
                .with("price_points", price_points)
                .with("points", points)
        }
        Refusal::Participant { service, message, metadata, .. } => {
            let told = metadata.iter().fold(problem(message.clone()), |told, (name, value)| told.with(name, value));
            told.with("service", service)
        }
    }
}

/// It came to nothing, and the same key tries again.
pub fn given_up(operation: &Operation, why: &str) -> Problem {
    let message = format!("attempt {} came to nothing: {why}; send the same idempotency key again", operation.attempt);
    Problem::new(Code::Unavailable, reason::UNAVAILABLE, message)
        .with("operation_id", &operation.id)
        .with("attempt", operation.attempt)
        .retry_after(RETRY_AFTER)
}

/// It is not decided yet.
pub fn pending(operation: &Operation) -> Problem {
    Problem::unavailable("the summon is not decided yet", RETRY_AFTER).with("operation_id", &operation.id)
}

/// Why there is no operation.
pub fn of_failed(failed: Failed) -> Status {
    match failed {
        Failed::Lane(refused) => auric_edge::of_refused(SERVICE, refused),
        Failed::Store(error) => of_read(error),
        Failed::Unstored(unstored) => of_unstored(unstored),
    }
}

/// Why nothing was begun.
pub fn of_unstored(unstored: Unstored) -> Status {
    match unstored {
        Unstored::KeyReused { fields, first_method } => auric_edge::key_reused(&fields, first_method).into_status(),
        Unstored::BannerNotFound(id) => banner_not_found(&id).into_status(),
        Unstored::Invalid(field) => {
            Problem::invalid_argument(vec![BadField::new(field.path, field.fault)]).into_status()
        }
    }
}

/// Why a read failed.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub fn of_read(error: StoreError) -> Status {
    auric_edge::of_read(SERVICE, &error)
}

/// A stream ends before it has told all.
pub fn closing() -> Status {
    Problem::unavailable(&format!("{SERVICE} is shutting down"), RETRY_AFTER).into_status()
}

pub fn banner_not_found(id: &BannerId) -> Problem {
    let message = format!("there is no banner {id} in the catalog in force");
    Problem::new(Code::NotFound, reasons::BANNER_NOT_FOUND, message).with("banner_id", id)
}

pub fn summon_not_found(which: &Which) -> Problem {
    let not_found = |message: String| Problem::new(Code::NotFound, reasons::SUMMON_NOT_FOUND, message);
    match which {
        Which::Key(key) => not_found(format!(
            "no summon of {} under {} was seen yet; that is no promise that it will not arrive",
            key.caller, key.key
        ))
        .with("caller", &key.caller)
        .with("idempotency_key", &key.key),
        Which::Operation(player, id) => {
            not_found(format!("{player} has no summon {id}")).with("player_id", player).with("operation_id", id)
        }
    }
}

pub fn operation_not_found(player: &PlayerId, id: &OperationId) -> Problem {
    let message = format!("no operation {id} of {player} is under way");
    Problem::new(Code::NotFound, reasons::OPERATION_NOT_FOUND, message)
        .with("player_id", player)
        .with("operation_id", id)
}
