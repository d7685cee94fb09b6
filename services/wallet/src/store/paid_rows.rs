//! Rows of payments, their events and retail tokens, as both databases give them.

use auric_db::{DbTime, StoreError};

use super::rows::{id, note, units, value};
use crate::domain::{
    EventKey, EventRow, MutationKey, Payment, PaymentKey, PaymentRow, Posted, Rejection, RetailToken, TokenRow,
};

#[derive(sqlx::FromRow)]
pub struct PaymentDbRow {
    provider: String,
    object_id: String,
    player_id: String,
    known: String,
    parts: String,
    version: i64,
}

#[derive(sqlx::FromRow)]
pub struct EventDbRow {
    provider: String,
    event_id: String,
    object_id: String,
    player_id: String,
    kind: String,
    caller: String,
    idempotency_key: String,
    outcome: String,
}

#[derive(sqlx::FromRow)]
pub struct TokenDbRow {
    token: String,
    player_id: String,
    provider: String,
    object_id: String,
    caller: String,
    idempotency_key: String,
    reason: String,
    context: String,
    used: Option<String>,
    version: i64,
    created_at: DbTime,
}

impl PaymentDbRow {
    pub fn into_domain(self) -> Result<PaymentRow, StoreError> {
        let payment = Payment {
            key: PaymentKey { provider: id(self.provider)?, object: id(self.object_id)? },
            player: id(self.player_id)?,
            known: value(&self.known)?,
            parts: value(&self.parts)?,
        };
        Ok(PaymentRow { payment, version: units(self.version)? })
    }
}

impl EventDbRow {
    pub fn into_domain(self) -> Result<EventRow, StoreError> {
        // An event is kept with what was applied; a refusal keeps none.
        let outcome: Result<Posted, Rejection> = value(&self.outcome)?;
        let refused = |_| StoreError::Corrupt(format!("the event {} was refused", self.event_id));
        let answer = outcome.map_err(refused)?;
        Ok(EventRow {
            key: EventKey { provider: id(self.provider)?, event: id(self.event_id)? },
            object: id(self.object_id)?,
            player: id(self.player_id)?,
            kind: self.kind,
            under: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            answer,
        })
    }
}

impl TokenDbRow {
    pub fn into_domain(self) -> Result<TokenRow, StoreError> {
        let payment = if self.provider.is_empty() {
            None
        } else {
            Some(PaymentKey { provider: id(self.provider)?, object: id(self.object_id)? })
        };
        let token = RetailToken {
            id: id(self.token)?,
            player: id(self.player_id)?,
            payment,
            caller: id(self.caller)?,
            issued_under: id(self.idempotency_key)?,
            note: note(self.reason, &self.context)?,
            issued_at: self.created_at.0,
            used: self.used.as_deref().map(value).transpose()?,
        };
        Ok(TokenRow { token, version: units(self.version)? })
    }
}
