//! Metrics of events. The instruments are silent where nobody asks for metrics.

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, Gauge, Meter};
use opentelemetry::{KeyValue, global};

static WRITTEN: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.events.written").with_unit("{event}");
    counter.with_description("Events that were committed, by source").build()
});

static READ: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.events.read").with_unit("{event}");
    counter.with_description("Events that were given out, by source and reader").build()
});

static PRUNED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.events.pruned").with_unit("{batch}");
    counter.with_description("Batches of events that were pruned, by source").build()
});

static LAG: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    let meter = meter();
    let gauge = meter.f64_gauge("auric.events.lag").with_unit("s");
    gauge
        .with_description("How old the oldest event was that a reader had not read, when it read last; 0 at the end")
        .build()
});

/// Counts events that were committed.
pub fn written(source: &'static str, events: usize) {
    WRITTEN.add(u64::try_from(events).unwrap_or(u64::MAX), &[KeyValue::new("auric.source", source)]);
}

/// Counts events that `reader` was given, and notes how far behind it was.
pub fn read(source: &'static str, reader: &str, events: usize, lag_s: f64) {
    let of = [KeyValue::new("auric.source", source), KeyValue::new("auric.caller", reader.to_owned())];
    READ.add(u64::try_from(events).unwrap_or(u64::MAX), &of);
    LAG.record(lag_s, &of);
}

/// Counts batches of events that were pruned.
pub fn pruned(source: &'static str, rows: u64) {
    PRUNED.add(rows, &[KeyValue::new("auric.source", source)]);
}

fn meter() -> Meter {
    global::meter("auric")
}
