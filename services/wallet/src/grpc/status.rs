//! What a caller is told when it gets no effect: the one place that knows both the domain's refusals and `Status`.

use auric_api::wallet::v1 as api;
use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_ids::{HoldId, RetailTokenId};
use auric_lanes::Refused;
use auric_status::{BadField, Problem};
use tonic::{Code, Status};

use super::Metadata;
use crate::domain::{BoundFault, MutationKey, Posted, Rejection, Unstored};

/// The reasons that the wallet gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// A balance is too small.
    pub const INSUFFICIENT_FUNDS: &str = "INSUFFICIENT_FUNDS";
    /// A balance would become too large.
    pub const ABOVE_MAXIMUM: &str = "ABOVE_MAXIMUM";
    /// The reward was claimed before.
    pub const CLAIM_MADE: &str = "CLAIM_MADE";
    /// A player's audit is not where the request expected it.
    pub const STALE_VERSION: &str = "STALE_VERSION";
    /// The hold's name belongs to another hold.
    pub const HOLD_ID_REUSED: &str = "HOLD_ID_REUSED";
    /// The hold has ended otherwise.
    pub const HOLD_ENDED: &str = "HOLD_ENDED";
    /// More was to be taken than is held.
    pub const ABOVE_HELD: &str = "ABOVE_HELD";
    /// A part was to be taken of a hold that is whole or nothing.
    pub const HOLD_IS_WHOLE: &str = "HOLD_IS_WHOLE";
    /// There is no such hold, yet.
    pub const HOLD_NOT_FOUND: &str = "HOLD_NOT_FOUND";
    /// The hold is another caller's.
    pub const NOT_YOUR_HOLD: &str = "NOT_YOUR_HOLD";
    /// The event was told of another payment.
    pub const PAYMENT_EVENT_REUSED: &str = "PAYMENT_EVENT_REUSED";
    /// Somebody else made the payment.
    pub const PAYMENT_OF_ANOTHER_PLAYER: &str = "PAYMENT_OF_ANOTHER_PLAYER";
    /// Something was generated with the token before.
    pub const RETAIL_TOKEN_USED: &str = "RETAIL_TOKEN_USED";
    /// There is no such retail token, yet.
    pub const RETAIL_TOKEN_NOT_FOUND: &str = "RETAIL_TOKEN_NOT_FOUND";
    /// The key was voided before its request came.
    pub const MUTATION_VOIDED: &str = "MUTATION_VOIDED";
    /// No request was seen under the key.
    pub const MUTATION_NOT_SEEN: &str = "MUTATION_NOT_SEEN";
    /// No catalog of that hash was ever in force.
    pub const CATALOG_NOT_FOUND: &str = "CATALOG_NOT_FOUND";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 17] = [
        INSUFFICIENT_FUNDS,
        ABOVE_MAXIMUM,
        CLAIM_MADE,
        STALE_VERSION,
        HOLD_ID_REUSED,
        HOLD_ENDED,
        ABOVE_HELD,
        HOLD_IS_WHOLE,
        HOLD_NOT_FOUND,
        NOT_YOUR_HOLD,
        PAYMENT_EVENT_REUSED,
        PAYMENT_OF_ANOTHER_PLAYER,
        RETAIL_TOKEN_USED,
        RETAIL_TOKEN_NOT_FOUND,
        MUTATION_VOIDED,
        MUTATION_NOT_SEEN,
        CATALOG_NOT_FOUND,
    ];
}

/// Faults or movements that one answer spells out.
const SPELLED_MAX: usize = 20;

/// What a rule said.
pub fn of_rejection(rejection: &Rejection) -> Problem {
    let (message, metadata) = describe(rejection);
    let problem = Problem::new(code(rejection), rejection.reason(), message);
    metadata.into_iter().fold(problem, |problem, (name, value)| problem.with(name, value))
}

/// The same, inside an answer.
pub fn refusal(rejection: &Rejection) -> api::Refusal {
    let (message, metadata) = describe(rejection);
    let metadata = metadata.into_iter().collect();
    api::Refusal { code: code(rejection).into(), reason: rejection.reason().to_owned(), message, metadata }
}

const fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::ClaimMade { .. }
        | Rejection::HoldIdReused { .. }
        | Rejection::PaymentEventReused { .. }
        | Rejection::PaymentOfAnother { .. }
        | Rejection::RetailTokenUsed { .. } => Code::AlreadyExists,
        Rejection::StaleVersion { .. } => Code::Aborted,
        Rejection::OutOfBounds { .. }
        | Rejection::HoldEnded { .. }
        | Rejection::AboveHeld { .. }
        | Rejection::HoldIsWhole { .. }
        | Rejection::MutationVoided { .. } => Code::FailedPrecondition,
    }
}

/// What was not decided.
pub fn of_unstored(unstored: Unstored) -> Problem {
    match unstored {
        Unstored::Invalid(fields) => {
            let fields = fields.into_iter().map(|field| BadField::new(field.path, field.fault));
            Problem::invalid_argument(fields.collect())
        }
        Unstored::KeyReused { fields, first_method } => auric_edge::key_reused(&fields, first_method.as_str()),
        Unstored::HoldNotFound(id) => no_hold(&id),
        Unstored::RetailTokenNotFound(id) => no_token(&id),
        Unstored::NotYourHold(id) => {
            let message = format!("the hold {id} is another caller's");
            Problem::new(Code::PermissionDenied, reasons::NOT_YOUR_HOLD, message).with("hold_id", id)
        }
    }
}

/// What the lanes said instead of an answer.
pub fn of_refused(refused: Refused) -> Status {
    auric_edge::of_refused("the wallet", refused)
}

/// Why a read failed.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub fn of_read(error: StoreError) -> Status {
    auric_edge::of_read("the wallet", &error)
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

