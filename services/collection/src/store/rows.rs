//! Rows as both databases give them, and values as both keep them.

use auric_catalog::CatalogHash;
use auric_db::{DbTime, StoreError};
use auric_ids::{IdError, PlayerId};
use auric_keys::{Fingerprint, MutationKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Stamp;
use crate::domain::{Esprit, Part, Piece, Player, Portrait, Record, state_of};

/// A count as BIGINT. Every count is far below its bound.
pub fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A level as INTEGER.
pub fn integer(level: u32) -> i32 {
    i32::try_from(level).unwrap_or(i32::MAX)
}

/// A value as text: read by people too.
pub fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("a value cannot be written: {error}")))
}

/// The same, of what may be absent.
pub fn optional_text<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(text).transpose()
}

#[derive(sqlx::FromRow)]
pub struct PlayerRow {
    player_id: String,
    esprits: i64,
    promised: i64,
    last_number: i64,
    equipment: i64,
    team: String,
    team_version: i64,
    version: i64,
    updated_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct EspritDbRow {
    player_id: String,
    esprit_id: String,
    number: i64,
    species_id: String,
    level: i32,
    version: i64,
    operation_id: String,
    locked: bool,
    busy_operation_id: Option<String>,
    created_at: DbTime,
    updated_at: DbTime,
    dissolved_at: Option<DbTime>,
}

#[derive(sqlx::FromRow)]
pub struct PartDbRow {
    operation_id: String,
    player_id: String,
    coordinator: String,
    state: String,
    catalog_hash: Option<Vec<u8>>,
    intent: Option<String>,
    outcome: Option<String>,
    created_at: DbTime,
    updated_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct PieceDbRow {
    player_id: String,
    equipment_id: String,
    kind_id: String,
    esprit_id: Option<String>,
    version: i64,
    created_at: DbTime,
    updated_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct RecordDbRow {
    caller: String,
    idempotency_key: String,
    method: String,
    fingerprint: Vec<u8>,
    fields: String,
    outcome: String,
    created_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct StampRow {
    state_tag: Vec<u8>,
    version: i64,
    updated_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct NamedStampRow {
    player_id: String,
    #[sqlx(flatten)]
    stamp: StampRow,
}

#[derive(sqlx::FromRow)]
pub struct PortraitRow {
    #[sqlx(flatten)]
    stamp: StampRow,
    team: String,
    team_version: i64,
}

/// All that a player has.
pub fn portrait(
    row: Option<PortraitRow>,
    esprits: Vec<EspritDbRow>,
    pieces: Vec<PieceDbRow>,
) -> Result<Portrait, StoreError> {
    let Some(row) = row else { return Ok(Portrait::default()) };
    let Stamp { tag, version, updated_at } = row.stamp.into_domain()?;
    Ok(Portrait {
        tag,
        version,
        updated_at,
        team: value(&row.team)?,
        team_version: count(row.team_version)?,
        esprits: esprits.into_iter().map(EspritDbRow::into_domain).collect::<Result<_, _>>()?,
        pieces: pieces.into_iter().map(PieceDbRow::into_domain).collect::<Result<_, _>>()?,
    })
}

impl NamedStampRow {
    pub fn into_domain(self) -> Result<(PlayerId, Stamp), StoreError> {
        Ok((id(self.player_id)?, self.stamp.into_domain()?))
    }
}

impl StampRow {
    pub fn into_domain(self) -> Result<Stamp, StoreError> {
        let tag = self.state_tag.try_into();
        Ok(Stamp {
            tag: tag.map_err(|stored: Vec<u8>| corrupt("a state tag of length", stored.len()))?,
            version: count(self.version)?,
            updated_at: self.updated_at.0,
        })
    }
}

impl PieceDbRow {
    pub fn into_domain(self) -> Result<Piece, StoreError> {
        Ok(Piece {
            id: id(self.equipment_id)?,
            player: id(self.player_id)?,
            kind: id(self.kind_id)?,
            esprit: self.esprit_id.map(id).transpose()?,
            version: count(self.version)?,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

impl RecordDbRow {
    pub fn into_domain(self) -> Result<Record, StoreError> {
        let digest = self.fingerprint.try_into();
        let digest = digest.map_err(|stored: Vec<u8>| corrupt("a fingerprint of length", stored.len()))?;
        Ok(Record {
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            method: self.method,
            fingerprint: Fingerprint { digest, fields: self.fields },
            outcome: value(&self.outcome)?,
            time: self.created_at.0,
        })
    }
}

impl PlayerRow {
    pub fn into_domain(self) -> Result<(PlayerId, Player), StoreError> {
        let version = count(self.version)?;
        let player = Player {
            esprits: count(self.esprits)?,
            promised: count(self.promised)?,
            last_number: count(self.last_number)?,
            equipment: count(self.equipment)?,
            team: value(&self.team)?,
            team_version: count(self.team_version)?,
            version,
            loaded_version: version,
            updated_at: self.updated_at.0,
        };
        Ok((id(self.player_id)?, player))
    }
}

impl EspritDbRow {
    pub fn into_domain(self) -> Result<Esprit, StoreError> {
        Ok(Esprit {
            id: id(self.esprit_id)?,
            player: id(self.player_id)?,
            number: count(self.number)?,
            species: id(self.species_id)?,
            level: u32::try_from(self.level).map_err(|_| corrupt("a level", self.level))?,
            version: count(self.version)?,
            operation: id(self.operation_id)?,
            locked: self.locked,
            busy: self.busy_operation_id.map(id).transpose()?,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            dissolved_at: self.dissolved_at.map(|time| time.0),
        })
    }
}

impl PartDbRow {
    pub fn into_domain(self) -> Result<Part, StoreError> {
        Ok(Part {
            operation: id(self.operation_id)?,
            player: id(self.player_id)?,
            coordinator: id(self.coordinator)?,
            state: state_of(&self.state).ok_or_else(|| corrupt("a state", &self.state))?,
            catalog: self.catalog_hash.map(hash).transpose()?,
            intent: self.intent.as_deref().map(value).transpose()?,
            outcome: self.outcome.as_deref().map(value).transpose()?,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

/// Takes up a name that was stored.
pub fn id<T: TryFrom<String, Error = IdError>>(text: String) -> Result<T, StoreError> {
    T::try_from(text).map_err(|error| corrupt("a name", error))
}

/// Takes up a count that was stored.
pub fn count(bigint: i64) -> Result<u64, StoreError> {
    u64::try_from(bigint).map_err(|_| corrupt("a number", bigint))
}

/// Takes up a catalog's hash that was stored.
pub fn hash(stored: Vec<u8>) -> Result<CatalogHash, StoreError> {
    let bytes = stored.try_into().map_err(|stored: Vec<u8>| corrupt("a hash of length", stored.len()))?;
    Ok(CatalogHash::from_bytes(bytes))
}

fn value<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt("a value", error))
}

fn corrupt(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {found}"))
}
