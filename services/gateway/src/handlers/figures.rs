//! Metrics of what the gateway does. The instruments are silent where nobody asks for metrics.

use std::sync::{Arc, LazyLock};

use auric_ids::ProviderId;
use auric_telemetry::context::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::{Handlers, Refusal};
use crate::store::{Accepted, Step};

static WEBHOOKS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.gateway.webhooks").with_unit("{request}");
    counter.with_description("Webhooks by provider and outcome").build()
});

static EVENTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = meter();
    let counter = meter.u64_counter("auric.gateway.events").with_unit("{event}");
    counter.with_description("Attempts to apply an event, by provider, what became of it, and why").build()
});

/// Counts a webhook that was refused.
pub fn count_webhook(provider: &ProviderId, refusal: &Refusal) {
    let outcome = match refusal {
        Refusal::NoProvider => "no_provider",
        Refusal::Forged(forged) => forged.as_str(),
        Refusal::NoEvent(_) => "no_event",
        Refusal::Store(_) => "not_kept",
    };
    add_webhook(provider, outcome);
}

/// Counts a webhook that was taken.
pub fn count_accepted(provider: &ProviderId, accepted: Accepted) {
    add_webhook(
        provider,
        match accepted {
            Accepted::New => "kept",
            Accepted::Repeat => "repeat",
        },
    );
}

/// Counts what became of an event.
pub fn count_ended(provider: &ProviderId, step: &Step) {
    let (end, reason) = match step {
        Step::Resolved(_) => return,
        Step::Applied => ("applied", ""),
        Step::Ignored(ignored) => ("ignored", ignored.as_str()),
        Step::Parked(park) => ("parked", park.reason.as_str()),
        Step::Later { .. } => ("put_off", ""),
    };
    let provider = KeyValue::new("auric.provider", provider.to_string());
    EVENTS.add(1, &[provider, KeyValue::new("auric.outcome", end), KeyValue::new("auric.reason", reason)]);
}

/// Shows how much waits and how much is parked, for as long as the gateway lives.
pub fn observe(handlers: &Arc<Handlers>) {
    let handlers = Arc::downgrade(handlers);
    let _registered = meter()
        .u64_observable_gauge("auric.gateway.inbox")
        .with_unit("{event}")
        .with_description("Events that are not applied, by state and reason")
        .with_callback(move |observer| {
            let Some(handlers) = handlers.upgrade() else { return };
            for count in handlers.counts.load().iter() {
                let state = KeyValue::new("auric.state", count.state.as_str());
                observer.observe(count.events, &[state, KeyValue::new("auric.reason", count.reason.clone())]);
            }
        })
        .build();
}

fn add_webhook(provider: &ProviderId, outcome: &'static str) {
    WEBHOOKS.add(1, &[KeyValue::new("auric.provider", provider.to_string()), KeyValue::new("auric.outcome", outcome)]);
}
