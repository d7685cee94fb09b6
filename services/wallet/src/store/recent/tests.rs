use std::collections::BTreeMap;
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_money::Amount;
use auric_time::Timestamp;

use super::*;
use crate::domain::{
    Assets, Balance, Context, HeldPart, Hold, HoldLeg, HoldState, HoldTerms, MutationKey, Note, Posted,
};

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

/// What is to be known of `asset` for each of `names`.
fn keys_of(names: &[&str], asset: &str) -> BatchKeys {
    let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
    let mut keys = BatchKeys::new(&Arc::new(no_assets));
    for name in names {
        keys.add_view(&name.parse().unwrap(), &asset.parse().unwrap());
    }
    keys
}

/// The number of the head, and what there is of `asset`, as remembered of the player; nothing where it must be looked up.
fn units(recent: &Recent, name: &str, asset: &str) -> Option<(u64, u64)> {
    let (_, opened) = recent.all(&mut keys_of(&[name], asset))?;
    let ([(_, player)], [(_, row)]) = (opened.players.as_slice(), opened.balances.as_slice()) else {
        panic!("{opened:?}");
    };
    Some((player.loaded.number, row.balance.available_units()))
}

#[test]
fn what_was_written_is_known_under_the_head_that_was_written_with_it() {
    let recent = Recent::default();
    let both = vec![balance("a", "lumees", 10), balance("b", "lumees", 20), balance("b", "shards", 3)];
    written(&recent, &journal(vec![player("a", 0, 1), player("b", 0, 2)], both));
    assert_eq!(["a", "b", "c"].map(|name| units(&recent, name, "lumees")), [Some((1, 10)), Some((2, 20)), None]);
    assert_eq!(["a", "b"].map(|name| units(&recent, name, "shards")), [None, Some((2, 3))]);
}

#[test]
fn what_another_copy_wrote_over_is_not_known() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    // Another copy wrote number 2. What this copy writes on top of that does not make the rest known again.
    written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 7)]));
    assert_eq!((units(&recent, "a", "lumees"), units(&recent, "a", "shards")), (None, Some((3, 7))));
}

#[test]
fn what_is_written_on_top_of_what_is_known_keeps_the_rest() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    written(&recent, &journal(vec![player("a", 1, 2)], vec![balance("a", "shards", 7)]));
    written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 8)]));
    assert_eq!((units(&recent, "a", "lumees"), units(&recent, "a", "shards")), (Some((3, 10)), Some((3, 8))));
}

#[test]
fn a_write_that_came_to_nothing_leaves_nothing_known() {
    let recent = Recent::default();
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    drop(recent.forget(&journal(vec![player("a", 1, 2)], vec![balance("a", "lumees", 11)])));
    assert_eq!(units(&recent, "a", "lumees"), None);
}

#[test]
fn what_can_change_without_an_entry_is_not_remembered() {
    let recent = Recent::default();
    let (plain, row) = balance("a", "credit", 10);
    let pooled = BalanceKey { pool: "bulk".parse().unwrap(), ..plain.clone() };
    for (key, row) in [(pooled, row), (plain.clone(), Row { generation: 1, ..row }), (plain, Row { period: 1, ..row })]
    {
        written(&recent, &journal(vec![player("a", 0, 1)], vec![(key, row)]));
        assert_eq!(units(&recent, "a", "credit"), None);
    }
}

fn hold(name: &str, id: &str, state: HoldState, version: u64) -> HoldRow {
    let key = BalanceKey::plain(&name.parse().unwrap(), &"lumees".parse().unwrap());
    let leg =
        HoldLeg { amount: Amount::new(5).unwrap(), from: vec![HeldPart { key, units: 5, generation: 0 }], to: None };
    let note = Note { reason: "summon.pull".parse().unwrap(), context: Context::new() };
    let hold = Hold {
        id: id.parse().unwrap(),
        caller: "summon".parse().unwrap(),
        made_under: "k".parse().unwrap(),
        terms: Arc::new(HoldTerms { legs: vec![leg], whole: false, note }),
        expires_at: None,
        asked: [0; 32],
        reserved: Posted::default(),
        state,
    };
    HoldRow { hold: Arc::new(hold), version }
}

