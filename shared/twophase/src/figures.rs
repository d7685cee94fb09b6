//! Metrics of operations: how many ended how, how long each step takes, what is open, and what was left.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use opentelemetry::{KeyValue, global};

use crate::{Operation, Step};

/// The bounds of the buckets, in seconds: from a call over loopback to the longest that a step may take.
const BOUNDS_S: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 3.0, 10.0];

struct Instruments {
    open: Gauge<u64>,
    oldest_age: Gauge<u64>,
    ended: Counter<u64>,
    recovered: Counter<u64>,
    put_off: Counter<u64>,
    step: Histogram<f64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter: Meter = global::meter("auric");
    Instruments {
        open: meter
            .u64_gauge("auric.operations.open")
            .with_unit("{operation}")
            .with_description("Operations that are not done, in all copies")
            .build(),
        oldest_age: meter
            .u64_gauge("auric.operations.oldest_age")
            .with_unit("s")
            .with_description("How long ago the oldest operation was begun that is not done")
            .build(),
        ended: meter
            .u64_counter("auric.operations.ended")
            .with_unit("{operation}")
            .with_description("Operations that this copy drove to their end")
            .build(),
        recovered: meter
            .u64_counter("auric.operations.recovered")
            .with_unit("{operation}")
            .with_description("Operations that this copy took up after another left them")
            .build(),
        put_off: meter
            .u64_counter("auric.operations.put_off")
            .with_unit("{operation}")
            .with_description("Operations that this copy could not drive to their end for now")
            .build(),
        step: meter
            .f64_histogram("auric.operations.step.duration")
            .with_unit("s")
            .with_description("How long the steps of operations took")
            .with_boundaries(BOUNDS_S.to_vec())
            .build(),
    }
});

pub fn ended(operation: &Operation) {
    let decision = operation.decision.as_ref().map_or("", crate::Decision::as_str);
    INSTRUMENTS.ended.add(1, &[KeyValue::new("auric.decision", decision)]);
}

pub fn recovered() {
    INSTRUMENTS.recovered.add(1, &[]);
}

pub fn put_off(step: &'static str) {
    INSTRUMENTS.put_off.add(1, &[KeyValue::new("auric.step", step)]);
}

/// Shows what of `service` is open: several coordinators may share a process.
pub fn open(service: &'static str, count: u64, oldest_s: u64) {
    let of = [KeyValue::new("auric.service", service)];
    INSTRUMENTS.open.record(count, &of);
    INSTRUMENTS.oldest_age.record(oldest_s, &of);
}

pub fn step(step: Step, participant: &'static str, time: Duration, ok: bool) {
    let labels = [
        KeyValue::new("auric.step", step.as_str()),
        KeyValue::new("auric.participant", participant),
        KeyValue::new("auric.ok", ok),
    ];
    INSTRUMENTS.step.record(time.as_secs_f64(), &labels);
}
