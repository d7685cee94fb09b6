//! What readers see: pages without a gap or a double, filters, and never what was true before a change that was acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;

use auric_collection::Handlers;
use auric_collection::domain::{Filter, Order, Portrait, Position, Query, View};
use auric_collection::store::PartsQuery;
use auric_ids::OperationId;
use auric_twophase::Participation;
use futures::StreamExt as _;

use crate::asks::{by, cancel, commit, equip, esprit_id, grant, lock, operation, player, prepare, team};
use crate::harness::{Shelf, answered, done, esprits, on_every_store};

on_every_store!(
    pages_of_any_size_and_order_have_every_esprit_once,
    an_esprit_that_comes_while_paging_moves_no_other,
    filters_tell_apart_what_they_name,
    parts_are_found_by_coordinator_and_state,
    a_player_sees_only_what_is_the_players,
    no_copy_shows_what_was_before_an_acknowledged_change,
    a_watch_tells_of_every_change_and_ends_with_the_service,
);

/// Brings `count` esprits by one operation.
async fn bring(collection: &Handlers, number: u64, name: &str, count: usize) {
    done(collection, prepare(number, name, u32::try_from(count).unwrap())).await;
    done(collection, commit(number, name, count)).await;
}

/// The numbers of a list, page by page; a position survives its text.
fn numbers(shelf: &Shelf, portrait: &Arc<Portrait>, filter: &Filter, order: Order, limit: usize) -> Vec<u64> {
    let view = View::new(Arc::clone(portrait), Arc::clone(&shelf.rules.catalog));
    let (mut numbers, mut after): (Vec<u64>, Option<Position>) = (Vec::new(), None);
    loop {
        let page = view.list(&Query { filter: filter.clone(), order, after, limit });
        numbers.extend(page.esprits.iter().map(|esprit| esprit.number));
        let Some(last) = page.last else {
            assert_eq!(page.total, numbers.len(), "the total counts all pages");
            return numbers;
        };
        after = Some(last.to_string().parse().unwrap());
    }
}

async fn pages_of_any_size_and_order_have_every_esprit_once(shelf: Shelf) {
    // R-C1. Ten of one operation share their time to the microsecond, and all of them their strength: the number tells them apart.
    let collection = shelf.copy().await;
    for number in 1..=3 {
        bring(&collection, number, "p", 10).await;
    }
    answered(&collection, grant("g", "p", &["fang"])).await.unwrap();
    answered(&collection, equip("e", "p", &esprit_id(2, 4), "fang")).await.unwrap();
    let portrait = collection.portrait(&player("p")).await.unwrap();
    let newest: Vec<u64> = (1..=30).rev().collect();
    for order in [Order::Newest, Order::Level, Order::Rarity, Order::Name] {
        for limit in [1, 7, 10, 30] {
            assert_eq!(numbers(&shelf, &portrait, &Filter::default(), order, limit), newest, "{order:?} by {limit}");
        }
    }
    let strongest: Vec<u64> =
        std::iter::once(15).chain(newest.iter().copied().filter(|number| *number != 15)).collect();
    assert_eq!(numbers(&shelf, &portrait, &Filter::default(), Order::Power, 4), strongest, "the armed one is first");
}

async fn an_esprit_that_comes_while_paging_moves_no_other(shelf: Shelf) {
    let collection = shelf.copy().await;
    bring(&collection, 1, "p", 5).await;
    let before = collection.portrait(&player("p")).await.unwrap();
    let early = View::new(before, Arc::clone(&shelf.rules.catalog));
    let first = early.list(&Query { limit: 2, ..Query::default() });
    bring(&collection, 2, "p", 5).await;
    let after = collection.portrait(&player("p")).await.unwrap();
    let late = View::new(after, Arc::clone(&shelf.rules.catalog));
    let second = late.list(&Query { after: first.last, limit: 2, ..Query::default() });
    let numbers: Vec<u64> = first.esprits.iter().chain(&second.esprits).map(|esprit| esprit.number).collect();
    assert_eq!(numbers, [5, 4, 3, 2]);
}

async fn filters_tell_apart_what_they_name(shelf: Shelf) {
    // R-C1
    let collection = shelf.copy().await;
    bring(&collection, 1, "p", 4).await;
    answered(&collection, lock("l", "p", &esprit_id(1, 0), true)).await.unwrap();
    answered(&collection, team("t", "p", 2, Some(&esprit_id(1, 3)))).await.unwrap();
    let portrait = collection.portrait(&player("p")).await.unwrap();
    let find = |filter| numbers(&shelf, &portrait, &filter, Order::Newest, 10);
    let all = || Filter::default();
    assert_eq!(find(Filter { locked: Some(true), ..all() }), [1]);
    assert_eq!(find(Filter { locked: Some(false), ..all() }), [4, 3, 2]);
    assert_eq!(find(Filter { in_team: Some(true), ..all() }), [4]);
    assert_eq!(find(Filter { in_team: Some(false), locked: Some(false), ..all() }), [3, 2]);
    assert_eq!(find(Filter { duplicates: true, ..all() }), [4, 3, 2, 1]);
    assert_eq!(find(Filter { level_min: Some(2), ..all() }), [0; 0]);
    assert_eq!(find(Filter { level_max: Some(1), ..all() }).len(), 4);
    for (name, found) in [("common", 4), ("mythic", 0)] {
        assert_eq!(find(Filter { rarity: Some(name.parse().unwrap()), ..all() }).len(), found, "{name}");
    }
    for (name, found) in [("fire", 4), ("water", 0)] {
        assert_eq!(find(Filter { element: Some(name.parse().unwrap()), ..all() }).len(), found, "{name}");
    }
    for (name, found) in [("striker", 4), ("bard", 0)] {
        assert_eq!(find(Filter { class: Some(name.parse().unwrap()), ..all() }).len(), found, "{name}");
    }
    for (name, found) in [("fox", 4), ("owl", 0)] {
        assert_eq!(find(Filter { species: Some(name.parse().unwrap()), ..all() }).len(), found, "{name}");
    }
    bring(&collection, 2, "q", 1).await;
    let single = collection.portrait(&player("q")).await.unwrap();
    assert_eq!(numbers(&shelf, &single, &Filter { duplicates: true, ..all() }, Order::Newest, 10), [0; 0]);
}

