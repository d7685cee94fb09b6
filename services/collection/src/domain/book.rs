//! The working set of one batch: what was loaded under the locks, what was decided on it, and what is to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_events::Noted;
use auric_ids::{EquipmentId, EspritId, OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use auric_twophase::Log;

use super::{Catalog, Esprit, News, Part, Piece, Record, Team};

/// What every change of a player draws anew: what was read under another one is old.
pub type StateTag = [u8; 16];

/// What the store read after it had locked the players.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The database's clock, read after the locks were granted.
    pub now: Timestamp,
    /// Every locked player who is there.
    pub players: Vec<(PlayerId, Player)>,
    /// Every part that was taken before.
    pub parts: Vec<Part>,
    /// Every esprit that is there.
    pub esprits: Vec<Esprit>,
    /// Every piece of equipment of the players that it was asked for.
    pub pieces: Vec<Piece>,
    /// Every key that was used before.
    pub records: Vec<Record>,
    /// Those of the named catalogs that were in force on this database.
    pub catalogs: BTreeSet<CatalogHash>,
    /// Keys and operations that the collection coordinates.
    pub log: Log,
}

/// One locked player.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// Esprits that are there.
    pub esprits: u64,
    /// Esprits that open parts promise.
    pub promised: u64,
    /// The number of the newest esprit.
    pub last_number: u64,
    /// Pieces of equipment that are there.
    pub equipment: u64,
    /// Who is in the team.
    pub team: Team,
    /// Counts the changes of the team.
    pub team_version: u64,
    /// Counts the changes; 0 for a player who was never written.
    pub version: u64,
    /// The version as it was loaded.
    pub loaded_version: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// A part as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// The part.
    pub part: Part,
    /// Whether it was there before the batch: it was prepared then, and is so until it is written.
    pub is_known: bool,
}

/// An esprit as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspritRow {
    /// The esprit.
    pub esprit: Esprit,
    /// Its version as it was loaded; 0 for a new one.
    pub loaded_version: u64,
}

/// A piece of equipment as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceRow {
    /// The piece.
    pub piece: Piece,
    /// Its version as it was loaded; 0 for a new one.
    pub loaded_version: u64,
}

/// Everything that a batch decided, in the order of writing, each ascending.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Keys and their answers.
    pub records: Vec<Record>,
    /// Parts.
    pub parts: Vec<PartRow>,
    /// Esprits.
    pub esprits: Vec<EspritRow>,
    /// Pieces of equipment.
    pub pieces: Vec<PieceRow>,
    /// Players who changed.
    pub players: Vec<(PlayerId, Player)>,
    /// Operations that were begun or decided.
    pub log: Log,
    /// What happened, for others to follow.
    pub news: Vec<Noted<News>>,
    /// The lane of the outbox that it is told in.
    pub lane: i16,
    /// When.
    pub time: Timestamp,
}

/// The rules that a batch is decided by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The catalog in force.
    pub catalog: Arc<Catalog>,
}

/// The working set of one batch.
#[derive(Debug)]
pub struct Book {
    now: Timestamp,
    players: BTreeMap<PlayerId, Player>,
    loaded_teams: BTreeMap<PlayerId, u64>,
    parts: BTreeMap<OperationId, PartRow>,
    esprits: BTreeMap<(PlayerId, EspritId), EspritRow>,
    pieces: BTreeMap<(PlayerId, EquipmentId), PieceRow>,
    records: BTreeMap<MutationKey, Record>,
    catalogs: BTreeSet<CatalogHash>,
    /// Keys and operations that the collection coordinates.
    pub log: Log,
    written: Written,
}

/// What is new in the book.
#[derive(Debug, Default)]
struct Written {
    parts: BTreeSet<OperationId>,
    esprits: BTreeSet<(PlayerId, EspritId)>,
    pieces: BTreeSet<(PlayerId, EquipmentId)>,
    records: BTreeSet<MutationKey>,
}

