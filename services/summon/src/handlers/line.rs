//! The one structured line of a summon (R-O1), drawn up before the summon is begun.
//!
//! A caller that goes away before its answer drops the request with the line in it: the line is written all the same, and says that the outcome is
//! found by key.

use auric_ids::{PlayerId, TraceId};
use auric_keys::MutationKey;
use auric_lanes::Refused;
use auric_twophase::{Decision, Operation};

use super::{Failed, Summoned};
use crate::domain::{Ask, Outcome, Plan, Refusal, Told, Unstored};

/// What is known of a summon before it is answered.
pub struct Line {
    method: &'static str,
    player_id: String,
    reason: String,
    caller: String,
    idempotency_key: String,
    trace_id: String,
    written: bool,
}

/// What became of it.
#[derive(Default)]
struct End {
    operation_id: String,
    amount: String,
    drawn: String,
    success: bool,
    replayed: bool,
    error: Option<String>,
}

impl Line {
    /// Draws up the line of what is asked.
    pub fn of(ask: &Ask, trace_id: &TraceId) -> Self {
        Self {
            method: ask.wanted.method(),
            player_id: ask.player.to_string(),
            reason: ask.to_string(),
            caller: ask.key.caller.to_string(),
            idempotency_key: ask.key.key.to_string(),
            trace_id: trace_id.to_string(),
            written: false,
        }
    }

    /// Writes the line, with the answer.
    pub fn log(mut self, summoned: &Result<Summoned, Failed>) {
        let end = match summoned {
            Ok(Summoned { operation, replayed }) => End { replayed: *replayed, ..of_operation(operation) },
            Err(failed) => End { error: Some(word(failed).to_owned()), ..End::default() },
        };
        self.write(&end);
    }

    fn write(&mut self, end: &End) {
        self.written = true;
        let Self { method, player_id, reason, caller, idempotency_key, trace_id, written: _ } = self;
        let End { operation_id, amount, drawn, success, replayed, error } = end;
        let ended = if *success { "delivered" } else { "not delivered" };
        tracing::info!(
            player_id,
            amount,
            reason,
            success,
            error,
            replayed,
            caller,
            idempotency_key,
            method,
            operation_id,
            drawn,
            trace_id,
            "{method} {ended}",
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            let error = "the caller went away before its answer; the outcome is found by key".to_owned();
            self.write(&End { error: Some(error), ..End::default() });
        }
    }
}

/// Writes the line of a request that cannot be decoded.
pub fn log_malformed(method: &'static str, key: Option<&MutationKey>, trace_id: &TraceId) {
    let mut line = Line {
        method,
        player_id: String::new(),
        reason: String::new(),
        caller: key.map(|key| key.caller.to_string()).unwrap_or_default(),
        idempotency_key: key.map(|key| key.key.to_string()).unwrap_or_default(),
        trace_id: trace_id.to_string(),
        written: false,
    };
    line.write(&End { error: Some("INVALID_ARGUMENT".to_owned()), ..End::default() });
}

/// Writes the line of a change of seeds or of a path.
pub fn log_change(
    method: &'static str,
    key: &MutationKey,
    player: &PlayerId,
    trace_id: &TraceId,
    told: &Result<Told, Failed>,
) {
    let (success, replayed, error) = match told {
        Ok(Told::Done { replayed, .. }) => (true, *replayed, None),
        Ok(Told::KeyReused { .. }) => (false, false, Some("IDEMPOTENCY_KEY_REUSED")),
        Ok(Told::Undecided(_)) => (false, false, Some("SUMMON_UNDECIDED")),
        Ok(Told::Unstored(unstored)) => (false, false, Some(unstored_word(unstored))),
        Err(failed) => (false, false, Some(word(failed))),
    };
    tracing::info!(
        player_id = %player,
        amount = "",
        reason = method,
        success,
        error,
        replayed,
        caller = %key.caller,
        idempotency_key = %key.key,
        method,
        %trace_id,
        "{method} {}",
        if success { "done" } else { "not done" },
    );
}

fn of_operation(operation: &Operation) -> End {
    let plan: Option<Plan> = serde_json::from_str(&operation.plan).ok();
    let price = plan.and_then(|plan| plan.price);
    let mut end = End { operation_id: operation.id.to_string(), ..End::default() };
    match &operation.decision {
        Some(Decision::Commit(outcome)) => {
            let outcome: Option<Outcome> = serde_json::from_str(outcome).ok();
            let drawn = outcome.map(|outcome| outcome.pulls.into_iter().map(|pull| pull.species.to_string()).collect());
            end.drawn = drawn.map(|drawn: Vec<String>| drawn.join(", ")).unwrap_or_default();
            end.amount = price.map(|price| format!("-{} {}", price.amount, price.asset)).unwrap_or_default();
            end.success = operation.state.is_done();
            end.error = (!end.success).then(|| "it is decided, and not yet delivered".to_owned());
        }
        Some(Decision::Refuse(refusal)) => {
            let refusal: Option<Refusal> = serde_json::from_str(refusal).ok();
            end.error = Some(refusal.map_or_else(|| "REFUSED".to_owned(), |refusal| refusal.reason().to_owned()));
        }
        Some(Decision::GiveUp(why)) => end.error = Some(why.clone()),
        None => end.error = Some("it is not decided yet".to_owned()),
    }
    end
}

/// The word for what was never begun.
pub fn word(failed: &Failed) -> &'static str {
    match failed {
        Failed::Unstored(unstored) => unstored_word(unstored),
        Failed::Store(_) => "UNAVAILABLE",
        Failed::Lane(refused) => match refused {
            Refused::QueueFull { .. } => "QUEUE_FULL",
            Refused::DeadlinePassed => "DEADLINE_EXCEEDED",
            Refused::Draining => "DRAINING",
            Refused::Contended => "CONTENDED",
            Refused::Unavailable => "UNAVAILABLE",
            Refused::Fault => "INTERNAL",
            Refused::Unknown => "OUTCOME_UNKNOWN",
        },
    }
}

fn unstored_word(unstored: &Unstored) -> &'static str {
    match unstored {
        Unstored::KeyReused { .. } => "IDEMPOTENCY_KEY_REUSED",
        Unstored::BannerNotFound(_) => "BANNER_NOT_FOUND",
        Unstored::Invalid(_) => "INVALID_ARGUMENT",
    }
}
