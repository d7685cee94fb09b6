//! Spans of what the collection does. Each is made only where the work of now has a span already, which means that its trace is kept.

use auric_lanes::Refused;
use tracing::{Span, field, info_span};

use super::line::refused_word;
use crate::domain::{Ask, Done, Rejection, Request, Verdict};

/// The span of one change, which its batch links to.
pub fn ask(ask: &Ask) -> Span {
    if !is_kept() {
        return Span::none();
    }
    info_span!(
        "mutation",
        auric.method = ask.action.method(),
        auric.caller = %ask.caller,
        auric.operation_id = ask.action.operation().map(field::display),
        auric.player_id = %ask.action.player(),
        auric.outcome = field::Empty,
        auric.reason = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// The span of one operation, which the batches that begin and decide it link to.
pub fn request(request: &Request) -> Span {
    if !is_kept() {
        return Span::none();
    }
    info_span!(
        "operation",
        auric.method = request.deed.kind().method(),
        auric.caller = %request.key.caller,
        auric.idempotency_key = %request.key.key,
        auric.player_id = %request.player,
    )
}

/// The span of what is decided about one batch.
pub fn decide() -> Span {
    if !is_kept() {
        return Span::none();
    }
    info_span!("decide", auric.applied = field::Empty, auric.replayed = field::Empty, auric.refused = field::Empty)
}

/// Writes into the span of [`decide`] what was decided.
pub fn decided(span: &Span, done: &[Done]) {
    if span.is_disabled() {
        return;
    }
    let (mut applied, mut replayed, mut refused) = (0_u64, 0_u64, 0_u64);
    for one in done {
        match one {
            Done::Answered(Verdict::Stands { again: true, .. } | Verdict::Answered { replayed: true, .. })
            | Done::Begun { is_new: false, .. } => replayed += 1,
            Done::Answered(Verdict::Stands { again: false, .. } | Verdict::Answered { outcome: Ok(_), .. })
            | Done::Begun { is_new: true, .. }
            | Done::Decided(_)
            | Done::Adopted => applied += 1,
            Done::Answered(Verdict::Answered { outcome: Err(_), .. } | Verdict::Refused(_))
            | Done::Unstored(_)
            | Done::Unknown => refused += 1,
        }
    }
    span.record("auric.applied", applied).record("auric.replayed", replayed).record("auric.refused", refused);
}

/// Writes into the span of a change what became of it.
pub fn answered(span: &Span, answer: &Result<Verdict, Refused>) {
    if span.is_disabled() {
        return;
    }
    let (outcome, reason) = outcome(answer);
    span.record("auric.outcome", outcome);
    if let Some(reason) = reason {
        span.record("auric.reason", reason);
    }
    if matches!(answer, Err(Refused::Fault | Refused::Unknown | Refused::Unavailable)) {
        span.record("otel.status_code", "ERROR");
    }
}

/// Whether the trace of the work of now is kept.
pub fn is_kept() -> bool {
    !Span::current().is_disabled()
}

/// What became of a change, and why, in the words of traces and metrics; the reason is that of the change's line.
pub fn outcome(answer: &Result<Verdict, Refused>) -> (&'static str, Option<&'static str>) {
    match answer {
        Ok(Verdict::Stands { again: false, .. }) => ("applied", None),
        Ok(Verdict::Stands { again: true, .. }) => ("replayed", None),
        Ok(Verdict::Answered { outcome, replayed }) => {
            let reason = outcome.as_ref().err().map(Rejection::reason);
            let first = if reason.is_none() { "applied" } else { "refused" };
            (if *replayed { "replayed" } else { first }, reason)
        }
        Ok(Verdict::Refused(refusal)) => ("refused", Some(refusal.reason())),
        Err(refused) => ("unanswered", Some(refused_word(refused))),
    }
}
