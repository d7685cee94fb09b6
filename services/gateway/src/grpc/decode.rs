//! From requests to what is meant, with every bad field named.

use auric_api::gateway::v1 as api;
use auric_ids::{EventId, ProviderId};
use auric_status::{BadField, Problem};
use auric_time::Timestamp;
use tonic::Status;

use crate::store::{EventName, ListQuery, Replay, State};

/// Events of a page where nothing is said.
const PAGE_SIZE_DEFAULT: u32 = 100;

/// Events of a page at most.
const PAGE_SIZE_MAX: u32 = 1_000;

/// Gathers what is wrong with a request.
#[derive(Default)]
struct Faults(Vec<BadField>);

impl Faults {
    fn keep<T>(&mut self, field: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|fault| self.0.push(BadField::new(field, fault))).ok()
    }

    fn refuse(self) -> Status {
        Problem::invalid_argument(self.0).into_status()
    }
}

pub fn list(request: &api::ListEventsRequest) -> Result<ListQuery, Status> {
    let mut faults = Faults::default();
    let state = faults.keep("state", state(request.state));
    let provider = faults.keep("provider", provider_filter(&request.provider));
    let reason = faults.keep("reason", reason_filter(&request.reason));
    let limit = faults.keep("page_size", page_size(request.page_size));
    let after = faults.keep("page_token", position(&request.page_token));
    match (state, provider, reason, limit, after) {
        (Some(state), Some(provider), Some(reason), Some(limit), Some(after)) => {
            Ok(ListQuery { state, provider, reason, after, limit })
        }
        _ => Err(faults.refuse()),
    }
}

pub fn name(provider: &str, event_id: &str) -> Result<EventName, Status> {
    let mut faults = Faults::default();
    let provider = faults.keep("provider", ProviderId::parse(provider).map_err(|fault| fault.to_string()));
    let event = faults.keep("event_id", EventId::parse(event_id).map_err(|fault| fault.to_string()));
    match (provider, event) {
        (Some(provider), Some(event)) => Ok(EventName { provider, event }),
        _ => Err(faults.refuse()),
    }
}

pub fn replay(request: &api::ReplayEventsRequest) -> Result<Replay, Status> {
    let api::ReplayEventsRequest { provider, event_id, all, reason } = request;
    let mut faults = Faults::default();
    match (all, event_id.is_empty()) {
        (false, false) if reason.is_empty() => return name(provider, event_id).map(Replay::One),
        (false, false) => faults.0.push(BadField::new("reason", "is a filter of all, and one event is named")),
        (true, true) => {
            let provider = faults.keep("provider", provider_filter(provider));
            let reason = faults.keep("reason", reason_filter(reason));
            if let (Some(provider), Some(reason)) = (provider, reason) {
                return Ok(Replay::All { provider, reason });
            }
        }
        (true, false) => faults.0.push(BadField::new("event_id", "must be absent with all")),
        (false, true) => faults.0.push(BadField::new("event_id", "must not be empty without all")),
    }
    Err(faults.refuse())
}

fn state(value: i32) -> Result<Option<State>, String> {
    match api::EventState::try_from(value) {
        Ok(api::EventState::Unspecified) => Ok(None),
        Ok(api::EventState::Received) => Ok(Some(State::Received)),
        Ok(api::EventState::Applied) => Ok(Some(State::Applied)),
        Ok(api::EventState::Ignored) => Ok(Some(State::Ignored)),
        Ok(api::EventState::Parked) => Ok(Some(State::Parked)),
        Err(_) => Err(format!("is no state of an event: {value}")),
    }
}

fn provider_filter(text: &str) -> Result<Option<ProviderId>, String> {
    if text.is_empty() { Ok(None) } else { ProviderId::parse(text).map(Some).map_err(|fault| fault.to_string()) }
}

fn reason_filter(text: &str) -> Result<Option<String>, String> {
    let is_reason = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    match (text.is_empty(), is_reason) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(text.to_owned())),
        (false, false) => Err("must be 1 to 64 of A-Z _".to_owned()),
    }
}

fn page_size(size: u32) -> Result<u32, String> {
    match size {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(size),
        _ => Err(format!("must be 1 to {PAGE_SIZE_MAX}, is {size}")),
    }
}

/// Reads where the page before ended: hexadecimal, so that nobody takes it for more than a token.
fn position(token: &str) -> Result<Option<(Timestamp, EventName)>, String> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        let time = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let provider = ProviderId::parse(parts.next()?).ok()?;
        let event = EventId::parse(parts.next()?).ok()?;
        Some((time, EventName { provider, event }))
    };
    read().map(Some).ok_or_else(|| "is not a page token".to_owned())
}
