//! Everything that can break between two steps of an upgrade or a dissolve, alone and in pairs, over the real SQLite stores (R-C4, R-W6).
//!
//! The faults are generated from the protocol's table ([`faults::all`]). Every cell is a player of its own, so that all of them run on one estate.

use futures::StreamExt as _;

use super::estate::{Estate, click, done, player, request, upgrade};
use crate::operations::faults::{self, Fault};
use auric_collection::domain::Deed;

/// Cells in flight.
const PARALLEL: usize = 48;

/// What a cell's player begins with.
const LUMEES: i64 = 1_000;

/// The services that an operation of the collection is made of, besides itself.
const PARTICIPANTS: [&str; 1] = ["wallet"];

/// Breaks an operation in these places, asks until its key has an answer, and finds that it is the one answer and the whole of it.
async fn check(estate: &Estate, name: &str, faults: &[Fault], dissolves: bool) -> usize {
    estate.grant(name, "lumees", LUMEES).await;
    let ids = estate.endow(name, 3).await;
    let deed = if dissolves {
        Deed::Dissolve(estate.copies[0].preview(&player(name), &ids[..2]).await.expect("a preview").1)
    } else {
        upgrade(&ids[0])
    };
    estate.faults.plan(name, faults);
    let request = request(name, &click(name), deed);
    let (first, _) = estate.operate(0, &request).await;
    let (second, replayed) = estate.operate(0, &request).await;
    assert_eq!(first.decision, second.decision, "{name}, {faults:?}: another answer");
    assert!(replayed, "{name}");
    let (plan, effect) = done(&first).unwrap_or_else(|| panic!("{name}, {faults:?}: {first:?}"));

    // By hand, from game/: a level of a common esprit costs 50 lumees; two of them give 5 shards each.
    let (lumees, shards) = if dissolves { (LUMEES, 10) } else { (LUMEES - 50, 0) };
    assert_eq!(estate.balance(name, "lumees").await, (lumees, 0, 0), "{name}, {faults:?}: {plan:?}");
    assert_eq!(estate.balance(name, "shards").await, (shards, 0, 0), "{name}, {faults:?}: {plan:?}");
    assert_eq!(effect.level, (!dissolves).then_some(2));
    for (index, id) in ids.iter().enumerate() {
        let esprit = estate.esprit(name, id).await;
        let is_touched = index < if dissolves { 2 } else { 1 };
        assert_eq!(esprit.busy, None, "{name}, {faults:?}: a mark is left");
        assert_eq!(esprit.version, if is_touched { 2 } else { 1 }, "{name}, {faults:?}");
        assert_eq!(esprit.dissolved_at.is_some(), is_touched && dissolves, "{name}, {faults:?}");
        assert_eq!(esprit.level, if is_touched && !dissolves { 2 } else { 1 }, "{name}, {faults:?}");
    }
    estate.faults.happened_to(name).len()
}

async fn check_all(estate: &Estate, cells: Vec<Vec<Fault>>) -> (usize, usize) {
    let cells: Vec<_> = cells.into_iter().flat_map(|cell| [(cell.clone(), false), (cell, true)]).collect();
    let size = cells.len();
    let checks = cells.into_iter().enumerate().map(|(index, (faults, dissolves))| async move {
        check(estate, &format!("cell-{index}"), &faults, dissolves).await
    });
    let happened: usize =
        futures::stream::iter(checks).buffer_unordered(PARALLEL).fold(0, async |sum, one| sum + one).await;
    estate.faults.nothing_is_under_way().await;
    estate.settled().await;
    let operations = estate.check_ends().await;
    println!("{size} cells, {happened} faults; {operations} operations agree in both databases");
    (size, happened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_breaks_anywhere_once_is_paid_if_and_only_if_it_is_done() {
    let estate = Estate::sqlite().await;
    let cells: Vec<Vec<Fault>> = faults::all(&PARTICIPANTS).into_iter().map(|fault| vec![fault]).collect();
    let (size, happened) = check_all(&estate, cells).await;
    assert_eq!(happened, size, "a fault did not happen");
    assert!(size >= 32, "the matrix has shrunk: {size}");
    estate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_breaks_anywhere_twice_is_paid_if_and_only_if_it_is_done() {
    let estate = Estate::sqlite().await;
    let all = faults::all(&PARTICIPANTS);
    let cells: Vec<Vec<Fault>> = all.iter().flat_map(|one| all.iter().map(|other| vec![*one, *other])).collect();
    let (size, happened) = check_all(&estate, cells).await;
    assert_eq!(size, 2 * all.len() * all.len());
    // The second of a pair may wait for a step that the first one made needless: not more than some of them.
    assert!(happened > size * 3 / 2, "only {happened} faults happened in {size} pairs");
    estate.stop().await;
}
