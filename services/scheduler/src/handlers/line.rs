//! The structured lines (R-O1): one of every change of a job, drawn up before the request is given away, and one of every end of an attempt.

use auric_ids::{CallerId, TraceId};
use auric_lanes::Refused;

use super::figures;
use crate::domain::{Ask, End, Ended, Refusal, Rejection, Verdict};
use crate::store::{Leased, Settled};

/// What is known of a request before it is answered.
pub struct Line {
    subject: String,
    caller: String,
    idempotency_key: String,
    method: &'static str,
    trace_id: String,
    written: bool,
}

impl Line {
    /// Draws up the line of `ask`.
    pub fn of(ask: &Ask) -> Self {
        Self {
            subject: ask.action.subject(),
            caller: ask.caller.to_string(),
            idempotency_key: ask.key.as_ref().map(ToString::to_string).unwrap_or_default(),
            method: ask.action.method(),
            trace_id: ask.trace_id.to_string(),
            written: false,
        }
    }

    /// Writes the line, with the answer.
    pub fn log(mut self, answer: &Result<Verdict, Refused>) {
        match answer {
            Ok(Verdict::Answered { outcome, replayed }) => {
                self.write(outcome.is_ok(), *replayed, outcome.as_ref().err().map(Rejection::reason));
            }
            Ok(Verdict::Refused(refusal)) => self.write(false, false, Some(Refusal::reason(refusal))),
            Err(refused) => self.write(false, false, Some(refused_word(refused))),
        }
    }

    fn write(&mut self, success: bool, replayed: bool, error: Option<&str>) {
        self.written = true;
        let Self { subject, caller, idempotency_key, method, trace_id, written: _ } = self;
        let end = if success { "applied" } else { "refused" };
        tracing::info!(subject, success, error, replayed, caller, idempotency_key, method, trace_id, "{method} {end}");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            self.write(
                false,
                false,
                Some("the caller went away before its answer; the outcome is found by asking again"),
            );
        }
    }
}

/// Writes the line of a request that cannot be decoded.
pub fn log_malformed(method: &'static str, caller: Option<&CallerId>, trace_id: &TraceId) {
    let mut line = Line {
        subject: String::new(),
        caller: caller.map(ToString::to_string).unwrap_or_default(),
        idempotency_key: String::new(),
        method,
        trace_id: trace_id.to_string(),
        written: false,
    };
    line.write(false, false, Some("INVALID_ARGUMENT"));
    figures::count_malformed(method);
}

/// Writes the line of an attempt that ended. What was not written is another copy's by now.
pub fn ended(leased: &Leased, settled: &Settled, trace_id: &str, is_written: bool) {
    let (outcome, error) = match (&settled.end, is_written) {
        (_, false) => ("lost", Some("LEASE_LOST")),
        (End::Done, true) => ("done", None),
        (End::Retry { .. }, true) => ("retried", Some("FAILED")),
        (End::Dead(reason), true) => ("dead", Some(*reason)),
    };
    figures::count_attempt(outcome);
    let success = outcome == "done";
    let lag_ms = leased.started_at.micros_since(leased.due_at) / 1_000;
    tracing::info!(
        firing = %settled.key,
        job_id = %settled.key.job,
        target_name = %leased.target,
        attempt = leased.attempts,
        success,
        error,
        detail = settled.message,
        lag_ms,
        trace_id,
        "firing {outcome}",
    );
}

/// Writes a line of every run of times that never run.
pub fn skipped<'a>(skipped: impl IntoIterator<Item = &'a Ended>) {
    for Ended { key, reason, until, count, .. } in skipped {
        figures::count_skipped(reason, *count);
        tracing::warn!(
            firing = %key,
            job_id = %key.job,
            success = false,
            error = reason,
            firings = count,
            %until,
            "firings skipped: {reason}",
        );
    }
}

/// What became of a change, and why, in the words of metrics.
pub fn outcome(answer: &Result<Verdict, Refused>) -> (&'static str, Option<&'static str>) {
    match answer {
        Ok(Verdict::Answered { outcome, replayed }) => {
            let reason = outcome.as_ref().err().map(Rejection::reason);
            let first = if reason.is_none() { "applied" } else { "refused" };
            (if *replayed { "replayed" } else { first }, reason)
        }
        Ok(Verdict::Refused(refusal)) => ("refused", Some(refusal.reason())),
        Err(refused) => ("unanswered", Some(refused_word(refused))),
    }
}

/// The word for what got no answer; only after the last of them may something have happened.
const fn refused_word(refused: &Refused) -> &'static str {
    match refused {
        Refused::QueueFull { .. } => "QUEUE_FULL",
        Refused::DeadlinePassed => "DEADLINE_EXCEEDED",
        Refused::Draining => "DRAINING",
        Refused::Contended => "CONTENDED",
        Refused::Unavailable => "UNAVAILABLE",
        Refused::Fault => "INTERNAL",
        Refused::Unknown => "OUTCOME_UNKNOWN",
    }
}
