//! The one structured line of a mutation (R-O1), drawn up before the mutation is given away.
//!
//! A caller that goes away before its answer drops the request with the line in it: the line is written all the same, and says that the
//! outcome is found by key.

use auric_ids::{CallerId, TraceId};
use auric_lanes::Refused;

use super::{figures, trace};
use crate::domain::{
    Action, Direction, Fact, Gift, HoldAsk, Leg, Method, Mutation, MutationKey, Rejection, Unstored, Verdict,
};

/// Legs that a line spells out; it counts the rest.
const LEGS_MAX: usize = 8;

/// What is known of a mutation before it is answered.
pub struct Line {
    player_id: String,
    amount: String,
    reason: String,
    caller: String,
    idempotency_key: String,
    method: &'static str,
    trace_id: String,
    /// Whether that trace is kept.
    traced: bool,
    written: bool,
}

impl Line {
    /// Draws up the line of `mutation`.
    pub fn of(mutation: &Mutation) -> Self {
        let note = mutation.action.note();
        Self {
            player_id: mutation.action.players().into_iter().min().map(ToString::to_string).unwrap_or_default(),
            amount: amount(&mutation.action),
            reason: note.map(|note| note.reason.to_string()).unwrap_or_default(),
            caller: mutation.key.caller.to_string(),
            idempotency_key: mutation.key.key.to_string(),
            method: mutation.action.method().as_str(),
            trace_id: mutation.trace_id.to_string(),
            traced: trace::is_kept(),
            written: false,
        }
    }

    /// Writes the line, with the answer.
    pub fn log(mut self, answer: &Result<Verdict, Refused>) {
        match answer {
            Ok(Verdict::Answered { outcome, replayed }) => {
                let error = outcome.as_ref().err().map(Rejection::reason);
                // A voided key is what its request asked for.
                self.write(outcome.is_ok() || self.method == "VoidMutation", *replayed, error);
            }
            Ok(Verdict::Unstored(unstored)) => self.write(false, false, Some(word(unstored))),
            Err(refused) => self.write(false, false, Some(refused_word(refused))),
        }
    }

    fn write(&mut self, success: bool, replayed: bool, error: Option<&str>) {
        self.written = true;
        let Self { player_id, amount, reason, caller, idempotency_key, method, trace_id, traced, written: _ } = self;
        let end = if success { "applied" } else { "refused" };
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
            trace_id,
            traced,
            "{method} {end}",
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            self.write(false, false, Some("the caller went away before its answer; the outcome is found by key"));
        }
    }
}

/// Writes the line of a request that cannot be decoded: it tells of no player and no amount, since what it says of them is not one.
pub fn log_malformed(method: Method, key: Option<&MutationKey>, trace_id: &TraceId) {
    let mut line = Line {
        player_id: String::new(),
        amount: String::new(),
        reason: String::new(),
        caller: key.map(|key| key.caller.to_string()).unwrap_or_default(),
        idempotency_key: key.map(|key| key.key.to_string()).unwrap_or_default(),
        method: method.as_str(),
        trace_id: trace_id.to_string(),
        traced: trace::is_kept(),
        written: false,
    };
    line.write(false, false, Some("INVALID_ARGUMENT"));
    figures::count_malformed(method);
}

/// Writes one line for the postings of a batch that were refused together, before anything was made of them.
pub fn log_refused_together(posts: u64, caller: &CallerId, trace_id: &TraceId, refused: Refused) {
    let (method, error) = (Method::Post.as_str(), refused_word(&refused));
    let (caller, trace_id) = (caller.as_str(), trace_id.as_str());
    tracing::info!(success = false, error, caller, method, trace_id, posts, "{posts} postings of a batch refused");
    figures::count_refused(Method::Post, refused, posts);
}

/// The word for what was never decided.
pub const fn word(unstored: &Unstored) -> &'static str {
    match unstored {
        Unstored::Invalid(_) => "INVALID_ARGUMENT",
        Unstored::KeyReused { .. } => "IDEMPOTENCY_KEY_REUSED",
        Unstored::HoldNotFound(_) => "HOLD_NOT_FOUND",
        Unstored::NotYourHold(_) => "NOT_YOUR_HOLD",
        Unstored::RetailTokenNotFound(_) => "RETAIL_TOKEN_NOT_FOUND",
    }
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
        Action::Post(post) | Action::Transfer(post) => legs(&post.legs, leg),
        Action::Claim(claim) => legs(&claim.post.legs, leg),
        Action::Reserve(reserve) => legs(&reserve.legs, hold_ask),
        Action::Commit(commit) if commit.amounts.is_empty() => format!("all of {}", commit.hold),
        Action::Commit(commit) => format!("{:?} of {}", commit.amounts, commit.hold),
        Action::Release(release) => format!("0 of {}", release.hold),
        Action::SpendStatPoints(spend) => format!("{} on {}", spend.points, spend.stat),
        Action::RenewCredits(renew) => format!("={} {} {}", renew.units, renew.asset, renew.pool),
        Action::RecordPayment(record) => {
            let told = match &record.fact {
                Fact::Purchase(gifts) => legs(gifts, |gift| self::gift('+', gift)),
                Fact::Renewal { pools, .. } => legs(pools, |gift| self::gift('=', gift)),
                Fact::Refund(share) | Fact::Dispute { share, .. } => format!("{} of {}", share.of_it, share.price),
            };
            format!("{} {told} for {}", record.fact.kind(), record.payment.object)
        }
        Action::RedeemRetailToken(redeem) => format!("token for {}", redeem.generation),
        Action::IssueRetailToken(_) | Action::Void => String::new(),
    }
}

fn gift(sign: char, gift: &Gift) -> String {
    format!("{sign}{} {} {}", gift.units, gift.asset, gift.pool).trim_end().to_owned()
}

fn legs<T>(all: &[T], one: impl Fn(&T) -> String) -> String {
    let mut spelled: Vec<String> = all.iter().take(LEGS_MAX).map(one).collect();
    if let Some(more) = all.len().checked_sub(LEGS_MAX).filter(|more| *more > 0) {
        spelled.push(format!("and {more} more"));
    }
    spelled.join(", ")
}

fn leg(leg: &Leg) -> String {
    let sign = if leg.direction == Direction::Debit { '-' } else { '+' };
    format!("{sign}{} {}", leg.amount, leg.asset)
}

fn hold_ask(ask: &HoldAsk) -> String {
    let asset = ask.from.as_ref().or(ask.to.as_ref()).map(|end| end.asset.to_string()).unwrap_or_default();
    let sign = if ask.from.is_some() { '-' } else { '+' };
    format!("{sign}{} {asset}", ask.amount)
}
