//! Rows as both databases give them.

use auric_catalog::CatalogHash;
use auric_db::{DbTime, StoreError};
use auric_ids::{IdError, PityGroupId, PlayerId};
use auric_keys::{Fingerprint, MutationKey};

use crate::domain::{
    ClientSeed, EndedSeeds, LoggedPull, PityRow, Player, Pull, Record, Seeds, ServerSeed, UseKey, UseRow,
};

#[derive(sqlx::FromRow)]
pub struct PlayerRow {
    player_id: String,
    server_seed: Option<Vec<u8>>,
    client_seed: Option<String>,
    nonce: i64,
    epoch: i64,
    first_nonce: i64,
    last_time: DbTime,
    version: i64,
}

#[derive(sqlx::FromRow)]
pub struct SeedsRow {
    epoch: i64,
    server_seed: Vec<u8>,
    client_seed: String,
    first_nonce: i64,
    next_nonce: i64,
    ended_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct RecordRow {
    caller: String,
    idempotency_key: String,
    method: String,
    fingerprint: Vec<u8>,
    fields: String,
    player_id: String,
    answer: String,
    created_at: DbTime,
}

#[derive(sqlx::FromRow)]
pub struct PityDbRow {
    player_id: String,
    pity_group_id: String,
    pity: String,
    pulls: i64,
    version: i64,
}

#[derive(sqlx::FromRow)]
pub struct UseDbRow {
    player_id: String,
    banner_id: String,
    what: String,
    period: String,
    used: i64,
    version: i64,
}

#[derive(sqlx::FromRow)]
pub struct PullRow {
    player_id: String,
    pity_group_id: String,
    number: i64,
    banner_id: String,
    operation_id: String,
    slot: i64,
    esprit_id: String,
    species_id: String,
    rarity: String,
    featured: Option<bool>,
    pity_before: String,
    pity_after: String,
    draws: String,
    nonce: i64,
    epoch: i64,
    catalog_hash: Vec<u8>,
    created_at: DbTime,
}

impl PlayerRow {
    pub fn into_domain(self) -> Result<(PlayerId, Player), StoreError> {
        let seeds = match (self.server_seed, self.client_seed) {
            (Some(server), Some(client)) => Some(seeds(server, &client)?),
            _ => None,
        };
        let player = Player {
            seeds,
            nonce: units(self.nonce)?,
            epoch: units(self.epoch)?,
            first_nonce: units(self.first_nonce)?,
            last_time: self.last_time.0,
            version: units(self.version)?,
        };
        Ok((id(self.player_id)?, player))
    }
}

impl SeedsRow {
    pub fn into_domain(self) -> Result<EndedSeeds, StoreError> {
        Ok(EndedSeeds {
            epoch: units(self.epoch)?,
            seeds: seeds(self.server_seed, &self.client_seed)?,
            first_nonce: units(self.first_nonce)?,
            next_nonce: units(self.next_nonce)?,
            ended_at: self.ended_at.0,
        })
    }
}

impl RecordRow {
    pub fn into_domain(self) -> Result<Record, StoreError> {
        let digest = self.fingerprint.try_into().map_err(|_| corrupt("a fingerprint", "of another length"))?;
        Ok(Record {
            key: MutationKey { caller: id(self.caller)?, key: id(self.idempotency_key)? },
            method: self.method,
            fingerprint: Fingerprint { digest, fields: self.fields },
            player: id(self.player_id)?,
            answer: serde_json::from_str(&self.answer).map_err(|error| corrupt("an answer", error))?,
            time: self.created_at.0,
        })
    }
}

impl PityDbRow {
    pub fn into_domain(self) -> Result<((PlayerId, PityGroupId), PityRow), StoreError> {
        let pity = serde_json::from_str(&self.pity).map_err(|error| corrupt("a pity", error))?;
        let row = PityRow { pity, pulls: units(self.pulls)?, version: units(self.version)? };
        Ok(((id(self.player_id)?, id(self.pity_group_id)?), row))
    }
}

impl UseDbRow {
    pub fn into_domain(self) -> Result<(UseKey, UseRow), StoreError> {
        let key = UseKey { player: id(self.player_id)?, banner: id(self.banner_id)?, what: self.what };
        Ok((key, UseRow { period: self.period, used: units(self.used)?, version: units(self.version)? }))
    }
}

impl PullRow {
    pub fn into_domain(self) -> Result<LoggedPull, StoreError> {
        let draws = self.draws.split(',').filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>();
        let hash: [u8; 32] = self.catalog_hash.try_into().map_err(|_| corrupt("a hash", "of another length"))?;
        Ok(LoggedPull {
            player: id(self.player_id)?,
            group: id(self.pity_group_id)?,
            banner: id(self.banner_id)?,
            operation: id(self.operation_id)?,
            nonce: units(self.nonce)?,
            epoch: units(self.epoch)?,
            catalog: CatalogHash::from_bytes(hash),
            time: self.created_at.0,
            pull: Pull {
                number: units(self.number)?,
                slot: u32::try_from(self.slot).map_err(|_| corrupt("a slot", self.slot))?,
                esprit: id(self.esprit_id)?,
                species: id(self.species_id)?,
                rarity: id(self.rarity)?,
                featured: self.featured,
                before: self.pity_before,
                after: self.pity_after,
                draws: draws.map_err(|error| corrupt("a draw", error))?,
            },
        })
    }
}

/// The drawn numbers as they are kept.
pub fn draws(pull: &Pull) -> String {
    pull.draws.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A pity as it is kept.
pub fn pity(row: &PityRow) -> Result<String, StoreError> {
    serde_json::to_string(&row.pity).map_err(|error| corrupt("a pity that cannot be written:", error))
}

/// An answer as it is kept.
pub fn answer(record: &Record) -> Result<String, StoreError> {
    serde_json::to_string(&record.answer).map_err(|error| corrupt("an answer that cannot be written:", error))
}

/// A count as BIGINT.
pub fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A write that must touch as many rows as it names.
pub fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}

fn id<T: TryFrom<String, Error = IdError>>(text: String) -> Result<T, StoreError> {
    T::try_from(text).map_err(|error| corrupt("a name", error))
}

fn seeds(server: Vec<u8>, client: &str) -> Result<Seeds, StoreError> {
    let server: [u8; 32] = server.try_into().map_err(|_| corrupt("a seed", "of another length"))?;
    let client = ClientSeed::parse(client).map_err(|fault| corrupt("a client seed that", fault))?;
    Ok(Seeds { server: ServerSeed::new(server), client })
}

fn units(bigint: i64) -> Result<u64, StoreError> {
    u64::try_from(bigint).map_err(|_| corrupt("a number", bigint))
}

fn corrupt(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {found}"))
}
