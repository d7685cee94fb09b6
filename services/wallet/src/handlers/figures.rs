//! Metrics of what the wallet does. The instruments are silent where nobody asks for metrics.

use std::sync::{Arc, LazyLock};

use auric_db::Contention;
use auric_lanes::{LaneStats, Refusals, Refused};
use opentelemetry::metrics::{AsyncInstrument, Counter, Meter};
use opentelemetry::{KeyValue, global};

use super::{Handlers, trace};
use crate::domain::{Method, Verdict};

/// The attribute that names a lane.
const LANE: &str = "auric.lane";

/// Reads numbers of a lane, each with what tells it from the others of one metric.
type Reading = fn(&LaneStats) -> Vec<(Option<KeyValue>, u64)>;

/// What lanes count for themselves: name, unit, text, numbers.
const LANES: [(&str, &str, &str, Reading); 7] = [
    ("auric.lane.taken", "{mutation}", "Mutations that were taken from the queue", |lane| vec![(None, lane.taken)]),
    ("auric.lane.answered", "{mutation}", "Mutations that got an answer", |lane| vec![(None, lane.answered)]),
    ("auric.lane.retries", "{run}", "Runs of a batch that failed and were run again, by cause", |lane| {
        let of = |cause| Some(KeyValue::new("auric.cause", cause));
        vec![(of("contended"), lane.retries_contended), (of("lost"), lane.retries_lost)]
    }),
    ("auric.lane.halvings", "{run}", "Runs of a batch that failed and were cut in two", |lane| {
        vec![(None, lane.halvings)]
    }),
    ("auric.lane.bugs", "{run}", "Runs of a batch that panicked or miscounted", |lane| vec![(None, lane.bugs)]),
    ("auric.lane.withdrawn", "{mutation}", "Mutations whose caller had gone before they were run", |lane| {
        vec![(None, lane.withdrawn)]
    }),
    ("auric.lane.refusals", "{mutation}", "Mutations that got no answer, by reason", |lane| refusals(&lane.refused)),
];

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

impl Handlers {
    /// Shows the lanes among the metrics, for as long as the wallet lives.
    pub fn observe_lanes(self: &Arc<Self>) {
        let meter = meter();
        for (name, unit, text, read) in LANES {
            let handlers = Arc::downgrade(self);
            let _registered = meter
                .u64_observable_counter(name)
                .with_unit(unit)
                .with_description(text)
                .with_callback(move |observer| {
                    if let Some(handlers) = handlers.upgrade() {
                        observe(observer, &handlers.lane_stats(), read);
                    }
                })
                .build();
        }
        let handlers = Arc::downgrade(self);
        let _registered = meter
            .u64_observable_gauge("auric.lane.depth")
            .with_unit("{mutation}")
            .with_description("Mutations that wait in the queue")
            .with_callback(move |observer| {
                if let Some(handlers) = handlers.upgrade() {
                    let depth = |lane: &LaneStats| vec![(None, u64::try_from(lane.depth).unwrap_or(u64::MAX))];
                    observe(observer, &handlers.lane_stats(), depth);
                }
            })
            .build();
    }
}

fn observe(observer: &dyn AsyncInstrument<u64>, lanes: &[LaneStats], read: Reading) {
    for lane in lanes {
        let number = KeyValue::new(LANE, i64::from(lane.lane.number()));
        for (which, count) in read(lane) {
            let attributes: Vec<KeyValue> = [number.clone()].into_iter().chain(which).collect();
            observer.observe(count, &attributes);
        }
    }
}

fn refusals(refused: &Refusals) -> Vec<(Option<KeyValue>, u64)> {
    let by_reason = [
        ("QUEUE_FULL", refused.queue_full),
        ("DEADLINE_EXCEEDED", refused.deadline_passed),
        ("DRAINING", refused.draining),
        ("CONTENDED", refused.contended),
        ("UNAVAILABLE", refused.unavailable),
        ("INTERNAL", refused.fault),
        ("OUTCOME_UNKNOWN", refused.unknown),
    ];
    by_reason.map(|(reason, count)| (Some(KeyValue::new("auric.reason", reason)), count)).into()
}

fn meter() -> Meter {
    global::meter("auric")
}
