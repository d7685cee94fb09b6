//! Answers one keyed request: the key is tested before any state, then the rules.

use auric_ids::{EquipmentId, EquipmentKindId, EspritId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;

use super::change::TEAM;
use super::{
    Ask, BadField, Book, Change, Changed, Esprit, Keyed, Piece, Player, Record, Refusal, Rejection, Rules, Verdict,
};

/// Why a change was not made.
enum Stop {
    /// A rule said no: kept under the key.
    Rejected(Rejection),
    /// Never decided: not kept.
    Refused(Refusal),
}

/// What a change is made on.
struct Desk<'a> {
    book: &'a mut Book,
    rules: &'a Rules,
    id: &'a PlayerId,
    time: Timestamp,
    player: Player,
    changed: Changed,
}

/// Decides `keyed` on `book` and keeps the answer there. Nothing of a refused change is left in the book but its answer.
pub fn decide_keyed(book: &mut Book, rules: &Rules, ask: &Ask, keyed: &Keyed) -> Verdict {
    let key = MutationKey { caller: ask.caller.clone(), key: keyed.key.clone() };
    let fingerprint = keyed.fingerprint();
    if let Some(first) = book.record(&key) {
        if let Some(outcome) = first.outcome.as_ref().filter(|_| first.fingerprint.digest == fingerprint.digest) {
            return Verdict::Answered { outcome: outcome.clone(), replayed: true };
        }
        let fields = fingerprint.differing_fields(&first.fingerprint);
        return Verdict::Refused(Refusal::KeyReused { fields, first_method: first.method.clone() });
    }
    let time = book.time_for(&keyed.player);
    let outcome = match Desk::new(book, rules, &keyed.player, time).change(keyed) {
        Ok(changed) => Ok(changed),
        Err(Stop::Rejected(rejection)) => Err(rejection),
        Err(Stop::Refused(refusal)) => return Verdict::Refused(refusal),
    };
    let method = keyed.change.method().to_owned();
    book.keep(Record { key, method, fingerprint, outcome: Some(outcome.clone()), time });
    Verdict::Answered { outcome, replayed: false }
}

impl<'a> Desk<'a> {
    fn new(book: &'a mut Book, rules: &'a Rules, id: &'a PlayerId, time: Timestamp) -> Self {
        let player = book.player(id);
        let (collection_version, versions) = (player.version, std::collections::BTreeMap::new());
        let changed = Changed { player: id.clone(), collection_version, versions, time };
        Self { book, rules, id, time, player, changed }
    }

    fn change(mut self, keyed: &Keyed) -> Result<Changed, Stop> {
        let expected = keyed.expected_version;
        let before = self.player.clone();
        let is_changed = match &keyed.change {
            Change::SetLock { esprit, locked } => self.set_lock(esprit, *locked, expected)?,
            Change::SetTeamSlot { slot, esprit } => self.set_team_slot(*slot, esprit.as_ref(), expected)?,
            Change::Equip { esprit, piece } => self.equip(esprit, piece, expected)?,
            Change::Unequip { piece } => self.unequip(piece, expected)?,
            Change::GrantEquipment { pieces } => self.grant(pieces)?,
        };
        if is_changed || self.player != before {
            self.book.put_player(self.id, self.player, self.time);
            self.changed.collection_version = self.book.player(self.id).version;
        }
        Ok(self.changed)
    }

    /// An esprit that may be changed.
    fn live(&self, id: &EspritId) -> Result<Esprit, Stop> {
        let Some(esprit) = self.book.esprit(self.id, id) else {
            return Err(Stop::Refused(Refusal::EspritNotFound { player: self.id.clone(), esprit: id.clone() }));
        };
        if let Some(dissolved_at) = esprit.dissolved_at {
            return Err(Stop::Rejected(Rejection::EspritDissolved { esprit: id.clone(), dissolved_at }));
        }
        if let Some(operation) = &esprit.busy {
            let (esprit, operation) = (id.clone(), operation.clone());
            return Err(Stop::Refused(Refusal::EspritBusy { esprit, operation }));
        }
        Ok(esprit.clone())
    }

    fn piece(&self, id: &EquipmentId) -> Result<Piece, Stop> {
        let missing = || Stop::Refused(Refusal::EquipmentNotFound { player: self.id.clone(), piece: id.clone() });
        self.book.piece(self.id, id).cloned().ok_or_else(missing)
    }

    /// Tests the version of `id`, and notes it as the one that it has now.
    fn expect(&mut self, id: &str, expected: Option<u64>, found: u64) -> Result<(), Stop> {
        self.changed.versions.insert(id.to_owned(), found);
        match expected {
            Some(expected) if expected != found => {
                Err(Stop::Rejected(Rejection::StaleVersion { id: id.to_owned(), expected, found }))
            }
            _ => Ok(()),
        }
    }

