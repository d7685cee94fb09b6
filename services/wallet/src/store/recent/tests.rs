use std::collections::BTreeMap;
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_money::Amount;
use auric_time::Timestamp;

use super::*;
use crate::domain::{Assets, Balance, Context, HeldPart, Hold, HoldLeg, HoldState, Note, Posted};

fn head(number: u64) -> Head {
    let byte = u8::try_from(number).unwrap();
    Head { number, hash: [byte; 32], time: Timestamp::EPOCH }
}

fn player(name: &str, loaded: u64, now: u64) -> (PlayerId, Player) {
    (name.parse().unwrap(), Player { loaded: head(loaded), head: head(now), ..Player::default() })
}

fn balance(name: &str, asset: &str, units: u64) -> (BalanceKey, Row) {
    let key = BalanceKey::plain(&name.parse().unwrap(), &asset.parse().unwrap());
    (key, Row { balance: Balance::from_parts([units, 0, 0, 0]).unwrap(), version: 1, ..Row::default() })
}

fn journal(players: Vec<(PlayerId, Player)>, balances: Vec<(BalanceKey, Row)>) -> Journal {
    Journal { balances, players, ..Journal::default() }
}

fn written(recent: &Recent, journal: &Journal) {
    let forgotten = recent.forget(journal);
    recent.keep(forgotten, journal.clone());
}

/// What is known of `asset` for each of `players`, in their order; nothing where it must be looked up.
fn units(recent: &Recent, players: &[(PlayerId, Player)], asset: &str) -> Vec<Option<u64>> {
    let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
    let mut keys = BatchKeys::new(&Arc::new(no_assets));
    for (id, _) in players {
        keys.add_view(id, &asset.parse().unwrap());
    }
    let known = recent.balances(players, &keys);
    let of = |id: &PlayerId| known.rows.iter().find(|(key, _)| key.player == *id);
    let found: Vec<_> = players.iter().map(|(id, _)| of(id).map(|(_, row)| row.balance.available_units())).collect();
    assert_eq!(known.rest.len(), found.iter().filter(|units| units.is_none()).count());
    found
}

#[test]
fn what_was_written_is_known_under_the_head_that_was_written_with_it() {
    let recent = Recent::default();
    let both = vec![balance("a", "lumees", 10), balance("b", "lumees", 20), balance("b", "shards", 3)];
    written(&recent, &journal(vec![player("a", 0, 1), player("b", 0, 2)], both));
    let now = [player("a", 1, 1), player("b", 2, 2)];
    assert_eq!(units(&recent, &now, "lumees"), [Some(10), Some(20)]);
    assert_eq!(units(&recent, &now, "shards"), [None, Some(3)]);
    assert_eq!(units(&recent, &now, "aether"), [None, None]);
}

#[test]
fn under_another_head_nothing_is_known() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    // Another copy wrote since.
    assert_eq!(units(&recent, &[player("a", 2, 2)], "lumees"), [None]);
    // What this copy writes on top of that does not make the rest known again.
    written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 7)]));
    let now = [player("a", 3, 3)];
    assert_eq!((units(&recent, &now, "lumees"), units(&recent, &now, "shards")), (vec![None], vec![Some(7)]));
}

#[test]
fn what_is_written_on_top_of_what_is_known_keeps_the_rest() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    written(&recent, &journal(vec![player("a", 1, 2)], vec![balance("a", "shards", 7)]));
    written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 8)]));
    let now = [player("a", 3, 3)];
    assert_eq!((units(&recent, &now, "lumees"), units(&recent, &now, "shards")), (vec![Some(10)], vec![Some(8)]));
}

#[test]
fn a_write_that_came_to_nothing_leaves_nothing_known() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    let failed = recent.forget(&journal(vec![player("a", 1, 2)], vec![balance("a", "lumees", 11)]));
    drop(failed);
    assert_eq!(units(&recent, &[player("a", 1, 1)], "lumees"), [None]);
    assert_eq!(units(&recent, &[player("a", 2, 2)], "lumees"), [None]);
}

#[test]
fn what_can_change_without_an_entry_is_not_remembered() {
    let recent = Recent::default();
    let (plain, row) = balance("a", "credit", 10);
    let pooled = BalanceKey { pool: "bulk".parse().unwrap(), ..plain.clone() };
    for (key, row) in [(pooled, row), (plain.clone(), Row { generation: 1, ..row }), (plain, Row { period: 1, ..row })]
    {
        written(&recent, &journal(vec![player("a", 0, 1)], vec![(key, row)]));
        assert_eq!(units(&recent, &[player("a", 1, 1)], "credit"), [None]);
    }
}

