//! Whatever breaks, wherever: nothing or everything is left, and everyone gets one answer (R-W6, R-W12).

use std::sync::Arc;

use auric_collection::domain::{Ask, Verdict};
use auric_lanes::Refused;

use crate::asks::{cancel, commit, equip, esprit_id, grant, lock, operation, player, prepare, team, unequip};
use crate::faulty::{Fault, FaultyStore};
use crate::harness::{Shelf, answered, done, esprits, on_every_store, send};

on_every_store!(
    every_failure_leaves_nothing_or_everything_and_one_answer,
    every_pair_of_failures_does_too,
    a_read_for_many_that_never_ends_holds_nobody_up_for_ever,
    a_lost_answer_is_found_by_asking_again,
    contention_is_tried_three_times_and_then_said,
);

/// One of each kind, in an order in which all are done.
fn one_of_each() -> Vec<Ask> {
    vec![prepare(1, "p", 3), prepare(2, "p", 2), commit(1, "p", 2), cancel(2, "p"), cancel(3, "p"), prepare(4, "q", 1)]
}

/// The same of keyed requests, on what those have brought.
fn one_of_each_keyed() -> Vec<Ask> {
    vec![
        grant("grant", "p", &["a", "b"]),
        lock("lock", "p", &esprit_id(1, 0), true),
        equip("equip", "p", &esprit_id(1, 0), "a"),
        equip("swap", "p", &esprit_id(1, 0), "b"),
        unequip("put-away", "p", "b"),
        team("team", "p", 1, Some(&esprit_id(1, 1))),
        team("stale", "p", 2, None),
    ]
}

/// Runs one of each with `faults` in the way of every one, and tells what is left.
async fn run(shelf: &Shelf, faults: &[Fault]) -> Vec<i64> {
    for ask in one_of_each() {
        let store = Arc::new(FaultyStore::new(shelf.store().await, faults.iter().copied()));
        let collection = shelf.copy_on(store);
        let first = done(&collection, ask.clone()).await;
        assert_eq!(done(&collection, ask).await, first, "{faults:?}: one answer");
    }
    for ask in one_of_each_keyed() {
        let store = Arc::new(FaultyStore::new(shelf.store().await, faults.iter().copied()));
        let collection = shelf.copy_on(store);
        let first = answered(&collection, ask.clone()).await;
        assert!(first.is_ok(), "{faults:?}: {first:?}");
        assert_eq!(answered(&collection, ask).await, first, "{faults:?}: one answer");
    }
    let collection = shelf.copy().await;
    let portrait = collection.portrait(&player("p")).await.unwrap();
    let lengths = [portrait.esprits.len(), portrait.pieces.len(), portrait.team.len()];
    let mut left: Vec<i64> = lengths.map(|length| i64::try_from(length).unwrap()).into();
    for name in ["p", "q"] {
        let (esprits, promised) = shelf.counts(name).await;
        left.extend([esprits, promised]);
    }
    shelf.assert_whole().await;
    left
}

async fn every_failure_leaves_nothing_or_everything_and_one_answer(shelf: Shelf) {
    for fault in [None].into_iter().chain(Fault::ALL.map(Some)) {
        let world = shelf.another().await;
        assert_eq!(run(&world, fault.as_slice()).await, [2, 2, 1, 2, 0, 0, 1], "{fault:?}");
    }
}

async fn every_pair_of_failures_does_too(shelf: Shelf) {
    // What is tried again meets the next failure: an answer that was lost, and then no connection, is still unknown.
    let pairs = [
        [Fault::AfterCommit, Fault::NoConnection],
        [Fault::AfterCommit, Fault::AfterCommit],
        [Fault::BeforeCommit, Fault::AfterCommit],
        [Fault::BetweenStatements, Fault::AfterCommit],
        [Fault::AtOpen, Fault::BetweenStatements],
    ];
    for pair in pairs {
        let world = shelf.another().await;
        assert_eq!(run(&world, &pair).await, [2, 2, 1, 2, 0, 0, 1], "{pair:?}");
    }
}

async fn a_lost_answer_is_found_by_asking_again(shelf: Shelf) {
    // COMMIT can succeed and its acknowledgement be lost: that is not a refusal, and the esprits do not come twice.
    done(&*shelf.copy().await, prepare(1, "p", 3)).await;
    let store = Arc::new(FaultyStore::new(shelf.store().await, [Fault::AfterCommit]));
    let collection = shelf.copy_on(store);
    let verdict = collection.mutate(commit(1, "p", 3), None).await.unwrap();
    assert!(matches!(verdict, Verdict::Stands { again: true, .. }), "{verdict:?}");
    assert_eq!(esprits(&collection, "p").await.len(), 3);
    assert_eq!(collection.lane_stats().iter().map(|lane| lane.retries_lost).sum::<u64>(), 1);
}

async fn contention_is_tried_three_times_and_then_said(shelf: Shelf) {
    // R-W12: at most three runs, and what is said then is that others were in the way, never that a rule said no.
    for (number, faults, runs_out) in [(1, 2, false), (2, 3, true)] {
        let store = Arc::new(FaultyStore::new(shelf.store().await, vec![Fault::Contended; faults]));
        let collection = shelf.copy_on(store);
        let answer = collection.mutate(prepare(number, "p", 1), None).await;
        if runs_out {
            assert_eq!(answer, Err(Refused::Contended));
            assert_eq!(collection.part(&operation(number)).await.unwrap(), None);
        } else {
            assert!(matches!(answer, Ok(Verdict::Stands { again: false, .. })), "{answer:?}");
        }
        assert!(matches!(send(&collection, prepare(number, "p", 1)).await, Verdict::Stands { .. }));
    }
    shelf.assert_whole().await;
}

async fn a_read_for_many_that_never_ends_holds_nobody_up_for_ever(shelf: Shelf) {
    // R-O5: one statement reads for all who wait, and its connection may die without a word.
    let writer = shelf.copy().await;
    done(&writer, prepare(1, "p", 1)).await;
    let collection = shelf.copy_on(Arc::new(FaultyStore::silent_once(shelf.store().await)));
    let [one, two] = [player("p"), player("q")];
    let (first, second) = tokio::join!(collection.portrait(&one), collection.portrait(&two));
    assert_eq!((first.unwrap().version, second.unwrap().version), (1, 0));
    assert_eq!(collection.portrait(&one).await.unwrap().version, 1, "the next one is read for many again");
}