    fn set_lock(&mut self, id: &EspritId, locked: bool, expected: Option<u64>) -> Result<bool, Stop> {
        let esprit = self.live(id)?;
        self.expect(id.as_str(), expected, esprit.version)?;
        if esprit.locked == locked {
            return Ok(false);
        }
        let version = esprit.version.saturating_add(1);
        self.changed.versions.insert(id.to_string(), version);
        self.book.put_esprit(Esprit { locked, version, updated_at: self.time, ..esprit });
        Ok(true)
    }

    fn set_team_slot(&mut self, slot: u32, id: Option<&EspritId>, expected: Option<u64>) -> Result<bool, Stop> {
        let size = self.rules.catalog.settings.team_size;
        if slot == 0 || usize::try_from(slot).is_ok_and(|slot| slot > size) {
            return Err(Stop::invalid("slot", format!("must be 1 to {size}, is {slot}")));
        }
        if let Some(id) = id {
            self.live(id)?;
        }
        self.expect(TEAM, expected, self.player.team_version)?;
        let mut team = self.player.team.clone();
        team.retain(|place, member| *place != slot && Some(&*member) != id);
        team.extend(id.map(|id| (slot, id.clone())));
        if team != self.player.team {
            self.player.team = team;
            self.player.team_version = self.player.team_version.saturating_add(1);
            self.changed.versions.insert(TEAM.to_owned(), self.player.team_version);
        }
        Ok(false)
    }

    fn equip(&mut self, esprit: &EspritId, id: &EquipmentId, expected: Option<u64>) -> Result<bool, Stop> {
        self.live(esprit)?;
        let piece = self.piece(id)?;
        self.expect(id.as_str(), expected, piece.version)?;
        let slot_of = |kind: &EquipmentKindId| self.rules.catalog.equipment.get(kind).map(|kind| &kind.slot);
        let Some(slot) = slot_of(&piece.kind) else {
            let fault = format!("is a {}, which the catalog does not know", piece.kind);
            return Err(Stop::invalid("equipment_id", fault));
        };
        if piece.esprit.as_ref() == Some(esprit) {
            return Ok(false);
        }
        let in_the_way: Vec<Piece> = self
            .book
            .pieces(self.id)
            .filter(|other| other.esprit.as_ref() == Some(esprit) && slot_of(&other.kind) == Some(slot))
            .cloned()
            .collect();
        for other in in_the_way {
            self.wear(other, None);
        }
        self.wear(piece, Some(esprit.clone()));
        Ok(true)
    }

    fn unequip(&mut self, id: &EquipmentId, expected: Option<u64>) -> Result<bool, Stop> {
        let piece = self.piece(id)?;
        self.expect(id.as_str(), expected, piece.version)?;
        if piece.esprit.is_none() {
            return Ok(false);
        }
        self.wear(piece, None);
        Ok(true)
    }

    fn wear(&mut self, piece: Piece, esprit: Option<EspritId>) {
        let version = piece.version.saturating_add(1);
        self.changed.versions.insert(piece.id.to_string(), version);
        self.book.put_piece(Piece { esprit, version, updated_at: self.time, ..piece });
    }

    fn grant(&mut self, pieces: &[(EquipmentId, EquipmentKindId)]) -> Result<bool, Stop> {
        let mut bad = Vec::new();
        for (index, (piece, kind)) in pieces.iter().enumerate() {
            if !self.rules.catalog.equipment.contains_key(kind) {
                bad.push(BadField::new(format!("pieces[{index}].kind_id"), format!("{kind} is not in the catalog")));
            }
            if self.book.piece(self.id, piece).is_some() {
                bad.push(BadField::new(format!("pieces[{index}].equipment_id"), "is a piece that the player has"));
            }
        }
        if !bad.is_empty() {
            return Err(Stop::Refused(Refusal::Invalid(bad)));
        }
        let (asked, maximum) =
            (u64::try_from(pieces.len()).unwrap_or(u64::MAX), self.rules.catalog.settings.equipment_max);
        let there = self.player.equipment;
        if there.saturating_add(asked) > maximum {
            let player = self.id.clone();
            return Err(Stop::Rejected(Rejection::EquipmentFull { player, pieces: there, asked, maximum }));
        }
        for (id, kind) in pieces {
            self.changed.versions.insert(id.to_string(), 1);
            self.book.put_piece(Piece {
                id: id.clone(),
                player: self.id.clone(),
                kind: kind.clone(),
                esprit: None,
                version: 1,
                created_at: self.time,
                updated_at: self.time,
            });
        }
        self.player.equipment = there.saturating_add(asked);
        Ok(true)
    }
}

impl Stop {
    fn invalid(path: &str, fault: impl Into<String>) -> Self {
        Self::Refused(Refusal::Invalid(vec![BadField::new(path, fault)]))
    }
}