impl Book {
    /// Opens the book on what was loaded.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        let part = |part: Part| (part.operation.clone(), PartRow { part, is_known: true });
        let esprit = |esprit: Esprit| {
            let loaded_version = esprit.version;
            ((esprit.player.clone(), esprit.id.clone()), EspritRow { esprit, loaded_version })
        };
        let piece = |piece: Piece| {
            let loaded_version = piece.version;
            ((piece.player.clone(), piece.id.clone()), PieceRow { piece, loaded_version })
        };
        Self {
            now: opened.now,
            loaded_teams: opened.players.iter().map(|(id, player)| (id.clone(), player.team_version)).collect(),
            players: opened.players.into_iter().collect(),
            parts: opened.parts.into_iter().map(part).collect(),
            esprits: opened.esprits.into_iter().map(esprit).collect(),
            pieces: opened.pieces.into_iter().map(piece).collect(),
            records: opened.records.into_iter().map(|record| (record.key.clone(), record)).collect(),
            catalogs: opened.catalogs,
            log: opened.log,
            written: Written::default(),
        }
    }

    /// The part of an operation, from before this batch or from it.
    #[must_use]
    pub fn part(&self, operation: &OperationId) -> Option<&Part> {
        self.parts.get(operation).map(|row| &row.part)
    }

    /// An esprit of a player, dissolved or not.
    #[must_use]
    pub fn esprit(&self, player: &PlayerId, id: &EspritId) -> Option<&Esprit> {
        self.esprits.get(&(player.clone(), id.clone())).map(|row| &row.esprit)
    }

    /// A piece of equipment of a player.
    #[must_use]
    pub fn piece(&self, player: &PlayerId, id: &EquipmentId) -> Option<&Piece> {
        self.pieces.get(&(player.clone(), id.clone())).map(|row| &row.piece)
    }

    /// All equipment of a player, in the order of ids.
    pub fn pieces<'a>(&'a self, player: &'a PlayerId) -> impl Iterator<Item = &'a Piece> {
        self.pieces.values().map(|row| &row.piece).filter(move |piece| piece.player == *player)
    }

    /// The answer that `key` got before this batch or in it.
    #[must_use]
    pub fn record(&self, key: &MutationKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// A locked player.
    #[must_use]
    pub fn player(&self, id: &PlayerId) -> Player {
        self.players.get(id).cloned().unwrap_or_default()
    }

    /// Whether a catalog, other than the one in force here, was in force on this database.
    #[must_use]
    pub fn has_catalog(&self, hash: CatalogHash) -> bool {
        self.catalogs.contains(&hash)
    }

    /// The time for a change of `player`: the database's clock, and never before the change that came before.
    #[must_use]
    pub fn time_for(&self, player: &PlayerId) -> Timestamp {
        self.players.get(player).map_or(self.now, |player| self.now.max(player.updated_at))
    }

    /// Keeps a part as it is to be.
    pub fn put_part(&mut self, part: Part) {
        let operation = part.operation.clone();
        let is_known = self.parts.get(&operation).is_some_and(|row| row.is_known);
        self.written.parts.insert(operation.clone());
        self.parts.insert(operation, PartRow { part, is_known });
    }

    /// Keeps an esprit as it is to be.
    pub fn put_esprit(&mut self, esprit: Esprit) {
        let key = (esprit.player.clone(), esprit.id.clone());
        let loaded_version = self.esprits.get(&key).map_or(0, |row| row.loaded_version);
        self.written.esprits.insert(key.clone());
        self.esprits.insert(key, EspritRow { esprit, loaded_version });
    }

    /// Keeps a piece of equipment as it is to be.
    pub fn put_piece(&mut self, piece: Piece) {
        let key = (piece.player.clone(), piece.id.clone());
        let loaded_version = self.pieces.get(&key).map_or(0, |row| row.loaded_version);
        self.written.pieces.insert(key.clone());
        self.pieces.insert(key, PieceRow { piece, loaded_version });
    }

    /// Keeps an answer under its key, for the twins in this batch and for the store.
    pub fn keep(&mut self, record: Record) {
        self.written.records.insert(record.key.clone());
        self.records.insert(record.key.clone(), record);
    }

    /// Keeps a player as it is to be, changed at `time`.
    pub fn put_player(&mut self, id: &PlayerId, player: Player, time: Timestamp) {
        let version = player.version.saturating_add(1);
        self.players.insert(id.clone(), Player { version, updated_at: time, ..player });
    }

    /// Closes the book: what is to be written.
    #[must_use]
    pub fn into_journal(mut self) -> Journal {
        let esprits: Vec<EspritRow> = self.written.esprits.iter().filter_map(|key| self.esprits.remove(key)).collect();
        let changed = |(_, player): &(PlayerId, Player)| player.version != player.loaded_version;
        let players: Vec<(PlayerId, Player)> = self.players.into_iter().filter(changed).collect();
        Journal {
            news: News::of(&esprits, &players, &self.loaded_teams),
            lane: 0,
            records: self.written.records.iter().filter_map(|key| self.records.remove(key)).collect(),
            pieces: self.written.pieces.iter().filter_map(|key| self.pieces.remove(key)).collect(),
            parts: self.written.parts.iter().filter_map(|key| self.parts.remove(key)).collect(),
            esprits,
            players,
            log: self.log,
            time: self.now,
        }
    }
}

impl Journal {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.parts.is_empty() && self.players.is_empty() && self.log.is_unchanged()
    }
}
