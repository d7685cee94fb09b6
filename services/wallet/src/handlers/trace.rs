//! Spans of what the wallet does. Each is made only where the work of now has a span already, which means that its trace is kept.

use auric_lanes::Refused;
use tracing::{Span, field, info_span};

use super::line::{refused_word, word};
use super::mutate::Done;
use crate::domain::{Mutation, Verdict};

/// The span of one mutation, which its batch links to.
pub fn mutation(mutation: &Mutation) -> Span {
    if !is_kept() {
        return Span::none();
    }
    let method = mutation.action.method().as_str();
    info_span!(
        "mutation",
        auric.method = method,
        auric.caller = %mutation.key.caller,
        auric.idempotency_key = %mutation.key.key,
        auric.player_id = mutation.action.players().into_iter().min().map(field::display),
        auric.outcome = field::Empty,
        auric.reason = field::Empty,
        otel.status_code = field::Empty,
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
pub fn decided(span: &Span, answers: &[Done]) {
    if span.is_disabled() {
        return;
    }
    let (mut applied, mut replayed, mut refused) = (0_u64, 0_u64, 0_u64);
    for answer in answers {
        let Done::Verdict(verdict) = answer else { continue };
        match verdict {
            Verdict::Answered { replayed: true, .. } => replayed += 1,
            Verdict::Answered { outcome: Ok(_), .. } => applied += 1,
            Verdict::Answered { outcome: Err(_), .. } | Verdict::Unstored(_) => refused += 1,
        }
    }
    span.record("auric.applied", applied).record("auric.replayed", replayed).record("auric.refused", refused);
}

/// Writes into the span of a mutation what became of it.
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

/// What became of a mutation, and why, in the words of traces and metrics; the reason is that of the mutation's line.
pub fn outcome(answer: &Result<Verdict, Refused>) -> (&'static str, Option<&'static str>) {
    match answer {
        Ok(Verdict::Answered { outcome, replayed }) => {
            let reason = outcome.as_ref().err().map(crate::domain::Rejection::reason);
            let first = if reason.is_none() { "applied" } else { "refused" };
            (if *replayed { "replayed" } else { first }, reason)
        }
        Ok(Verdict::Unstored(unstored)) => ("refused", Some(word(unstored))),
        Err(refused) => ("unanswered", Some(refused_word(refused))),
    }
}
