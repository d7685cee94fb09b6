//! Changes that players and games ask for under a key, and what they come to.

use std::collections::BTreeMap;

use auric_ids::{EquipmentId, EquipmentKindId, EspritId, IdempotencyKey, PlayerId};
use auric_keys::{Canon, Field, Fingerprint, MutationKey};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Units;

/// Pieces that one request may give.
pub const PIECES_MAX: usize = 100;

/// The name of the team among the versions of what was changed.
pub const TEAM: &str = "team";

/// Who is in the team, by place, from 1. Empty places are left out.
pub type Team = BTreeMap<u32, EspritId>;

/// One keyed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The caller's name for it.
    pub key: IdempotencyKey,
    /// Whose collection.
    pub player: PlayerId,
    /// What is to be changed.
    pub change: Change,
    /// The version that what is named last must have; nothing means any.
    pub expected_version: Option<u64>,
}

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Guard an esprit from being dissolved, or no longer.
    SetLock {
        /// Which.
        esprit: EspritId,
        /// Whether it is to be locked.
        locked: bool,
    },
    /// Put an esprit, or nobody, into a place of the team.
    SetTeamSlot {
        /// Which place, from 1.
        slot: u32,
        /// Who.
        esprit: Option<EspritId>,
    },
    /// Let an esprit wear a piece.
    Equip {
        /// Who.
        esprit: EspritId,
        /// What.
        piece: EquipmentId,
    },
    /// Put a piece away.
    Unequip {
        /// What.
        piece: EquipmentId,
    },
    /// Give the player pieces.
    GrantEquipment {
        /// 1 to [`PIECES_MAX`], each id once.
        pieces: Vec<(EquipmentId, EquipmentKindId)>,
    },
}

/// One piece of equipment of a player: kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its id.
    pub id: EquipmentId,
    /// Whose it is.
    pub player: PlayerId,
    /// Of which kind.
    pub kind: EquipmentKindId,
    /// Who wears it.
    pub esprit: Option<EspritId>,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it came.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Whose collection.
    pub player: PlayerId,
    /// Counts all changes of the collection.
    pub collection_version: u64,
    /// The version of everything that the request named or changed, by its id; [`TEAM`] is the team's.
    pub versions: BTreeMap<String, u64>,
    /// When.
    pub time: Timestamp,
}

/// A rule said no. Nothing was changed, and the same key gets the same no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// It is not as the request expected it.
    StaleVersion {
        /// What: an esprit, a piece, or [`TEAM`].
        id: String,
        /// What the request expected.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The esprit is no longer there.
    EspritDissolved {
        /// Which.
        esprit: EspritId,
        /// Since when.
        dissolved_at: Timestamp,
    },
    /// Its owner guards the esprit from being dissolved.
    EspritLocked {
        /// Which.
        esprit: EspritId,
    },
    /// The esprit is in the team, and cannot be dissolved there.
    EspritInTeam {
        /// Which.
        esprit: EspritId,
    },
    /// The esprit wears something, and cannot be dissolved with it.
    EspritEquipped {
        /// Which.
        esprit: EspritId,
    },
    /// The esprit cannot be raised any more.
    EspritAtLevelMax {
        /// Which.
        esprit: EspritId,
        /// Its level.
        level: u32,
        /// The highest of its rarity.
        maximum: u32,
    },
    /// A dissolve would give something else than its preview showed.
    PreviewOutdated {
        /// What the preview showed.
        seen: Vec<Units>,
        /// What it is now.
        found: Vec<Units>,
    },
    /// The player has no room for more equipment.
    EquipmentFull {
        /// Whose.
        player: PlayerId,
        /// Pieces that are there.
        pieces: u64,
        /// Pieces that were to come.
        asked: u64,
        /// The bound.
        maximum: u64,
    },
}

/// What a keyed request came to: stored under its key and answered for ever.
pub type KeyedOutcome = Result<Changed, Rejection>;

/// A keyed request that was answered: kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: MutationKey,
    /// What it asked for, in a word.
    pub method: String,
    /// What it asked for, shortened.
    pub fingerprint: Fingerprint,
    /// What it was answered; nothing where the key is an operation's, which has the answer.
    pub outcome: Option<KeyedOutcome>,
    /// When it was answered.
    pub time: Timestamp,
}

impl Change {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::SetLock { .. } => "SetLock",
            Self::SetTeamSlot { .. } => "SetTeamSlot",
            Self::Equip { .. } => "Equip",
            Self::Unequip { .. } => "Unequip",
            Self::GrantEquipment { .. } => "GrantEquipment",
        }
    }

    /// The esprit that it names.
    #[must_use]
    pub const fn esprit(&self) -> Option<&EspritId> {
        match self {
            Self::SetLock { esprit, .. } | Self::Equip { esprit, .. } => Some(esprit),
            Self::SetTeamSlot { esprit, .. } => esprit.as_ref(),
            Self::Unequip { .. } | Self::GrantEquipment { .. } => None,
        }
    }

    /// Whether it has to do with what the player has to wear.
    #[must_use]
    pub const fn is_of_equipment(&self) -> bool {
        matches!(self, Self::Equip { .. } | Self::Unequip { .. } | Self::GrantEquipment { .. })
    }
}

impl Keyed {
    /// Shortens what is asked, without the key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fields: Vec<Field> = vec![("player_id", Canon::of(self.player.as_str()))];
        match &self.change {
            Change::SetLock { esprit, locked } => {
                fields.push(("esprit_id", Canon::of(esprit.as_str())));
                fields.push(("locked", Canon::of(if *locked { "true" } else { "false" })));
            }
            Change::SetTeamSlot { slot, esprit } => {
                fields.push(("slot", Canon::of(&slot.to_string())));
                fields.extend(esprit.as_ref().map(|esprit| ("esprit_id", Canon::of(esprit.as_str()))));
            }
            Change::Equip { esprit, piece } => {
                fields.push(("esprit_id", Canon::of(esprit.as_str())));
                fields.push(("equipment_id", Canon::of(piece.as_str())));
            }
            Change::Unequip { piece } => fields.push(("equipment_id", Canon::of(piece.as_str()))),
            Change::GrantEquipment { pieces } => {
                let mut canon = Canon::default();
                for (piece, kind) in pieces {
                    canon.text(piece.as_str()).text(kind.as_str());
                }
                fields.push(("pieces", canon));
            }
        }
        fields.extend(self.expected_version.map(|version| ("expected_version", Canon::of(&version.to_string()))));
        Fingerprint::of(self.change.method(), fields)
    }
}

impl Rejection {
    /// The word for it, as the API says it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::StaleVersion { .. } => "STALE_VERSION",
            Self::EspritDissolved { .. } => "ESPRIT_DISSOLVED",
            Self::EspritLocked { .. } => "ESPRIT_LOCKED",
            Self::EspritInTeam { .. } => "ESPRIT_IN_TEAM",
            Self::EspritEquipped { .. } => "ESPRIT_EQUIPPED",
            Self::EspritAtLevelMax { .. } => "ESPRIT_AT_LEVEL_MAX",
            Self::PreviewOutdated { .. } => "PREVIEW_OUTDATED",
            Self::EquipmentFull { .. } => "EQUIPMENT_FULL",
        }
    }
}
