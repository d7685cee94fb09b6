//! Metrics of what the wallet does. The instruments are silent where nobody asks for metrics.

use std::sync::LazyLock;

use auric_db::Contention;
use auric_lanes::Refused;
use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::{KeyValue, global};

use super::{FaultKind, trace};
use crate::domain::{Method, Verdict};

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

static AUDIT_FAULTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.audit.faults").with_unit("{fault}");
    counter.with_description("Faults that the nightly verification of the audit found, by kind").build()
});

/// Counts a fault of the audit.
pub fn count_audit_fault(kind: FaultKind) {
    AUDIT_FAULTS.add(1, &[KeyValue::new("auric.kind", kind.as_str())]);
}

/// Counts a mutation that was answered, or given up.
pub fn count(method: Method, answer: &Result<Verdict, Refused>) {
    let (outcome, reason) = trace::outcome(answer);
    add(method, outcome, reason, 1);
}

/// Counts mutations that nothing was made of.
pub fn count_refused(method: Method, refused: Refused, mutations: u64) {
    let (outcome, reason) = trace::outcome(&Err(refused));
    add(method, outcome, reason, mutations);
}

/// Counts a request that was no mutation.
pub fn count_malformed(method: Method) {
    add(method, "refused", Some("INVALID_ARGUMENT"), 1);
}

/// Counts a transaction that gave way.
pub fn count_contention(kind: Contention) {
    CONTENTION.add(1, &[KeyValue::new("auric.contention", kind.as_str())]);
}

fn add(method: Method, outcome: &'static str, reason: Option<&'static str>, mutations: u64) {
    let of = [KeyValue::new("auric.method", method.as_str()), KeyValue::new("auric.outcome", outcome)];
    match reason {
        None => MUTATIONS.add(mutations, &of),
        Some(reason) => {
            let [method, outcome] = of;
            MUTATIONS.add(mutations, &[method, outcome, KeyValue::new("auric.reason", reason)]);
        }
    }
}

fn meter() -> Meter {
    global::meter("auric")
}