fn hold(name: &str, id: &str, state: HoldState, version: u64) -> HoldRow {
    let key = BalanceKey::plain(&name.parse().unwrap(), &"lumees".parse().unwrap());
    let leg =
        HoldLeg { amount: Amount::new(5).unwrap(), from: vec![HeldPart { key, units: 5, generation: 0 }], to: None };
    let hold = Hold {
        id: id.parse().unwrap(),
        caller: "summon".parse().unwrap(),
        made_under: "k".parse().unwrap(),
        legs: vec![leg],
        whole: false,
        expires_at: None,
        note: Note { reason: "summon.pull".parse().unwrap(), context: Context::new() },
        asked: [0; 32],
        reserved: Posted::default(),
        state,
    };
    HoldRow { hold, version }
}

/// Whether the hold is known of `player` under the head of that number.
fn knows(recent: &Recent, id: &str, name: &str, number: u64) -> bool {
    let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
    let mut keys = BatchKeys::new(&Arc::new(no_assets));
    let named = HoldKey { player: Some(name.parse().unwrap()), is_made: false };
    keys.holds.insert(id.parse().unwrap(), named);
    let known = recent.holds(&[player(name, number, number)], &keys);
    assert_eq!(known.rows.len() + known.rest.len(), 1);
    !known.rows.is_empty()
}

fn of_holds(players: Vec<(PlayerId, Player)>, holds: Vec<HoldRow>) -> Journal {
    Journal { holds, players, ..Journal::default() }
}

#[test]
fn an_open_hold_is_known_until_it_ends_and_under_its_players_head_alone() {
    let recent = Recent::default();
    let made = vec![hold("b", "h1", HoldState::Held, 1), hold("a", "h2", HoldState::Held, 1)];
    written(&recent, &of_holds(vec![player("a", 0, 1), player("b", 0, 1)], made));
    assert!(knows(&recent, "h1", "b", 1) && knows(&recent, "h2", "a", 1));
    assert!(!knows(&recent, "h1", "a", 1) && !knows(&recent, "h3", "b", 1));
    assert!(!knows(&recent, "h1", "b", 2), "another copy wrote since");
    // What this copy writes on top of what it knows keeps the hold; its end does not.
    written(&recent, &journal(vec![player("b", 1, 2)], vec![balance("b", "lumees", 10)]));
    assert!(knows(&recent, "h1", "b", 2));
    let ended = HoldState::Released { answer: Posted::default() };
    written(&recent, &of_holds(vec![player("b", 2, 3)], vec![hold("b", "h1", ended, 2)]));
    assert!(!knows(&recent, "h1", "b", 3));
    assert_eq!(units(&recent, &[player("b", 3, 3)], "lumees"), [Some(10)]);
}

#[test]
fn holds_weigh_more_than_their_players() {
    let recent = Recent::of_at_most(2 + HOLD_WEIGHT);
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    written(&recent, &of_holds(vec![player("b", 0, 1)], vec![hold("b", "h1", HoldState::Held, 1)]));
    assert_eq!(units(&recent, &[player("a", 1, 1)], "lumees"), [Some(10)], "both have room");
    written(&recent, &of_holds(vec![player("c", 0, 1)], vec![hold("c", "h2", HoldState::Held, 1)]));
    assert!(!knows(&recent, "h1", "b", 1) && knows(&recent, "h2", "c", 1));
}

#[test]
fn no_more_players_are_remembered_than_may_be() {
    let recent = Recent::of_at_most(2);
    for name in ["a", "b", "c"] {
        written(&recent, &journal(vec![player(name, 0, 1)], vec![balance(name, "lumees", 10)]));
    }
    let now = ["a", "b", "c"].map(|name| player(name, 1, 1));
    assert_eq!(units(&recent, &now, "lumees"), [None, Some(10), Some(10)]);
}

/// What is to be known of `asset` for each of `names`.
fn keys_of(names: &[&str], asset: &str) -> BatchKeys {
    let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
    let mut keys = BatchKeys::new(&Arc::new(no_assets));
    for name in names {
        keys.add_view(&name.parse().unwrap(), &asset.parse().unwrap());
    }
    keys
}

