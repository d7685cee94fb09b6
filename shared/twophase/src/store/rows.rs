//! Rows as both databases give them.

use auric_db::{DbTime, StoreError};
use auric_ids::IdError;
use auric_keys::{Fingerprint, MutationKey};

use crate::log::KeyRow;
use crate::{Decision, Operation, State};

/// The columns of an operation.
#[derive(sqlx::FromRow)]
pub struct OperationRow {
    player_id: String,
    operation_id: String,
    caller: String,
    idempotency_key: String,
    attempt: i64,
    state: String,
    plan: String,
    decision: String,
    outcome: String,
    begun_at: DbTime,
    decided_at: Option<DbTime>,
    done_at: Option<DbTime>,
    fence: i64,
    due_at: DbTime,
    recoveries: i64,
    last_error: String,
}

/// The columns of a key.
#[derive(sqlx::FromRow)]
pub struct KeyDbRow {
    caller: String,
    idempotency_key: String,
    fingerprint: Vec<u8>,
    fields: String,
    player_id: String,
    operation_id: String,
}

impl OperationRow {
    pub fn into_domain(self) -> Result<Operation, StoreError> {
        let state = State::parse(&self.state).ok_or_else(|| corrupt("a state", &self.state))?;
        let decision = match self.decision.as_str() {
            "" => None,
            word => Some(Decision::parse(word, self.outcome).ok_or_else(|| corrupt("a decision", word))?),
        };
        Ok(Operation {
            player: id(self.player_id)?,
            id: id(self.operation_id)?,
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            attempt: u32::try_from(self.attempt).map_err(|_| corrupt("an attempt", self.attempt))?,
            state,
            plan: self.plan,
            decision,
            begun_at: self.begun_at.0,
            decided_at: self.decided_at.map(|time| time.0),
            done_at: self.done_at.map(|time| time.0),
            fence: u64::try_from(self.fence).map_err(|_| corrupt("a fence", self.fence))?,
            due_at: self.due_at.0,
            recoveries: u32::try_from(self.recoveries).map_err(|_| corrupt("a count", self.recoveries))?,
            last_error: self.last_error,
        })
    }
}

impl KeyDbRow {
    pub fn into_domain(self) -> Result<KeyRow, StoreError> {
        let digest = self.fingerprint;
        let digest = digest.try_into().map_err(|bytes: Vec<u8>| corrupt("a hash of length", bytes.len()))?;
        let operation: auric_ids::OperationId = id(self.operation_id)?;
        Ok(KeyRow {
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            fingerprint: Fingerprint { digest, fields: self.fields },
            player: id(self.player_id)?,
            loaded: Some(operation.clone()),
            operation,
        })
    }
}

impl KeyRow {
    /// The newest attempt under the key.
    pub fn attempt(&self) -> (auric_ids::PlayerId, auric_ids::OperationId) {
        (self.player.clone(), self.operation.clone())
    }
}

/// Reads all of them.
pub fn operations(rows: Vec<OperationRow>) -> Result<Vec<Operation>, StoreError> {
    rows.into_iter().map(OperationRow::into_domain).collect()
}

/// A count that fits a BIGINT.
pub fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Takes up a name that was stored.
pub fn id<T: TryFrom<String, Error = IdError>>(text: String) -> Result<T, StoreError> {
    T::try_from(text).map_err(|error| corrupt("a name", error))
}

fn corrupt(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {found}"))
}
