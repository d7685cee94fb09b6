//! One esprit of a player.

use auric_ids::{EspritId, OperationId, PlayerId, SpeciesId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

/// One esprit of a player: kept for ever, dissolved or not. As it stands in events, fields are only ever added, with a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Esprit {
    /// Its id.
    pub id: EspritId,
    /// Whose it is.
    pub player: PlayerId,
    /// The how-manieth the player got, from 1.
    pub number: u64,
    /// Of which species.
    pub species: SpeciesId,
    /// How far it has been upgraded, from 1.
    pub level: u32,
    /// Counts its changes, from 1.
    pub version: u64,
    /// Which operation brought it.
    pub operation: OperationId,
    /// Whether its owner guards it from being dissolved.
    pub locked: bool,
    /// The operation that is about to change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<OperationId>,
    /// When it came.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it was dissolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dissolved_at: Option<Timestamp>,
}
