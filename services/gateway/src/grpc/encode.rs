//! From what is kept to answers.

use auric_api::gateway::v1 as api;
use auric_telemetry::context::Traceparent;
use auric_time::Timestamp;

use crate::store::{Count, Kept, State};

pub fn event(kept: &Kept) -> api::Event {
    let trace_id = Traceparent::parse(&kept.traceparent).map(|parent| parent.trace_id.to_owned());
    api::Event {
        provider: kept.name.provider.to_string(),
        event_id: kept.name.event.to_string(),
        state: state(kept.state).into(),
        reason: kept.reason.clone(),
        detail: kept.detail.clone(),
        object_id: kept.object.as_ref().map(ToString::to_string).unwrap_or_default(),
        player_id: kept.player.as_ref().map(ToString::to_string).unwrap_or_default(),
        payment: kept.payment.clone().unwrap_or_default(),
        attempts: kept.attempts,
        trace_id: trace_id.unwrap_or_default(),
        received_at: Some(time(kept.received_at)),
        updated_at: Some(time(kept.updated_at)),
    }
}

pub fn count(count: &Count) -> api::EventCount {
    api::EventCount { state: state(count.state).into(), reason: count.reason.clone(), events: count.events }
}

/// Says where a page ended.
pub fn page_token(last: &Kept) -> String {
    hex::encode(format!("{} {} {}", last.received_at.micros(), last.name.provider, last.name.event))
}

const fn state(state: State) -> api::EventState {
    match state {
        State::Received => api::EventState::Received,
        State::Applied => api::EventState::Applied,
        State::Ignored => api::EventState::Ignored,
        State::Parked => api::EventState::Parked,
    }
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}
