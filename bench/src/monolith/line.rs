//! The one line of a summon, with what the summon service's own has.

use auric_ids::TraceId;
use auric_summon::domain::{Ask, Unstored};

use super::{Failed, Refusal, Summoned, What};

/// Writes it.
pub fn log(ask: &Ask, trace_id: &TraceId, summoned: &Result<Summoned, Failed>) {
    let (mut amount, mut drawn, mut error) = (String::new(), String::new(), None);
    let (mut operation_id, mut is_replayed) = (String::new(), false);
    match summoned {
        Ok(Summoned { answer, replayed }) => {
            (operation_id, is_replayed) = (answer.operation.to_string(), *replayed);
            match &answer.what {
                What::Delivered { plan, outcome } => {
                    amount =
                        plan.price.as_ref().map(|paid| format!("-{} {}", paid.amount, paid.asset)).unwrap_or_default();
                    drawn = outcome.pulls.iter().map(|pull| pull.species.as_str()).collect::<Vec<_>>().join(", ");
                }
                What::Refused(refusal) => error = Some(refusal.reason()),
            }
        }
        Err(failed) => error = Some(word(failed)),
    }
    let ended = if error.is_none() { "delivered" } else { "not delivered" };
    tracing::info!(
        player_id = %ask.player,
        amount,
        reason = %ask,
        success = error.is_none(),
        error,
        replayed = is_replayed,
        caller = %ask.key.caller,
        idempotency_key = %ask.key.key,
        method = "Summon",
        operation_id,
        drawn,
        %trace_id,
        "Summon {ended}",
    );
}

impl Refusal {
    /// The machine's word for it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BannerClosed { .. } => "BANNER_CLOSED",
            Self::InsufficientFunds { .. } => "INSUFFICIENT_FUNDS",
        }
    }
}

fn word(failed: &Failed) -> &'static str {
    match failed {
        Failed::Store(_) => "UNAVAILABLE",
        Failed::Unstored(Unstored::KeyReused { .. }) => "IDEMPOTENCY_KEY_REUSED",
        Failed::Unstored(Unstored::BannerNotFound(_)) => "BANNER_NOT_FOUND",
        Failed::Unstored(Unstored::Invalid(_)) => "INVALID_ARGUMENT",
    }
}