/// There is no such hold.
pub fn hold_not_found(id: &HoldId) -> Status {
    no_hold(id).into_status()
}

/// There is no such retail token.
pub fn token_not_found(id: &RetailTokenId) -> Status {
    no_token(id).into_status()
}

/// No catalog of that hash was ever in force.
pub fn catalog_not_found(hash: CatalogHash) -> Status {
    let message = format!("no catalog {hash} was ever in force here");
    Problem::new(Code::NotFound, reasons::CATALOG_NOT_FOUND, message).with("catalog_hash", hash).into_status()
}

fn no_hold(id: &HoldId) -> Problem {
    let message = format!("there is no hold {id} yet; its Reserve may still arrive, unless it is released first");
    Problem::new(Code::NotFound, reasons::HOLD_NOT_FOUND, message).with("hold_id", id)
}

fn no_token(id: &RetailTokenId) -> Problem {
    let message = format!("there is no retail token {id} yet");
    Problem::new(Code::NotFound, reasons::RETAIL_TOKEN_NOT_FOUND, message).with("token", id)
}

/// The sentence, and every number and name of it.
fn describe(rejection: &Rejection) -> (String, Metadata) {
    let mut metadata = Metadata::new();
    let mut put = |name: &str, value: String| drop(metadata.insert(name.to_owned(), value));
    let message = match rejection {
        Rejection::OutOfBounds { faults } => return (bounds(faults), bounds_metadata(faults)),
        Rejection::ClaimMade { caller, idempotency_key, first } => {
            put("caller", caller.to_string());
            put("idempotency_key", idempotency_key.to_string());
            put("claimed_at", first.time.to_string());
            put("amounts", amounts(first));
            format!("claimed before, at {}, by {caller} under {idempotency_key}: {}", first.time, amounts(first))
        }
        Rejection::StaleVersion { player, expected, found } => {
            put("player_id", player.to_string());
            put("expected", expected.to_string());
            put("found", found.to_string());
            format!("the audit of {player} stands at {found}, not at {expected}: read again, and decide again")
        }
        Rejection::HoldIdReused { hold } => {
            put("hold_id", hold.to_string());
            format!("the hold {hold} was made with other legs or by another caller; use a new name")
        }
        Rejection::HoldEnded { hold, state, ended_at, amounts, committed } => {
            let list = |units: &[u64]| units.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            put("hold_id", hold.to_string());
            put("state", state.clone());
            put("ended_at", ended_at.to_string());
            put("amounts", list(amounts));
            put("committed_amounts", list(committed));
            let of = format!("of [{}], [{}] was taken", list(amounts), list(committed));
            format!("the hold {hold} is {state} since {ended_at}: {of}")
        }
        Rejection::AboveHeld { hold, leg, held_units, asked_units } => {
            put("hold_id", hold.to_string());
            put("leg", leg.to_string());
            put("held", held_units.to_string());
            put("asked", asked_units.to_string());
            format!("the hold {hold} holds {held_units} on leg {leg}, {asked_units} were asked")
        }
        Rejection::HoldIsWhole { hold, amounts } => {
            let amounts: Vec<String> = amounts.iter().map(ToString::to_string).collect();
            put("hold_id", hold.to_string());
            put("amounts", amounts.join(","));
            format!("the hold {hold} is committed whole, as [{}], or not at all", amounts.join(","))
        }
        Rejection::PaymentEventReused { .. }
        | Rejection::PaymentOfAnother { .. }
        | Rejection::RetailTokenUsed { .. } => return describe_paid(rejection),
        Rejection::MutationVoided { voided_at } => {
            put("voided_at", voided_at.to_string());
            format!("this key was voided at {voided_at}: its request never happens; use a new key")
        }
    };
    (message, metadata)
}

/// The same, of what was paid for.
fn describe_paid(rejection: &Rejection) -> (String, Metadata) {
    let mut metadata = Metadata::new();
    let mut put = |name: &str, value: String| drop(metadata.insert(name.to_owned(), value));
    let message = match rejection {
        Rejection::PaymentEventReused { provider, event, object, kind } => {
            put("provider", provider.to_string());
            put("event_id", event.to_string());
            put("object_id", object.to_string());
            put("kind", kind.clone());
            format!("the event {event} of {provider} told of the {kind} of {object} before")
        }
        Rejection::PaymentOfAnother { provider, object, player } => {
            put("provider", provider.to_string());
            put("object_id", object.to_string());
            put("player_id", player.to_string());
            format!("the payment {object} of {provider} is {player}'s")
        }
        Rejection::RetailTokenUsed { token, first } => {
            put("token", token.to_string());
            put("generation_id", first.id.to_string());
            put("payload_hash", first.payload_hash.to_string());
            put("used_at", first.time.to_string());
            put("caller", first.caller.to_string());
            put("idempotency_key", first.idempotency_key.to_string());
            format!("the retail token {token} made {} at {}, for {}", first.id, first.time, first.caller)
        }
        other => other.reason().to_owned(),
    };
    (message, metadata)
}

/// What a claim paid, in words.
fn amounts(first: &Posted) -> String {
    let spelled = first
        .movements
        .iter()
        .take(SPELLED_MAX)
        .map(|movement| format!("{:+} {}", movement.change.available_units, movement.key.asset));
    spelled.collect::<Vec<_>>().join(", ")
}

fn bounds(faults: &[BoundFault]) -> String {
    let mut parts: Vec<String> = faults.iter().take(SPELLED_MAX).map(bound).collect();
    if let Some(more) = faults.len().checked_sub(SPELLED_MAX).filter(|more| *more > 0) {
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
    for (index, fault) in faults.iter().take(SPELLED_MAX).enumerate() {
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
