//! What lanes count for themselves, among the metrics. The instruments are silent where nobody asks for metrics.

use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::{KeyValue, global};

use crate::{LaneStats, Refusals};

/// Reads numbers of a lane, each with what tells it from the others of one metric.
type Reading = fn(&LaneStats) -> Vec<(Option<KeyValue>, u64)>;

/// Name, unit, text, numbers.
const COUNTERS: [(&str, &str, &str, Reading); 7] = [
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

/// Shows the lanes of a service among the metrics for as long as `stats` gives some: hold them weakly there.
pub fn observe(stats: impl Fn() -> Option<Vec<LaneStats>> + Clone + Send + Sync + 'static) {
    let meter = global::meter("auric");
    for (name, unit, text, read) in COUNTERS {
        let stats = stats.clone();
        let _registered = meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(text)
            .with_callback(move |observer| show(observer, &stats().unwrap_or_default(), read))
            .build();
    }
    let depth: Reading = |lane| vec![(None, u64::try_from(lane.depth).unwrap_or(u64::MAX))];
    let _registered = meter
        .u64_observable_gauge("auric.lane.depth")
        .with_unit("{mutation}")
        .with_description("Mutations that wait in the queue")
        .with_callback(move |observer| show(observer, &stats().unwrap_or_default(), depth))
        .build();
}

fn show(observer: &dyn AsyncInstrument<u64>, lanes: &[LaneStats], read: Reading) {
    for lane in lanes {
        for (which, count) in read(lane) {
            let attributes: Vec<KeyValue> = attributes(lane.service, lane.lane).into_iter().chain(which).collect();
            observer.observe(count, &attributes);
        }
    }
}

/// What tells a lane from every other one in the process.
pub(crate) fn attributes(service: &'static str, lane: crate::LaneId) -> [KeyValue; 2] {
    [KeyValue::new("auric.service", service), KeyValue::new("auric.lane", i64::from(lane.number()))]
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
