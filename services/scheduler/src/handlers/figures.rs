//! Metrics of what the scheduler does. The instruments are silent where nobody asks for metrics.

use std::sync::{Arc, LazyLock};

use auric_db::Contention;
use auric_ids::TargetId;
use auric_lanes::Refused;
use auric_telemetry::context::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use super::{Handlers, line};
use crate::domain::{JobSpec, Verdict};
use crate::store::Leased;

/// The bounds of the buckets of the lag, in seconds.
const LAG_BOUNDS_S: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0];

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

static ATTEMPTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.scheduler.attempts").with_unit("{attempt}");
    counter.with_description("Attempts of firings that ended, by outcome: done, retried, dead, lost").build()
});

static SKIPPED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.scheduler.skipped").with_unit("{firing}");
    counter.with_description("Firings that never ran, by reason").build()
});

static REPAIRS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.scheduler.repairs").with_unit("{job}");
    counter.with_description("Jobs of desired sets that were missing or absurd, or cannot be").build()
});

static BROKEN: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.scheduler.broken").with_unit("{job}");
    counter.with_description("Looks at a job that cannot be planned").build()
});

static FAULTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.scheduler.faults").with_unit("{round}");
    counter.with_description("Rounds of a loop that the database kept from their end, by loop").build()
});

static LAG: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let meter = meter();
    let histogram = meter.f64_histogram("auric.scheduler.lag").with_unit("s");
    let histogram = histogram.with_description("How long after it was due a firing was leased, by target");
    histogram.with_boundaries(LAG_BOUNDS_S.to_vec()).build()
});

/// Counts a change of a job.
pub fn count_mutation(method: &'static str, answer: &Result<Verdict, Refused>) {
    let (outcome, reason) = line::outcome(answer);
    let of = [KeyValue::new("auric.method", method), KeyValue::new("auric.outcome", outcome)];
    match reason {
        None => MUTATIONS.add(1, &of),
        Some(reason) => {
            let [method, outcome] = of;
            MUTATIONS.add(1, &[method, outcome, KeyValue::new("auric.reason", reason)]);
        }
    }
}

/// Counts a request that was no mutation.
pub fn count_malformed(method: &'static str) {
    let of = [KeyValue::new("auric.method", method), KeyValue::new("auric.outcome", "refused")];
    let [method, outcome] = of;
    MUTATIONS.add(1, &[method, outcome, KeyValue::new("auric.reason", "INVALID_ARGUMENT")]);
}

/// Counts a transaction that gave way.
pub fn count_contention(kind: Contention) {
    CONTENTION.add(1, &[KeyValue::new("auric.contention", kind.as_str())]);
}

/// Counts how attempts came out.
pub fn count_attempt(outcome: &'static str) {
    ATTEMPTS.add(1, &[KeyValue::new("auric.outcome", outcome)]);
}

/// Counts firings that never ran.
pub fn count_skipped(reason: &str, firings: u64) {
    SKIPPED.add(firings, &[KeyValue::new("auric.reason", reason.to_owned())]);
}

/// Counts a job of a desired set that was not as it should be.
pub fn count_repair(change: &'static str) {
    REPAIRS.add(1, &[KeyValue::new("auric.change", change)]);
}

/// Counts a job that cannot be planned.
pub fn count_broken() {
    BROKEN.add(1, &[]);
}

/// Counts a round that did not come to its end.
pub fn count_fault(of: &'static str) {
    FAULTS.add(1, &[KeyValue::new("auric.loop", of)]);
}

/// Notes how late firings are.
pub fn begun(target: &TargetId, firings: &[(Leased, Arc<JobSpec>)]) {
    let of = [KeyValue::new("auric.target", target.to_string())];
    for (leased, _) in firings {
        let lag = std::time::Duration::from_micros(leased.started_at.micros_since(leased.due_at));
        LAG.record(lag.as_secs_f64(), &of);
    }
}

/// Shows how much is due, runs, waits and is dead, for as long as the scheduler lives.
pub fn observe(handlers: &Arc<Handlers>) {
    let weak = Arc::downgrade(handlers);
    let _registered = meter()
        .u64_observable_gauge("auric.scheduler.firings")
        .with_unit("{firing}")
        .with_description("Firings by state: due, running, retrying, dead; all copies'")
        .with_callback(move |observer| {
            let Some(handlers) = weak.upgrade() else { return };
            let counts = handlers.counts.load();
            let by_state = [
                ("due", counts.due),
                ("running", counts.running),
                ("retrying", counts.retrying),
                ("dead", counts.dead),
            ];
            for (state, firings) in by_state {
                observer.observe(firings, &[KeyValue::new("auric.state", state)]);
            }
        })
        .build();
    let weak = Arc::downgrade(handlers);
    let _registered = meter()
        .u64_observable_gauge("auric.scheduler.due_for")
        .with_unit("ms")
        .with_description("How long the oldest firing that is due waits; 0 when none is")
        .with_callback(move |observer| {
            let Some(handlers) = weak.upgrade() else { return };
            let counts = handlers.counts.load();
            observer.observe(counts.due_since.map_or(0, |since| counts.now.micros_since(since) / 1_000), &[]);
        })
        .build();
    let weak = Arc::downgrade(handlers);
    let _registered = meter()
        .u64_observable_gauge("auric.scheduler.calls")
        .with_unit("{call}")
        .with_description("Calls that this copy has in flight, by target")
        .with_callback(move |observer| {
            let Some(handlers) = weak.upgrade() else { return };
            for target in handlers.targets.standing() {
                let calls = u64::try_from(target.calls).unwrap_or(u64::MAX);
                observer.observe(calls, &[KeyValue::new("auric.target", target.target.to_string())]);
            }
        })
        .build();
}
