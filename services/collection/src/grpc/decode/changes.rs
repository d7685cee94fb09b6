//! Changes that are asked for under a key.

use std::collections::BTreeSet;

use auric_api::collection::v1 as api;
use auric_edge::Decoder;
use auric_ids::EquipmentId;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::verbs;
use crate::domain::{Action, Ask, Change, Keyed, PIECES_MAX};

/// A whole request: who asks, its trace, and what `keyed` decodes.
pub fn ask(
    method: &'static str,
    metadata: &MetadataMap,
    keyed: impl FnOnce() -> Result<Keyed, Status>,
) -> Result<Ask, Status> {
    verbs::ask(method, metadata, || keyed().map(Action::Keyed))
}

pub fn set_lock(request: &api::SetLockRequest) -> Result<Keyed, Status> {
    let mut decoder = Decoder::default();
    let esprit = decoder.id("esprit_id", &request.esprit_id);
    let change = esprit.map(|esprit| Change::SetLock { esprit, locked: request.locked });
    keyed(decoder, &request.idempotency_key, &request.player_id, request.expected_version, change)
}

pub fn set_team_slot(request: &api::SetTeamSlotRequest) -> Result<Keyed, Status> {
    let mut decoder = Decoder::default();
    let esprit = decoder.optional_id("esprit_id", &request.esprit_id);
    let slot = u32::try_from(request.slot).ok().filter(|slot| *slot > 0);
    if slot.is_none() {
        decoder.fault("slot", format!("must be at least 1, is {}", request.slot));
    }
    let change = slot.map(|slot| Change::SetTeamSlot { slot, esprit });
    keyed(decoder, &request.idempotency_key, &request.player_id, request.expected_version, change)
}

pub fn equip(request: &api::EquipRequest) -> Result<Keyed, Status> {
    let mut decoder = Decoder::default();
    let esprit = decoder.id("esprit_id", &request.esprit_id);
    let piece = decoder.id("equipment_id", &request.equipment_id);
    let change = esprit.zip(piece).map(|(esprit, piece)| Change::Equip { esprit, piece });
    keyed(decoder, &request.idempotency_key, &request.player_id, request.expected_version, change)
}

pub fn unequip(request: &api::UnequipRequest) -> Result<Keyed, Status> {
    let mut decoder = Decoder::default();
    let change = decoder.id("equipment_id", &request.equipment_id).map(|piece| Change::Unequip { piece });
    keyed(decoder, &request.idempotency_key, &request.player_id, request.expected_version, change)
}

pub fn grant_equipment(request: &api::GrantEquipmentRequest) -> Result<Keyed, Status> {
    let mut decoder = Decoder::default();
    let count = request.pieces.len();
    if !(1..=PIECES_MAX).contains(&count) {
        decoder.fault("pieces", format!("must have 1 to {PIECES_MAX}, has {count}"));
    }
    let mut seen: BTreeSet<EquipmentId> = BTreeSet::new();
    let mut pieces = Vec::new();
    for (index, piece) in request.pieces.iter().take(PIECES_MAX).enumerate() {
        let path = |field: &str| format!("pieces[{index}].{field}");
        let id: Option<EquipmentId> = decoder.id(&path("equipment_id"), &piece.equipment_id);
        let kind = decoder.id(&path("kind_id"), &piece.kind_id);
        let (Some(id), Some(kind)) = (id, kind) else { continue };
        if !seen.insert(id.clone()) {
            decoder.fault(path("equipment_id"), "is named twice");
        }
        pieces.push((id, kind));
    }
    let change = Some(Change::GrantEquipment { pieces });
    keyed(decoder, &request.idempotency_key, &request.player_id, 0, change)
}

fn keyed(
    mut decoder: Decoder,
    key: &str,
    player: &str,
    expected_version: i64,
    change: Option<Change>,
) -> Result<Keyed, Status> {
    let key = decoder.id("idempotency_key", key);
    let player = decoder.id("player_id", player);
    let expected = u64::try_from(expected_version);
    if expected.is_err() {
        decoder.fault("expected_version", format!("must be at least 0, is {expected_version}"));
    }
    let expected_version = expected.ok().filter(|version| *version > 0);
    let keyed = || Some(Keyed { key: key?, player: player?, change: change?, expected_version });
    decoder.finish(keyed())
}
