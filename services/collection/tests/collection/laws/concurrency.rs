//! What holds when everyone comes at once, over several copies (R-O5).

use std::num::NonZeroU16;
use std::sync::Arc;

use auric_collection::Handlers;
use auric_collection::domain::{Ask, BatchKeys, Refusal, Verdict, decide};
use auric_twophase::Participation;
use futures::future::join_all;

use crate::asks::{cancel, commit, operation, prepare};
use crate::harness::{Shelf, done, esprits, on_every_store, rules, send};

on_every_store!(
    fifty_twins_of_a_commit_bring_its_esprits_once,
    a_commit_and_a_cancel_at_once_end_one_way,
    parallel_promises_never_pass_the_bound,
    one_operation_for_two_players_is_one_players,
    a_part_that_was_taken_while_its_lock_was_waited_for_is_seen,
    a_storm_over_many_players_leaves_each_what_was_committed,
    the_same_holds_for_any_lanes_and_batches,
);

async fn copies(shelf: &Shelf) -> Vec<Arc<Handlers>> {
    join_all((0..shelf.copies()).map(|_| shelf.copy())).await
}

/// Sends one request a task, dealt out over the copies.
async fn storm(copies: &[Arc<Handlers>], asks: Vec<Ask>) -> Vec<Verdict> {
    let mut tasks = tokio::task::JoinSet::new();
    for (index, ask) in asks.into_iter().enumerate() {
        let collection = Arc::clone(&copies[index % copies.len()]);
        tasks.spawn(async move { (index, send(&collection, ask).await) });
    }
    let mut verdicts = tasks.join_all().await;
    verdicts.sort_by_key(|(index, _)| *index);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn anew(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Stands { again: false, .. })).count()
}

async fn fifty_twins_of_a_commit_bring_its_esprits_once(shelf: Shelf) {
    let copies = copies(&shelf).await;
    assert_eq!(anew(&storm(&copies, vec![prepare(1, "p", 3); 50]).await), 1);
    let verdicts = storm(&copies, vec![commit(1, "p", 3); 50]).await;
    assert_eq!(anew(&verdicts), 1);
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Stands { .. })));
    assert_eq!(esprits(&copies[0], "p").await.len(), 3);
    shelf.assert_whole().await;
}

async fn a_commit_and_a_cancel_at_once_end_one_way(shelf: Shelf) {
    // A coordinator never sends both; one that did would still not get half of each.
    let copies = copies(&shelf).await;
    for number in 1..=20 {
        let name = format!("p{number}");
        done(&copies[0], prepare(number, &name, 1)).await;
        let verdicts = storm(&copies, vec![commit(number, &name, 1), cancel(number, &name)]).await;
        assert_eq!(anew(&verdicts), 1, "{number}: {verdicts:?}");
        let part = copies[0].part(&operation(number)).await.unwrap().unwrap();
        let has = esprits(&copies[0], &name).await.len();
        assert_eq!(has, usize::from(part.state == Participation::Committed), "{part:?}");
    }
    shelf.assert_whole().await;
}

async fn parallel_promises_never_pass_the_bound(mut shelf: Shelf) {
    // A count that was read before the lock would let more in than there is room for.
    shelf.rules = rules(7);
    let copies = copies(&shelf).await;
    let verdicts = storm(&copies, (1..=50).map(|number| prepare(number, "p", 1)).collect()).await;
    assert_eq!(anew(&verdicts), 7);
    let full = |verdict: &&Verdict| matches!(verdict, Verdict::Refused(Refusal::CollectionFull { maximum: 7, .. }));
    assert_eq!(verdicts.iter().filter(full).count(), 43);
    assert_eq!(shelf.counts("p").await, (0, 7));
    shelf.assert_whole().await;
}

async fn one_operation_for_two_players_is_one_players(shelf: Shelf) {
    // They hold different locks: only the operation's own primary key stands between them.
    let copies = copies(&shelf).await;
    for number in 1..=20 {
        let verdicts = storm(&copies, vec![prepare(number, "a", 1), prepare(number, "b", 1)]).await;
        assert_eq!(anew(&verdicts), 1, "{number}: {verdicts:?}");
        let reused = |verdict: &&Verdict| matches!(verdict, Verdict::Refused(Refusal::OperationReused { .. }));
        assert_eq!(verdicts.iter().filter(reused).count(), 1, "{number}: {verdicts:?}");
    }
    let promised = shelf.counts("a").await.1 + shelf.counts("b").await.1;
    assert_eq!(promised, 20);
    shelf.assert_whole().await;
}

async fn a_part_that_was_taken_while_its_lock_was_waited_for_is_seen(shelf: Shelf) {
    // A lock and a load in one statement would read the part as it was before the wait, and commit it a second time.
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 1)).await;
    let ask = commit(1, "p", 1);
    let mut keys = BatchKeys::new(shelf.rules.catalog.esprits_hash);
    keys.add(&ask);
    let (mut book, transaction) = shelf.store().await.open(keys).await.unwrap();
    let mut late = tokio::task::JoinSet::new();
    late.spawn({
        let collection = shelf.copy().await;
        async move { send(&collection, commit(1, "p", 1)).await }
    });
    shelf.wait_for_a_waiter().await;
    decide(&mut book, &shelf.rules, &ask);
    transaction.commit(book.into_journal(), [1; 16]).await.unwrap();
    let verdict = late.join_all().await.remove(0);
    assert!(matches!(verdict, Verdict::Stands { again: true, .. }), "{verdict:?}");
    assert_eq!(esprits(&collection, "p").await.len(), 1);
    shelf.assert_whole().await;
}

async fn a_storm_over_many_players_leaves_each_what_was_committed(shelf: Shelf) {
    let copies = copies(&shelf).await;
    let name = |number: u64| format!("p{}", number % 25);
    let all = 1..=200_u64;
    storm(&copies, all.clone().map(|number| prepare(number, &name(number), 10)).collect()).await;
    // Every verb twice; one operation in four is given up.
    let ends = all.clone().chain(all.clone()).map(|number| match number % 4 {
        0 => cancel(number, &name(number)),
        _ => commit(number, &name(number), 10),
    });
    assert_eq!(anew(&storm(&copies, ends.collect()).await), 200);
    let mut sum = 0;
    for number in 0..25 {
        sum += esprits(&copies[0], &name(number)).await.len();
    }
    assert_eq!(sum, 150 * 10);
    shelf.assert_whole().await;
}

async fn the_same_holds_for_any_lanes_and_batches(shelf: Shelf) {
    for (lanes, batch_max) in [(1, 1), (2, 2), (8, 128)] {
        let mut other = shelf.another().await;
        other.lanes.lanes = NonZeroU16::new(lanes).unwrap();
        other.lanes.batch_max = NonZeroU16::new(batch_max).unwrap();
        fifty_twins_of_a_commit_bring_its_esprits_once(other).await;
    }
}
