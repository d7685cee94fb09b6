//! What readers see: pages without a gap or a double, and filters.

use auric_collection::store::{EspritsQuery, PartsQuery};
use auric_ids::OperationId;
use auric_twophase::Participation;

use crate::asks::{by, cancel, commit, commit_of, esprit_id, player, prepare};
use crate::harness::{Shelf, done, esprits, on_every_store};

on_every_store!(
    pages_of_any_size_have_every_esprit_once,
    an_esprit_that_comes_while_paging_moves_no_other,
    parts_are_found_by_coordinator_and_state,
    a_player_sees_only_what_is_the_players,
);

async fn pages_of_any_size_have_every_esprit_once(shelf: Shelf) {
    // R-C1. Ten of one operation share their time to the microsecond: the order is by number.
    let collection = shelf.copy().await;
    for number in 1..=3 {
        done(&collection, prepare(number, "p", 10)).await;
        done(&collection, commit(number, "p", 10)).await;
    }
    let whole = esprits(&collection, "p", 500).await;
    assert_eq!(whole.iter().map(|esprit| esprit.number).collect::<Vec<_>>(), (1..=30).rev().collect::<Vec<_>>());
    for page_size in [1, 7, 10, 30] {
        assert_eq!(esprits(&collection, "p", page_size).await, whole, "pages of {page_size}");
    }
}

async fn an_esprit_that_comes_while_paging_moves_no_other(shelf: Shelf) {
    let collection = shelf.copy().await;
    for number in [1, 2] {
        done(&collection, prepare(number, "p", 5)).await;
    }
    done(&collection, commit(1, "p", 5)).await;
    let query = |before| EspritsQuery { player: player("p"), species: None, before, limit: 2 };
    let first = collection.esprits(query(None)).await.unwrap();
    done(&collection, commit(2, "p", 5)).await;
    let second = collection.esprits(query(Some(first.page.items[1].number))).await.unwrap();
    let numbers: Vec<u64> = first.page.items.iter().chain(&second.page.items).map(|esprit| esprit.number).collect();
    assert_eq!(numbers, [5, 4, 3, 2]);
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
        done(&collection, prepare(number, name, 1)).await;
        done(&collection, commit_of(number, name, &[esprit_id(number, 0)])).await;
    }
    let id = esprit_id(1, 0).parse().unwrap();
    assert!(collection.esprit(&player("p"), &id).await.unwrap().is_some());
    assert!(collection.esprit(&player("q"), &id).await.unwrap().is_none());
    assert_eq!(esprits(&collection, "q", 10).await.len(), 1);
    assert_eq!(esprits(&collection, "nobody", 10).await.len(), 0);
}
