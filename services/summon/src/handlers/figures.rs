//! Metrics and spans of summons.

use std::sync::LazyLock;

use auric_twophase::Decision;
use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};
use tracing::{Span, info_span};

use super::{Failed, Summoned, line};
use crate::domain::Ask;

static SUMMONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = global::meter("auric");
    let counter = meter.u64_counter("auric.summons").with_unit("{summon}");
    counter.with_description("Summons by what became of them when they were answered").build()
});

/// The span of one summon, where its trace is kept.
pub fn span(ask: &Ask) -> Span {
    if Span::current().is_disabled() {
        return Span::none();
    }
    info_span!(
        "summon",
        auric.caller = %ask.key.caller,
        auric.idempotency_key = %ask.key.key,
        auric.player_id = %ask.player,
        auric.banner_id = %ask.banner,
        auric.method = ask.wanted.method(),
        auric.count = ask.wanted.count(),
    )
}

/// Counts a summon that was answered.
pub fn count(summoned: &Result<Summoned, Failed>) {
    let outcome = match summoned {
        Ok(Summoned { replayed: true, .. }) => "replayed",
        Ok(Summoned { operation, .. }) => match operation.decision {
            Some(Decision::Commit(_)) if operation.state.is_done() => "delivered",
            Some(Decision::Commit(_)) => "delivering",
            Some(Decision::Refuse(_)) => "refused",
            Some(Decision::GiveUp(_)) => "given_up",
            None => "pending",
        },
        Err(failed) => line::word(failed),
    };
    SUMMONS.add(1, &[KeyValue::new("auric.outcome", outcome)]);
}
