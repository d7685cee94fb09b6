//! What players and games change under a key: locks, teams, equipment (R-C1, R-C3, R-W5, R-W12).

use std::sync::Arc;

use auric_collection::Handlers;
use auric_collection::domain::{Ask, Portrait, Refusal, Rejection, Verdict, View};

use crate::asks::{
    at, commit, equip, esprit_id, grant, grant_of, keyed, lock, operation, player, prepare, team, unequip,
};
use crate::harness::{Shelf, answered, done, on_every_store, refused, send};

on_every_store!(
    a_key_has_one_effect_and_one_answer,
    a_stale_version_is_refused_and_the_fresh_one_taken,
    an_esprit_wears_one_piece_a_slot,
    a_team_has_each_esprit_once,
    strength_is_of_what_is_worn_now,
    what_is_not_there_is_said_and_not_stored,
    an_esprit_that_is_busy_waits_for_its_operation,
    one_that_was_dissolved_is_left_alone,
    equipment_has_its_bound,
    a_storm_on_one_player_keeps_every_rule,
);

async fn owner(shelf: &Shelf, count: usize) -> Arc<Handlers> {
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", u32::try_from(count).unwrap())).await;
    done(&collection, commit(1, "p", count)).await;
    collection
}

async fn portrait(collection: &Handlers) -> Arc<Portrait> {
    collection.portrait(&player("p")).await.unwrap()
}

/// Who wears which piece.
async fn worn(collection: &Handlers) -> Vec<(String, String)> {
    let portrait = portrait(collection).await;
    let worn =
        portrait.pieces.iter().filter_map(|piece| Some((piece.id.to_string(), piece.esprit.as_ref()?.to_string())));
    worn.collect()
}

async fn a_key_has_one_effect_and_one_answer(shelf: Shelf) {
    let collection = owner(&shelf, 1).await;
    let id = esprit_id(1, 0);
    let first = answered(&collection, lock("k", "p", &id, true)).await;
    assert_eq!(first.as_ref().unwrap().versions[&id], 2);
    answered(&collection, lock("other", "p", &id, false)).await.unwrap();
    // The twin comes late: it is told what the first was told, and nothing is locked again.
    let late = send(&shelf.copy().await.clone(), lock("k", "p", &id, true)).await;
    assert_eq!(late, Verdict::Answered { outcome: first, replayed: true });
    assert!(!portrait(&collection).await.esprits[0].locked);
    let Refusal::KeyReused { fields, first_method } = refused(&collection, lock("k", "p", &id, false)).await else {
        panic!("the key was taken for another request");
    };
    assert_eq!((fields, first_method.as_str()), (vec!["locked".to_owned()], "SetLock"));
    let again = answered(&collection, lock("again", "p", &id, false)).await.unwrap();
    assert_eq!((again.versions[&id], again.collection_version), (3, 4), "what is so already changes nothing");
    shelf.assert_whole().await;
}

async fn a_stale_version_is_refused_and_the_fresh_one_taken(shelf: Shelf) {
    let collection = owner(&shelf, 1).await;
    let id = esprit_id(1, 0);
    answered(&collection, at(1, lock("a", "p", &id, true))).await.unwrap();
    let stale = Rejection::StaleVersion { id: id.clone(), expected: 1, found: 2 };
    assert_eq!(answered(&collection, at(1, lock("b", "p", &id, false))).await, Err(stale.clone()));
    answered(&collection, at(2, lock("c", "p", &id, false))).await.unwrap();
    assert_eq!(answered(&collection, at(1, lock("b", "p", &id, false))).await, Err(stale), "the first answer, again");
    answered(&collection, at(1, team("t1", "p", 1, Some(&id)))).await.unwrap_err();
    answered(&collection, team("t2", "p", 1, Some(&id))).await.unwrap();
    answered(&collection, at(1, team("t3", "p", 1, None))).await.unwrap();
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    answered(&collection, at(1, equip("e1", "p", &id, "a"))).await.unwrap();
    let stale = Rejection::StaleVersion { id: "a".to_owned(), expected: 1, found: 2 };
    assert_eq!(answered(&collection, at(1, unequip("e2", "p", "a"))).await, Err(stale));
    shelf.assert_whole().await;
}