async fn parts_are_found_by_coordinator_and_state(shelf: Shelf) {
    let collection = shelf.copy().await;
    for number in 1..=6 {
        done(&collection, prepare(number, "p", 1)).await;
    }
    done(&collection, commit(2, "p", 1)).await;
    done(&collection, cancel(3, "p")).await;
    done(&collection, cancel(7, "p")).await;
    done(&collection, by("shop", prepare(8, "q", 1))).await;

    let found = async |coordinator: Option<&str>, state| {
        let (mut found, mut after): (Vec<u64>, Option<OperationId>) = (Vec::new(), None);
        loop {
            let coordinator = coordinator.map(|name| name.parse().unwrap());
            let page =
                collection.parts(PartsQuery { coordinator, state, age_micros_min: 0, after, limit: 2 }).await.unwrap();
            found.extend(page.items.iter().map(|part| u64::from_str_radix(part.operation.as_str(), 16).unwrap()));
            after = page.items.last().map(|part| part.operation.clone());
            if !page.more {
                return found;
            }
        }
    };
    assert_eq!(found(None, None).await, (1..=8).collect::<Vec<_>>());
    assert_eq!(found(Some("summon"), Some(Participation::Prepared)).await, [1, 4, 5, 6]);
    assert_eq!(found(Some("shop"), None).await, [8]);
    assert_eq!(found(None, Some(Participation::Voided)).await, [7]);
    assert_eq!(found(None, Some(Participation::Committed)).await, [2]);
}

async fn a_player_sees_only_what_is_the_players(shelf: Shelf) {
    let collection = shelf.copy().await;
    for (number, name) in [(1, "p"), (2, "q")] {
        bring(&collection, number, name, 1).await;
    }
    let id = esprit_id(1, 0).parse().unwrap();
    assert!(collection.esprit(&player("p"), &id).await.unwrap().is_some());
    assert!(collection.esprit(&player("q"), &id).await.unwrap().is_none());
    assert_eq!(esprits(&collection, "q").await[0].operation, operation(2));
    assert_eq!(*collection.portrait(&player("nobody")).await.unwrap(), Portrait::default());
}

async fn no_copy_shows_what_was_before_an_acknowledged_change(shelf: Shelf) {
    // R-C5, of the memory of each copy: a writer notes the version that it was told, and readers of all copies may show no older one from then on.
    let copies = [shelf.copy().await, shelf.copy().await, shelf.copy().await];
    bring(&copies[0], 1, "p", 3).await;
    let acknowledged = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for copy in &copies {
        let (copy, acknowledged) = (Arc::clone(copy), Arc::clone(&acknowledged));
        readers.spawn(async move {
            let (mut seen, mut tags) = (0, BTreeSet::new());
            while seen < 60 {
                let told = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
                let portrait = copy.portrait(&player("p")).await.unwrap();
                assert!(portrait.version >= told, "{} was shown after {told} was acknowledged", portrait.version);
                let locked = portrait.esprits.iter().filter(|esprit| esprit.locked).count();
                assert_eq!(locked, usize::from(portrait.version % 2 == 1), "rows of one moment: {portrait:?}");
                (seen, _) = (portrait.version, tags.insert(portrait.tag));
            }
            tags.len()
        });
    }
    // Two changes so far; from here on each one locks or unlocks the same esprit.
    for version in 3..=60_u64 {
        let ask = lock(&format!("l{version}"), "p", &esprit_id(1, 0), version % 2 == 1);
        let changed = answered(&copies[usize::try_from(version % 3).unwrap()], ask).await.unwrap();
        assert_eq!(changed.collection_version, version);
        acknowledged.store(version, std::sync::atomic::Ordering::SeqCst);
    }
    for tags in readers.join_all().await {
        assert!(tags > 1, "a reader saw nothing change");
    }
}

async fn a_watch_tells_of_every_change_and_ends_with_the_service(shelf: Shelf) {
    let (writer, watcher) = (shelf.copy().await, shelf.copy().await);
    let mut watch = Box::pin(Arc::clone(&watcher).watch(player("p"), 0));
    bring(&writer, 1, "p", 1).await;
    // Two changes that follow each other quickly may be told as one.
    let mut version = 0;
    while version < 2 {
        version = watch.next().await.unwrap().unwrap().version;
    }
    answered(&writer, lock("l", "p", &esprit_id(1, 0), true)).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().version, 3);
    watcher.end_streams();
    assert!(watch.next().await.is_none());
}
