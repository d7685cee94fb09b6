//! Metrics of what the collection does. The instruments are silent where nobody asks for metrics.

use std::sync::LazyLock;

use auric_db::Contention;
use auric_lanes::Refused;
use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::{KeyValue, StringValue, global};

use super::operate::{Failed, Operated};
use super::{operation_line, trace};
use crate::domain::Verdict;

static MUTATIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.mutations").with_unit("{mutation}");
    counter.with_description("Mutations by method, outcome and reason").build()
});

static CONTENTION: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.db.contention").with_unit("{run}");
    counter.with_description("Transactions that gave way to another one, by kind").build()
});

static VIEWS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.views").with_unit("{read}");
    counter.with_description("Reads of what a player has, from memory or from the database").build()
});

/// Counts a mutation that was answered, or given up.
pub fn count(method: &'static str, answer: &Result<Verdict, Refused>) {
    let (outcome, reason) = trace::outcome(answer);
    add(method, outcome, reason.map(Into::into));
}

/// Counts an operation whose caller was answered, or gave up.
pub fn count_operation(method: &'static str, operated: &Result<Operated, Failed>) {
    let (outcome, reason) = operation_line::outcome(operated);
    add(method, outcome, reason.map(Into::into));
}

/// Counts a request that was no mutation.
pub fn count_malformed(method: &'static str) {
    add(method, "refused", Some("INVALID_ARGUMENT".into()));
}

/// Counts a read that found what it wants in memory, or did not.
pub fn count_view(is_kept: bool) {
    VIEWS.add(1, &[KeyValue::new("auric.from", if is_kept { "memory" } else { "database" })]);
}

/// Counts a transaction that gave way.
pub fn count_contention(kind: Contention) {
    CONTENTION.add(1, &[KeyValue::new("auric.contention", kind.as_str())]);
}

fn add(method: &'static str, outcome: &'static str, reason: Option<StringValue>) {
    let of = [KeyValue::new("auric.method", method), KeyValue::new("auric.outcome", outcome)];
    match reason {
        None => MUTATIONS.add(1, &of),
        Some(reason) => {
            let [method, outcome] = of;
            MUTATIONS.add(1, &[method, outcome, KeyValue::new("auric.reason", reason)]);
        }
    }
}

fn meter() -> Meter {
    global::meter("auric")
}