#[test]
fn a_batch_is_decided_on_memory_only_when_all_of_it_is_remembered() {
    let recent = Recent::default();
    let both = vec![balance("a", "lumees", 10), balance("b", "lumees", 20)];
    written(&recent, &journal(vec![player("a", 0, 1), player("b", 0, 2)], both.clone()));
    let (_, opened) = recent.all(&mut keys_of(&["a", "b"], "lumees")).unwrap();
    assert_eq!(opened.players, [player("a", 1, 1), player("b", 2, 2)]);
    assert_eq!(opened.balances, both);
    assert!(recent.all(&mut keys_of(&["a", "c"], "lumees")).is_none(), "a player");
    assert!(recent.all(&mut keys_of(&["a"], "shards")).is_none(), "a balance");

    let with_hold = |id: &str, is_made| {
        let mut keys = keys_of(&["a"], "lumees");
        keys.holds.insert(id.parse().unwrap(), HoldKey { player: Some("a".parse().unwrap()), is_made });
        recent.all(&mut keys)
    };
    assert!(with_hold("h1", false).is_none(), "a hold that is ended");
    assert_eq!(with_hold("h1", true).unwrap().0.untested_holds(&Journal::default()), [&"h1".parse().unwrap()]);
    written(&recent, &of_holds(vec![player("a", 1, 2)], vec![hold("a", "h1", HoldState::Held, 1)]));
    assert_eq!(with_hold("h1", false).unwrap().1.holds.len(), 1);
}

#[test]
fn memory_is_in_doubt_for_a_while_when_another_copy_was_seen() {
    let recent = Recent::default();
    let again = |from, to| written(&recent, &journal(vec![player("a", from, to)], vec![balance("a", "lumees", 10)]));
    let refused = || std::iter::from_fn(|| recent.all(&mut keys_of(&["a"], "lumees")).is_none().then_some(())).count();
    again(0, 1);
    assert_eq!(refused(), 0);
    assert_eq!(units(&recent, &[player("a", 2, 2)], "lumees"), [None]);
    assert_eq!(refused(), usize::try_from(DOUBT).unwrap(), "a read found out");

    let (assumed, _) = recent.all(&mut keys_of(&["a"], "lumees")).unwrap();
    recent.refuted(&assumed, &StoreError::version(1, 0));
    assert_eq!(units(&recent, &[player("a", 1, 1)], "lumees"), [None], "what was wrong is forgotten");
    again(0, 1);
    assert_eq!(refused(), usize::try_from(DOUBT).unwrap(), "a commit found out");

    let there = [hold("b", "h1", HoldState::Held, 1)];
    recent.refuted(&assumed, &Assumed::compare_holds(&there).unwrap_err());
    again(0, 1);
    assert_eq!(refused(), 0, "a hold that is there says nothing of the heads");
}

#[test]
fn a_hold_that_may_lapse_before_the_locks_is_looked_for_behind_them() {
    let now = Timestamp::from_micros(1_000_000_000);
    let suffices = |next_expiry: Option<i64>| {
        let next_expiry = next_expiry.map(|micros| now.plus_micros(micros));
        let players = vec![player("a", 1, 1), ("b".parse().unwrap(), Player { next_expiry, ..Player::default() })];
        Assumed::suffices(&Opened { now, players, ..Opened::default() })
    };
    assert!(suffices(None) && suffices(Some(60_000_000)));
    assert!(!suffices(Some(29_000_000)) && !suffices(Some(0)) && !suffices(Some(-1)));
}

#[test]
fn heads_that_moved_are_found() {
    let recent = Recent::default();
    let both = vec![balance("a", "lumees", 10), balance("b", "lumees", 20)];
    written(&recent, &journal(vec![player("a", 0, 1), player("b", 0, 1)], both));
    let (assumed, _) = recent.all(&mut keys_of(&["a", "b"], "lumees")).unwrap();
    assert!(assumed.compare(&[player("a", 1, 1), player("b", 1, 1)]).is_ok());
    assert!(assumed.compare(&[player("a", 1, 1), player("b", 2, 2)]).is_err());
    assert!(assumed.compare(&[player("a", 1, 1)]).is_err());
    assert!(assumed.is_tested_by(&journal(vec![player("a", 1, 2), player("b", 1, 2)], Vec::new())));
    assert!(!assumed.is_tested_by(&journal(vec![player("a", 1, 2)], Vec::new())));
}