async fn an_esprit_wears_one_piece_a_slot(shelf: Shelf) {
    let collection = owner(&shelf, 2).await;
    let [one, two] = [esprit_id(1, 0), esprit_id(1, 1)];
    let pieces = [("a", "fang"), ("b", "lance"), ("m", "mail")];
    answered(&collection, grant_of("g", "p", &pieces)).await.unwrap();
    let on = |piece: &str, esprit: &String| (piece.to_owned(), esprit.clone());
    answered(&collection, equip("1", "p", &one, "a")).await.unwrap();
    answered(&collection, equip("2", "p", &one, "m")).await.unwrap();
    assert_eq!(worn(&collection).await, [on("a", &one), on("m", &one)], "an armor is no weapon");
    let swapped = answered(&collection, equip("3", "p", &one, "b")).await.unwrap();
    assert_eq!(worn(&collection).await, [on("b", &one), on("m", &one)], "what was in the slot is put away");
    assert_eq!((swapped.versions["a"], swapped.versions["b"]), (3, 2));
    answered(&collection, equip("4", "p", &two, "b")).await.unwrap();
    assert_eq!(worn(&collection).await, [on("b", &two), on("m", &one)], "a piece has one wearer");
    answered(&collection, unequip("5", "p", "b")).await.unwrap();
    let nothing = answered(&collection, unequip("6", "p", "b")).await.unwrap();
    assert_eq!(worn(&collection).await, [on("m", &one)]);
    assert_eq!(nothing.versions["b"], 4, "what is put away already is not changed");
    shelf.assert_whole().await;
}

async fn a_team_has_each_esprit_once(shelf: Shelf) {
    // R-C3
    let collection = owner(&shelf, 3).await;
    let ids = [esprit_id(1, 0), esprit_id(1, 1), esprit_id(1, 2)];
    let members = async || -> Vec<(u32, String)> {
        portrait(&collection).await.team.iter().map(|(slot, id)| (*slot, id.to_string())).collect()
    };
    answered(&collection, team("1", "p", 1, Some(&ids[0]))).await.unwrap();
    answered(&collection, team("2", "p", 2, Some(&ids[1]))).await.unwrap();
    answered(&collection, team("3", "p", 3, Some(&ids[0]))).await.unwrap();
    assert_eq!(members().await, [(2, ids[1].clone()), (3, ids[0].clone())], "it left its other place");
    answered(&collection, team("4", "p", 3, Some(&ids[2]))).await.unwrap();
    answered(&collection, team("5", "p", 2, None)).await.unwrap();
    let same = answered(&collection, team("6", "p", 2, None)).await.unwrap();
    assert_eq!(members().await, [(3, ids[2].clone())]);
    assert_eq!(same.versions["team"], 5, "an empty place that is emptied changes nothing");
    for slot in [0, 4] {
        let Refusal::Invalid(fields) = refused(&collection, team("7", "p", slot, None)).await else { panic!("taken") };
        assert_eq!(fields[0].path, "slot");
    }
    shelf.assert_whole().await;
}

async fn strength_is_of_what_is_worn_now(shelf: Shelf) {
    // R-C2: by hand, as the formulas have it: 79 at level 1; 10 attack more are 22 power more.
    let collection = owner(&shelf, 2).await;
    let [one, two] = [esprit_id(1, 0), esprit_id(1, 1)];
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    let worth = async || {
        let portrait = portrait(&collection).await;
        let view = View::new(portrait, Arc::clone(&shelf.rules.catalog));
        let power = |id: &String| view.sheet(view.esprit(&id.parse().unwrap()).unwrap()).unwrap().power;
        (power(&one), power(&two), view.team_power().total, view.best_team().power.total, view.profile().best_power)
    };
    assert_eq!(worth().await, (79, 79, 0, 158 + 7, 79));
    answered(&collection, equip("e", "p", &one, "a")).await.unwrap();
    answered(&collection, team("t", "p", 1, Some(&one))).await.unwrap();
    assert_eq!(worth().await, (101, 79, 101, 180 + 9, 101));
    answered(&collection, team("u", "p", 2, Some(&two))).await.unwrap();
    assert_eq!(worth().await, (101, 79, 189, 189, 101), "the team is the best one now");
    answered(&collection, equip("f", "p", &two, "a")).await.unwrap();
    assert_eq!(worth().await, (79, 101, 189, 189, 101));
}

async fn what_is_not_there_is_said_and_not_stored(shelf: Shelf) {
    let collection = owner(&shelf, 1).await;
    let missing = Refusal::EspritNotFound { player: player("p"), esprit: esprit_id(2, 0).parse().unwrap() };
    let late = lock("k", "p", &esprit_id(2, 0), true);
    assert_eq!(refused(&collection, late.clone()).await, missing);
    let no_piece = Refusal::EquipmentNotFound { player: player("p"), piece: "a".parse().unwrap() };
    let arm = equip("e", "p", &esprit_id(1, 0), "a");
    assert_eq!(refused(&collection, arm.clone()).await, no_piece);
    assert_eq!(refused(&collection, unequip("u", "p", "a")).await, no_piece);
    // Once it is there, the very same request is done.
    done(&collection, prepare(2, "p", 1)).await;
    done(&collection, commit(2, "p", 1)).await;
    answered(&collection, late).await.unwrap();
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    answered(&collection, arm).await.unwrap();
    let Refusal::Invalid(fields) = refused(&collection, grant_of("h", "p", &[("a", "fang"), ("b", "wand")])).await
    else {
        panic!("taken");
    };
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["pieces[0].equipment_id", "pieces[1].kind_id"]);
    shelf.assert_whole().await;
}

