//! Metrics of handlers: how often each ran with which outcome, and for how long.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};

use crate::Outcome;

/// The bounds of the buckets, in seconds: from a look that finds nothing to an audit that is verified all night.
const BOUNDS_S: [f64; 12] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let meter = global::meter("auric");
    let histogram = meter.f64_histogram("auric.handler.duration").with_unit("s").with_boundaries(BOUNDS_S.to_vec());
    histogram.with_description("How long handlers of jobs ran, by what became of it").build()
});

/// Counts a firing that was done, or was not.
pub fn ran(service: &'static str, handler: &'static str, outcome: &Outcome, time: Duration) {
    let attributes = [
        KeyValue::new("auric.service", service),
        KeyValue::new("auric.handler", handler),
        KeyValue::new("auric.outcome", outcome.word()),
    ];
    DURATION.record(time.as_secs_f64(), &attributes);
}
