//! The one structured line of an operation that the collection coordinates (R-O1), drawn up before it is begun.

use auric_ids::TraceId;
use auric_twophase::{Decision, Operation};

use super::line::refused_word;
use super::operate::{Failed, Operated};
use super::trace;
use crate::domain::{Deed, Denial, Plan, Request, Units};

/// What is known of a request before it is answered.
pub struct OperationLine {
    player_id: String,
    reason: String,
    caller: String,
    idempotency_key: String,
    method: &'static str,
    trace_id: String,
    traced: bool,
    written: bool,
}

/// What became of it.
#[derive(Default)]
struct End {
    operation_id: String,
    amount: String,
    success: bool,
    replayed: bool,
    error: Option<String>,
}

impl OperationLine {
    /// Draws up the line of what is asked.
    pub fn of(request: &Request, trace_id: &TraceId) -> Self {
        let reason = match &request.deed {
            Deed::Upgrade { esprit, .. } => format!("upgrade of {esprit}"),
            Deed::Dissolve(preview) => format!("dissolve of {} esprits", preview.esprits.len()),
        };
        Self {
            player_id: request.player.to_string(),
            reason,
            caller: request.key.caller.to_string(),
            idempotency_key: request.key.key.to_string(),
            method: request.deed.kind().method(),
            trace_id: trace_id.to_string(),
            traced: trace::is_kept(),
            written: false,
        }
    }

    /// Writes the line, with the answer.
    pub fn log(mut self, operated: &Result<Operated, Failed>) {
        let end = match operated {
            Ok(Operated { operation, replayed }) => End { replayed: *replayed, ..of_operation(operation) },
            Err(failed) => End { error: Some(word(failed).to_owned()), ..End::default() },
        };
        self.write(&end);
    }

    fn write(&mut self, end: &End) {
        self.written = true;
        let Self { player_id, reason, caller, idempotency_key, method, trace_id, traced, written: _ } = self;
        let End { operation_id, amount, success, replayed, error } = end;
        let ended = if *success { "applied" } else { "refused" };
        tracing::info!(
            player_id,
            amount,
            reason,
            success,
            error,
            replayed,
            caller,
            operation_id,
            idempotency_key,
            method,
            trace_id,
            traced,
            "{method} {ended}",
        );
    }
}

impl Drop for OperationLine {
    fn drop(&mut self) {
        if !self.written {
            let error = "the caller went away before its answer; the outcome is found by key".to_owned();
            self.write(&End { error: Some(error), ..End::default() });
        }
    }
}

fn of_operation(operation: &Operation) -> End {
    let mut end = End { operation_id: operation.id.to_string(), ..End::default() };
    match &operation.decision {
        Some(Decision::Commit(_)) => {
            end.amount = serde_json::from_str(&operation.plan).map(|plan: Plan| amount(&plan)).unwrap_or_default();
            end.success = operation.state.is_done();
            end.error = (!end.success).then(|| "it is decided, and not yet paid".to_owned());
        }
        Some(Decision::Refuse(denial)) => {
            let denial: Option<Denial> = serde_json::from_str(denial).ok();
            end.error = Some(denial.map_or_else(|| "REFUSED".to_owned(), |denial| denial.reason().to_owned()));
        }
        Some(Decision::GiveUp(why)) => end.error = Some(why.clone()),
        None => end.error = Some("it is not decided yet".to_owned()),
    }
    end
}

fn amount(plan: &Plan) -> String {
    let each = |sign: char| move |units: &Units| format!("{sign}{} {}", units.amount, units.asset);
    let all: Vec<String> = plan.cost.iter().map(each('-')).chain(plan.refund.iter().map(each('+'))).collect();
    all.join(", ")
}

/// The word for what was never begun.
pub fn word(failed: &Failed) -> &'static str {
    match failed {
        Failed::Unstored(refusal) => refusal.reason(),
        Failed::Rejected(rejection) => rejection.reason(),
        Failed::Store(_) | Failed::NoWallet => "UNAVAILABLE",
        Failed::Lane(refused) => refused_word(refused),
    }
}

/// What became of an operation when its request was answered, and why, in the words of traces and metrics.
pub fn outcome(operated: &Result<Operated, Failed>) -> (&'static str, Option<String>) {
    match operated {
        Ok(Operated { operation, replayed }) => {
            let first = match &operation.decision {
                Some(Decision::Commit(_)) if operation.state.is_done() => "applied",
                Some(Decision::Refuse(_)) => "refused",
                Some(Decision::Commit(_) | Decision::GiveUp(_)) | None => "unanswered",
            };
            let reason = match &operation.decision {
                Some(Decision::Refuse(denial)) => serde_json::from_str::<Denial>(denial).ok(),
                _ => None,
            };
            (if *replayed { "replayed" } else { first }, reason.map(|denial| denial.reason().to_owned()))
        }
        Err(failed @ (Failed::Unstored(_) | Failed::Rejected(_))) => ("refused", Some(word(failed).to_owned())),
        Err(failed) => ("unanswered", Some(word(failed).to_owned())),
    }
}