async fn an_esprit_that_is_busy_waits_for_its_operation(shelf: Shelf) {
    let collection = owner(&shelf, 1).await;
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    let mark = |to: &str| format!("UPDATE esprits SET busy_operation_id = {to}, version = version + 1");
    shelf.sql(&mark(&format!("'{}'", operation(9)))).await.unwrap();
    let id = esprit_id(1, 0);
    let asks = [lock("l", "p", &id, true), team("t", "p", 1, Some(&id)), equip("e", "p", &id, "a")];
    let busy = Refusal::EspritBusy { esprit: id.parse().unwrap(), operation: operation(9) };
    for ask in asks.clone() {
        assert_eq!(refused(&collection, ask).await, busy);
    }
    shelf.sql(&mark("NULL")).await.unwrap();
    for ask in asks {
        answered(&collection, ask).await.unwrap();
    }
}

async fn one_that_was_dissolved_is_left_alone(shelf: Shelf) {
    // R-O6: it is not listed, and still shown to whoever knows its id.
    let collection = owner(&shelf, 1).await;
    let since = if shelf.copies() == 1 { "1" } else { "to_timestamp(0.000001)" };
    shelf.sql(&format!("UPDATE esprits SET dissolved_at = {since}")).await.unwrap();
    shelf.sql("UPDATE players SET esprits = 0").await.unwrap();
    let id = esprit_id(1, 0);
    let gone = answered(&collection, lock("l", "p", &id, true)).await.unwrap_err();
    assert!(matches!(gone, Rejection::EspritDissolved { .. }), "{gone:?}");
    assert_eq!(shelf.copy().await.portrait(&player("p")).await.unwrap().esprits, []);
    let kept = collection.esprit(&player("p"), &id.parse().unwrap()).await.unwrap().unwrap();
    assert!(kept.dissolved_at.is_some() && kept.created_at == kept.updated_at);
}

async fn equipment_has_its_bound(shelf: Shelf) {
    let collection = owner(&shelf, 1).await;
    answered(&collection, grant("g", "p", &["a", "b", "c", "d"])).await.unwrap();
    let full = Rejection::EquipmentFull { player: player("p"), pieces: 4, asked: 2, maximum: 5 };
    assert_eq!(answered(&collection, grant("h", "p", &["e", "f"])).await, Err(full));
    answered(&collection, grant("i", "p", &["e"])).await.unwrap();
    shelf.assert_whole().await;
}

async fn a_storm_on_one_player_keeps_every_rule(shelf: Shelf) {
    // R-O5: over several copies, all at once; each request twice.
    let first = owner(&shelf, 4).await;
    answered(&first, grant("g", "p", &["a", "b", "c"])).await.unwrap();
    let mut copies = vec![first];
    while copies.len() < shelf.copies() {
        copies.push(shelf.copy().await);
    }
    let asks = (0..120_u32).map(|n| {
        let (key, id) = (format!("k{n}"), esprit_id(1, usize::try_from(n % 4).unwrap()));
        match n % 5 {
            0 => lock(&key, "p", &id, n % 2 == 0),
            1 => team(&key, "p", 1 + n % 3, Some(&id)),
            2 => equip(&key, "p", &id, ["a", "b", "c"][usize::try_from(n % 3).unwrap()]),
            3 => unequip(&key, "p", ["a", "b", "c"][usize::try_from(n % 3).unwrap()]),
            _ => team(&key, "p", 1 + n % 3, None),
        }
    });
    let asks: Vec<Ask> = asks.flat_map(|ask| [ask.clone(), ask]).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for (index, ask) in asks.into_iter().enumerate() {
        let collection = Arc::clone(&copies[index % copies.len()]);
        tasks.spawn(async move { (index / 2, answered(&collection, ask).await.unwrap()) });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    assert!(answers.chunks(2).all(|twins| twins[0] == twins[1]), "twins get one answer");

    let portrait = portrait(&copies[0]).await;
    let members: std::collections::BTreeSet<_> = portrait.team.values().collect();
    assert_eq!(members.len(), portrait.team.len(), "nobody is in the team twice");
    let wearers: Vec<_> = portrait.pieces.iter().filter_map(|piece| piece.esprit.as_ref()).collect();
    let different: std::collections::BTreeSet<_> = wearers.iter().collect();
    assert_eq!(different.len(), wearers.len(), "nobody wears two weapons");
    let newest = answers.iter().map(|(_, changed)| changed.collection_version).max();
    assert_eq!(newest, Some(portrait.version));
    shelf.assert_whole().await;
    let unused = keyed("last", "p", auric_collection::domain::Change::Unequip { piece: "a".parse().unwrap() });
    answered(&copies[0], unused).await.unwrap();
}
