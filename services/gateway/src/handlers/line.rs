//! The one structured line of an event (R-O1): written when it ends, and each time that it is put off.

use auric_telemetry::context::Traceparent;

use super::Payment;
use crate::store::{Leased, Step};

/// What is known of an event when its line is written.
pub struct Line {
    provider: String,
    event_id: String,
    trace_id: String,
    attempts: u32,
    player_id: String,
    object_id: String,
    amount: String,
    reason: &'static str,
}

impl Line {
    /// Draws up the line of an event.
    pub fn of(leased: &Leased) -> Self {
        let name = &leased.lease.name;
        let trace_id = Traceparent::parse(&leased.traceparent).map(|parent| parent.trace_id.to_owned());
        Self {
            provider: name.provider.to_string(),
            event_id: name.event.to_string(),
            trace_id: trace_id.unwrap_or_default(),
            attempts: leased.attempts,
            player_id: String::new(),
            object_id: String::new(),
            amount: String::new(),
            reason: "",
        }
    }

    /// Adds what the wallet is told.
    pub fn pays(&mut self, payment: &Payment) {
        self.player_id = payment.player.to_string();
        self.object_id = payment.object.to_string();
        self.amount = payment.effect.amount();
        self.reason = payment.effect.as_str();
    }

    /// Writes the line with what became of the event.
    pub fn ended(&self, step: &Step) {
        match step {
            Step::Applied => self.write(true, "applied", None, ""),
            Step::Ignored(ignored) => self.write(true, "ignored", Some(ignored.as_str()), ""),
            Step::Parked(park) => self.write(false, "parked", Some(park.reason.as_str()), &park.detail),
            Step::Later { detail, .. } => self.put_off(detail),
            Step::Resolved(_) => {}
        }
    }

    /// Writes the line of an event that will be tried again.
    pub fn put_off(&self, detail: &str) {
        self.write(false, "put off", Some("UNAVAILABLE"), detail);
    }

    fn write(&self, success: bool, end: &'static str, error: Option<&str>, detail: &str) {
        let Self { provider, event_id, trace_id, attempts, player_id, object_id, amount, reason } = self;
        tracing::info!(
            provider,
            event_id,
            object_id,
            player_id,
            amount,
            reason,
            success,
            error,
            detail,
            attempts,
            trace_id,
            "event {end}",
        );
    }
}
