//! Values as both databases keep them.

use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_time::Timestamp;

use crate::domain::{
    Balance, BalanceKey, Change, Context, Entry, Fingerprint, Head, Method, Movement, MovementKind, MutationKey,
    Outcome, Record, Row,
};

/// A number of units as BIGINT. Every unit is at most 2^53 - 1, every count far below.
pub fn bigint(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// A BIGINT as a number of units.
pub fn units(bigint: i64) -> Result<u64, StoreError> {
    u64::try_from(bigint).map_err(|_| corrupt("a number", bigint))
}

/// The answer as text: read by people too.
pub fn outcome_text(outcome: &Outcome) -> Result<String, StoreError> {
    serde_json::to_string(outcome).map_err(|error| StoreError::Corrupt(format!("an answer cannot be written: {error}")))
}

/// The context as text.
pub fn context_text(context: &Context) -> Result<String, StoreError> {
    if context.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(context).map_err(|error| StoreError::Corrupt(format!("a context cannot be written: {error}")))
}

/// A player as the stores read it.
pub struct HeadRow {
    pub player_id: String,
    pub last_number: i64,
    pub last_hash: Vec<u8>,
    pub last_time: Timestamp,
}

/// A balance as the stores read it.
#[derive(sqlx::FromRow)]
pub struct BalanceRow {
    pub player_id: String,
    pub asset_id: String,
    pub pool_id: String,
    pub available: i64,
    pub held: i64,
    pub room: i64,
    pub version: i64,
}

/// A used key as the stores read it.
pub struct RecordRow {
    pub caller: String,
    pub idempotency_key: String,
    pub method: String,
    pub fingerprint: Vec<u8>,
    pub fields: String,
    pub outcome: String,
    pub created_at: Timestamp,
}

/// An entry as the stores read it.
pub struct EntryRow {
    pub balance: BalanceRow,
    pub number: i64,
    pub kind: String,
    pub change: (i64, i64, i64),
    pub clamped: i64,
    pub reason: String,
    pub context: String,
    pub caller: String,
    pub idempotency_key: String,
    pub trace_id: String,
    pub catalog_hash: Vec<u8>,
    pub created_at: Timestamp,
    pub hash: Vec<u8>,
}

impl HeadRow {
    pub fn into_domain(self) -> Result<(auric_ids::PlayerId, Head), StoreError> {
        let head = Head { number: units(self.last_number)?, hash: bytes(self.last_hash)?, time: self.last_time };
        Ok((id(self.player_id)?, head))
    }
}

impl BalanceRow {
    pub fn into_domain(self) -> Result<(BalanceKey, Row), StoreError> {
        let balance = Balance::from_parts(units(self.available)?, units(self.held)?, units(self.room)?);
        let row = Row {
            balance: balance.ok_or_else(|| corrupt("a balance of", &self.player_id))?,
            version: units(self.version)?,
        };
        Ok((BalanceKey { player: id(self.player_id)?, asset: id(self.asset_id)?, pool: id(self.pool_id)? }, row))
    }
}

impl RecordRow {
    pub fn into_domain(self) -> Result<Record, StoreError> {
        Ok(Record {
            method: Method::parse(&self.method).ok_or_else(|| corrupt("a method", &self.method))?,
            outcome: serde_json::from_str(&self.outcome).map_err(|error| corrupt("an answer", error))?,
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            fingerprint: Fingerprint { digest: bytes(self.fingerprint)?, fields: self.fields },
            time: self.created_at,
        })
    }
}

impl EntryRow {
    pub fn into_domain(self) -> Result<Entry, StoreError> {
        let (key, row) = self.balance.into_domain()?;
        let (available_units, held_units, room_units) = self.change;
        let context = match self.context.as_str() {
            "" => Context::new(),
            text => serde_json::from_str(text).map_err(|error| corrupt("a context", error))?,
        };
        Ok(Entry {
            movement: Movement {
                key,
                number: units(self.number)?,
                kind: MovementKind::parse(&self.kind).ok_or_else(|| corrupt("a kind", &self.kind))?,
                change: Change { available_units, held_units, room_units },
                after: row.balance,
                clamped_units: units(self.clamped)?,
            },
            reason: id(self.reason)?,
            context,
            caller: id(self.caller)?,
            idempotency_key: id(self.idempotency_key)?,
            trace_id: id(self.trace_id)?,
            catalog_hash: CatalogHash::from_bytes(bytes(self.catalog_hash)?),
            time: self.created_at,
            hash: bytes(self.hash)?,
        })
    }
}

/// Takes up a name that was stored.
pub fn id<T: TryFrom<String, Error = auric_ids::IdError>>(text: String) -> Result<T, StoreError> {
    T::try_from(text).map_err(|error| corrupt("a name", error))
}

fn bytes(stored: Vec<u8>) -> Result<[u8; 32], StoreError> {
    stored.try_into().map_err(|stored: Vec<u8>| corrupt("a hash's length", stored.len()))
}

fn corrupt(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {found}"))
}
