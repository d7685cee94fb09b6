//! The one structured line of a change (R-O1), drawn up before the request is given away.
//!
//! A caller that goes away before its answer drops the request with the line in it: the line is written all the same, and says that the
//! outcome is found by asking again.

use auric_ids::{CallerId, TraceId};
use auric_lanes::Refused;

use super::{figures, trace};
use crate::domain::{Action, Ask, Change, Intent, Outcome, Refusal, Rejection, Verdict};

/// What is known of a request before it is answered.
pub struct Line {
    player_id: String,
    amount: String,
    reason: &'static str,
    caller: String,
    operation_id: String,
    idempotency_key: String,
    method: &'static str,
    trace_id: String,
    /// Whether that trace is kept.
    traced: bool,
    written: bool,
}

impl Line {
    /// Draws up the line of `ask`.
    pub fn of(ask: &Ask) -> Self {
        Self {
            player_id: ask.action.player().to_string(),
            amount: amount(&ask.action),
            reason: reason(&ask.action),
            caller: ask.caller.to_string(),
            operation_id: ask.action.operation().map(ToString::to_string).unwrap_or_default(),
            idempotency_key: key(&ask.action),
            method: ask.action.method(),
            trace_id: ask.trace_id.to_string(),
            traced: trace::is_kept(),
            written: false,
        }
    }

    /// Writes the line, with the answer.
    pub fn log(mut self, answer: &Result<Verdict, Refused>) {
        match answer {
            Ok(Verdict::Stands { again, .. }) => self.write(true, *again, None),
            Ok(Verdict::Answered { outcome, replayed }) => {
                self.write(outcome.is_ok(), *replayed, outcome.as_ref().err().map(Rejection::reason));
            }
            Ok(Verdict::Refused(refusal)) => self.write(false, false, Some(Refusal::reason(refusal))),
            Err(refused) => self.write(false, false, Some(refused_word(refused))),
        }
    }

    fn write(&mut self, success: bool, replayed: bool, error: Option<&str>) {
        self.written = true;
        let Self {
            player_id,
            amount,
            reason,
            caller,
            operation_id,
            idempotency_key,
            method,
            trace_id,
            traced,
            written: _,
        } = self;
        let end = if success { "applied" } else { "refused" };
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
            "{method} {end}",
        );
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

/// Writes the line of a request that cannot be decoded: it tells of no player and no amount, since what it says of them is not one.
pub fn log_malformed(method: &'static str, caller: Option<&CallerId>, trace_id: &TraceId) {
    let mut line = Line {
        player_id: String::new(),
        amount: String::new(),
        reason: "",
        caller: caller.map(ToString::to_string).unwrap_or_default(),
        operation_id: String::new(),
        idempotency_key: String::new(),
        method,
        trace_id: trace_id.to_string(),
        traced: trace::is_kept(),
        written: false,
    };
    line.write(false, false, Some("INVALID_ARGUMENT"));
    figures::count_malformed(method);
}

/// The word for what got no answer; only after the last of them may something have happened.
pub const fn refused_word(refused: &Refused) -> &'static str {
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

fn amount(action: &Action) -> String {
    match action {
        Action::Prepare(prepare) => {
            let Intent::Grant { esprits } = prepare.intent;
            format!("room for {esprits} esprits")
        }
        Action::Commit(commit) => {
            let Outcome::Grant(grant) = &commit.outcome;
            format!("+{} esprits", grant.esprits.len())
        }
        Action::Cancel(_) => "0 esprits".to_owned(),
        Action::Keyed(keyed) => match &keyed.change {
            Change::SetLock { esprit, locked } => format!("{} {esprit}", if *locked { "lock" } else { "unlock" }),
            Change::SetTeamSlot { slot, esprit: Some(esprit) } => format!("{esprit} in place {slot}"),
            Change::SetTeamSlot { slot, esprit: None } => format!("nobody in place {slot}"),
            Change::Equip { esprit, piece } => format!("{piece} on {esprit}"),
            Change::Unequip { piece } => format!("{piece} put away"),
            Change::GrantEquipment { pieces } => format!("+{} pieces", pieces.len()),
        },
    }
}

fn key(action: &Action) -> String {
    match action {
        Action::Keyed(keyed) => keyed.key.to_string(),
        Action::Prepare(_) | Action::Commit(_) | Action::Cancel(_) => String::new(),
    }
}

/// Why: verbs are for an operation's sake, whatever it is called where it is coordinated.
const fn reason(action: &Action) -> &'static str {
    match action {
        Action::Prepare(_) | Action::Commit(_) | Action::Cancel(_) => "operation",
        Action::Keyed(_) => "request",
    }
}
