//! What coordinators ask, in few words.

use auric_catalog::CatalogHash;
use auric_collection::domain::{Action, Ask, Cancel, Change, Commit, Grant, Granted, Intent, Keyed, Outcome, Prepare};
use auric_ids::{OperationId, PlayerId};

/// The catalog of species and rarities that is in force in the tests.
pub const CATALOG: CatalogHash = CatalogHash::from_bytes([7; 32]);

/// A catalog that was never in force.
pub const STRANGE: CatalogHash = CatalogHash::from_bytes([9; 32]);

pub fn player(name: &str) -> PlayerId {
    name.parse().unwrap()
}

/// The name of the `number`th operation.
pub fn operation(number: u64) -> OperationId {
    format!("{number:032x}").parse().unwrap()
}

pub fn ask(action: Action) -> Ask {
    Ask { caller: "summon".parse().unwrap(), trace_id: "".parse().unwrap(), action }
}

/// The same, by another coordinator.
pub fn by(caller: &str, ask: Ask) -> Ask {
    Ask { caller: caller.parse().unwrap(), ..ask }
}

pub fn prepare(number: u64, name: &str, esprits: u32) -> Ask {
    prepare_under(CATALOG, number, name, esprits)
}

pub fn prepare_under(catalog: CatalogHash, number: u64, name: &str, esprits: u32) -> Ask {
    let intent = Intent::Grant { esprits };
    ask(Action::Prepare(Prepare { operation: operation(number), player: player(name), catalog, intent }))
}

/// A commit of `count` esprits, whose ids tell their operation and their place in it.
pub fn commit(number: u64, name: &str, count: usize) -> Ask {
    let ids: Vec<String> = (0..count).map(|place| esprit_id(number, place)).collect();
    commit_of(number, name, &ids)
}

pub fn commit_of(number: u64, name: &str, ids: &[String]) -> Ask {
    let granted = |id: &String| Granted { esprit: id.parse().unwrap(), species: "fox".parse().unwrap() };
    let outcome = Outcome::Grant(Grant { esprits: ids.iter().map(granted).collect() });
    ask(Action::Commit(Commit { operation: operation(number), player: player(name), outcome }))
}

pub fn cancel(number: u64, name: &str) -> Ask {
    ask(Action::Cancel(Cancel { operation: operation(number), player: player(name) }))
}

pub fn esprit_id(number: u64, place: usize) -> String {
    format!("{number:032x}-{place}")
}

/// A keyed request.
pub fn keyed(key: &str, name: &str, change: Change) -> Ask {
    let key = key.parse().unwrap();
    ask(Action::Keyed(Keyed { key, player: player(name), change, expected_version: None }))
}

/// The same, for one version only.
pub fn at(version: u64, ask: Ask) -> Ask {
    let Action::Keyed(keyed) = ask.action else { panic!("not a keyed request") };
    Ask { action: Action::Keyed(Keyed { expected_version: Some(version), ..keyed }), ..ask }
}

pub fn lock(key: &str, name: &str, esprit: &str, locked: bool) -> Ask {
    keyed(key, name, Change::SetLock { esprit: esprit.parse().unwrap(), locked })
}

pub fn team(key: &str, name: &str, slot: u32, esprit: Option<&str>) -> Ask {
    keyed(key, name, Change::SetTeamSlot { slot, esprit: esprit.map(|esprit| esprit.parse().unwrap()) })
}

pub fn equip(key: &str, name: &str, esprit: &str, piece: &str) -> Ask {
    keyed(key, name, Change::Equip { esprit: esprit.parse().unwrap(), piece: piece.parse().unwrap() })
}

pub fn unequip(key: &str, name: &str, piece: &str) -> Ask {
    keyed(key, name, Change::Unequip { piece: piece.parse().unwrap() })
}

/// Fangs, all of one slot.
pub fn grant(key: &str, name: &str, pieces: &[&str]) -> Ask {
    let pieces: Vec<(&str, &str)> = pieces.iter().map(|piece| (*piece, "fang")).collect();
    grant_of(key, name, &pieces)
}

pub fn grant_of(key: &str, name: &str, pieces: &[(&str, &str)]) -> Ask {
    let pieces = pieces.iter().map(|(piece, kind)| (piece.parse().unwrap(), kind.parse().unwrap())).collect();
    keyed(key, name, Change::GrantEquipment { pieces })
}