/// Whether the hold is known of `player`.
fn knows(recent: &Recent, id: &str, name: &str) -> bool {
    let mut keys = keys_of(&[], "lumees");
    let player: PlayerId = name.parse().unwrap();
    keys.players.insert(player.clone());
    keys.holds.insert(id.parse().unwrap(), HoldKey { player: Some(player), is_made: true });
    // What the hold set aside need not be known here.
    let found = recent.kept().players.peek(&name.parse::<PlayerId>().unwrap()).cloned();
    let known = found.is_some_and(|it| it.holds.iter().any(|row| row.hold.id.as_str() == id));
    if let Some((assumed, opened)) = recent.all(&mut keys) {
        assert_eq!((opened.holds.len(), assumed.absent.len()), (usize::from(known), usize::from(!known)));
    }
    known
}

fn of_holds(players: Vec<(PlayerId, Player)>, holds: Vec<HoldRow>) -> Journal {
    Journal { holds, players, ..Journal::default() }
}

#[test]
fn an_open_hold_is_known_until_it_ends() {
    let recent = Recent::default();
    let made = vec![hold("b", "h1", HoldState::Held, 1), hold("a", "h2", HoldState::Held, 1)];
    written(&recent, &of_holds(vec![player("a", 0, 1), player("b", 0, 1)], made));
    assert!(knows(&recent, "h1", "b") && knows(&recent, "h2", "a"));
    assert!(!knows(&recent, "h1", "a") && !knows(&recent, "h3", "b"));
    // What this copy writes on top of what it knows keeps the hold; its end does not.
    written(&recent, &journal(vec![player("b", 1, 2)], vec![balance("b", "lumees", 10)]));
    assert!(knows(&recent, "h1", "b"));
    let under = MutationKey { caller: "summon".parse().unwrap(), key: "k/release".parse().unwrap() };
    let ended = HoldState::Released { under, answer: Posted::default() };
    written(&recent, &of_holds(vec![player("b", 2, 3)], vec![hold("b", "h1", ended, 2)]));
    assert!(!knows(&recent, "h1", "b"));
    assert_eq!(units(&recent, "b", "lumees"), Some((3, 10)));
    // Another copy wrote number 4.
    written(&recent, &of_holds(vec![player("b", 4, 5)], vec![hold("b", "h3", HoldState::Held, 1)]));
    written(&recent, &of_holds(vec![player("b", 6, 7)], vec![hold("b", "h4", HoldState::Held, 1)]));
    assert!(!knows(&recent, "h3", "b") && knows(&recent, "h4", "b"));
}

#[test]
fn holds_weigh_more_than_their_players() {
    let recent = Recent::of_at_most(2 + HOLD_WEIGHT);
    written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
    written(&recent, &of_holds(vec![player("b", 0, 1)], vec![hold("b", "h1", HoldState::Held, 1)]));
    assert_eq!(units(&recent, "a", "lumees"), Some((1, 10)), "both have room");
    written(&recent, &of_holds(vec![player("c", 0, 1)], vec![hold("c", "h2", HoldState::Held, 1)]));
    assert!(!knows(&recent, "h1", "b") && knows(&recent, "h2", "c"));
}

#[test]
fn no_more_players_are_remembered_than_may_be() {
    let recent = Recent::of_at_most(2);
    for name in ["a", "b", "c"] {
        written(&recent, &journal(vec![player(name, 0, 1)], vec![balance(name, "lumees", 10)]));
    }
    assert_eq!(["a", "b", "c"].map(|name| units(&recent, name, "lumees")), [None, Some((1, 10)), Some((1, 10))]);
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
    recent.meet(&[player("a", 1, 1), player("b", 2, 2)]);
    assert_eq!(refused(), 0, "as it was");
    recent.meet(&[player("a", 2, 2)]);
    again(2, 3);
    assert_eq!(refused(), usize::try_from(DOUBT).unwrap(), "a read found out");

    let (assumed, _) = recent.all(&mut keys_of(&["a"], "lumees")).unwrap();
    recent.refuted(&assumed, &StoreError::version(1, 0));
    assert!(recent.kept().players.is_empty(), "what was wrong is forgotten");
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
    assert!(!assumed.is_tested_by(&journal(vec![player("a", 1, 2), player("b", 1, 1)], Vec::new())));
    // A row of a player is written behind its lock.
    let (name, expiring) = player("b", 1, 2);
    let expiring = Player { next_expiry: Some(Timestamp::EPOCH), ..expiring };
    assert!(!assumed.is_tested_by(&journal(vec![player("a", 1, 2), (name, expiring)], Vec::new())));
}
