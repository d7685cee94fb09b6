//! Rows as both databases give them, and steps as both write them.

use auric_db::{DbTime, StoreError};
use auric_ids::{EventId, IdError, ObjectId, PlayerId, ProviderId};

use super::{Count, DETAIL_BYTES_MAX, EventName, Kept, Lease, Leased, State, Step};
use crate::domain::Payment;

#[derive(sqlx::FromRow)]
pub struct LeasedRow {
    provider: String,
    event_id: String,
    body: Vec<u8>,
    traceparent: String,
    payment: Option<String>,
    attempts: i64,
    fence: i64,
}

#[derive(sqlx::FromRow)]
pub struct KeptRow {
    provider: String,
    event_id: String,
    state: String,
    reason: String,
    detail: String,
    object_id: Option<String>,
    player_id: Option<String>,
    payment: Option<String>,
    attempts: i64,
    traceparent: String,
    received_at: DbTime,
    updated_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct CountRow {
    state: String,
    reason: String,
    events: i64,
}

/// What a step writes: every step is the same statement.
pub struct Written {
    pub state: State,
    pub reason: &'static str,
    pub detail: String,
    /// What was paid, once that is known; nothing leaves it as it is.
    pub object: Option<String>,
    /// New values of what is known of the payment; nothing leaves them as they are.
    pub resolved: Option<Resolved>,
    /// How far the due time is moved; nothing leaves it.
    pub due_micros: Option<i64>,
}

pub struct Resolved {
    pub player: String,
    pub payment: String,
    pub is_sale: bool,
}

impl Written {
    /// Spells out a step.
    pub fn of(step: &Step) -> Result<Self, StoreError> {
        let ended =
            |state, reason, detail| Self { state, reason, detail, object: None, resolved: None, due_micros: None };
        Ok(match step {
            Step::Resolved(payment) => {
                let resolved = Resolved {
                    player: payment.player.to_string(),
                    payment: text(payment)?,
                    is_sale: payment.effect.is_sale(),
                };
                let object = Some(payment.object.to_string());
                Self { object, resolved: Some(resolved), ..ended(State::Received, "", String::new()) }
            }
            Step::Applied => ended(State::Applied, "", String::new()),
            Step::Ignored(ignored) => ended(State::Ignored, ignored.as_str(), String::new()),
            Step::Parked(park) => {
                let object = park.waits_for.as_ref().map(ToString::to_string);
                Self { object, ..ended(State::Parked, park.reason.as_str(), cut(&park.detail)) }
            }
            Step::Later { after, detail } => {
                let due_micros = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
                Self { due_micros: Some(due_micros), ..ended(State::Received, "", cut(detail)) }
            }
        })
    }
}

impl LeasedRow {
    pub fn into_domain(self) -> Result<Leased, StoreError> {
        let name = name(&self.provider, &self.event_id)?;
        Ok(Leased {
            lease: Lease { name, fence: self.fence },
            body: self.body,
            traceparent: self.traceparent,
            payment: self.payment.as_deref().map(payment).transpose()?,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
        })
    }
}

impl KeptRow {
    pub fn into_domain(self) -> Result<Kept, StoreError> {
        Ok(Kept {
            name: name(&self.provider, &self.event_id)?,
            state: State::parse(&self.state)?,
            reason: self.reason,
            detail: self.detail,
            object: self.object_id.map(|text| ObjectId::parse(&text)).transpose().map_err(|error| corrupt(&error))?,
            player: self.player_id.map(|text| PlayerId::parse(&text)).transpose().map_err(|error| corrupt(&error))?,
            payment: self.payment,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            traceparent: self.traceparent,
            received_at: self.received_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

impl CountRow {
    pub fn into_domain(self) -> Result<Count, StoreError> {
        let events = u64::try_from(self.events).unwrap_or(0);
        Ok(Count { state: State::parse(&self.state)?, reason: self.reason, events })
    }
}

/// Reads a payment that was kept.
pub fn payment(text: &str) -> Result<Payment, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a payment cannot be read: {error}")))
}

fn text(payment: &Payment) -> Result<String, StoreError> {
    serde_json::to_string(payment).map_err(|error| StoreError::Corrupt(format!("a payment cannot be written: {error}")))
}

fn name(provider: &str, event: &str) -> Result<EventName, StoreError> {
    let provider = ProviderId::parse(provider).map_err(|error| corrupt(&error))?;
    let event = EventId::parse(event).map_err(|error| corrupt(&error))?;
    Ok(EventName { provider, event })
}

fn corrupt(error: &IdError) -> StoreError {
    StoreError::Corrupt(format!("an id that is none: {error}"))
}

/// Cuts a long text at the end of a character, and takes out what PostgreSQL cannot keep.
fn cut(text: &str) -> String {
    let mut end = text.len().min(DETAIL_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().replace('\0', "�")
}
