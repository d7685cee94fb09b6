//! Everything that can break between two steps, alone and in pairs, over the real SQLite store (R-W6, R-S2).
//!
//! The faults are generated from the protocol's table ([`faults::all`]). Every cell is a player of its own, so that all of them run in one town.

use futures::StreamExt as _;

use super::faults::{self, Fault};
use super::town::{Town, ask, is_delivered};

/// Cells in flight.
const PARALLEL: usize = 48;

/// What a cell's player begins with: enough for one summon of ten, and some more.
const GRANTED: i64 = 2_000;

/// The services that a summon is made of.
const PARTICIPANTS: [&str; 2] = ["wallet", "collection"];

/// Breaks a summon in these places, asks until its key has an answer, and finds that it is the one answer and the whole of it.
async fn check(town: &Town, player: &str, faults: &[Fault], count: u32) -> usize {
    town.grant(player, "azurites", GRANTED).await;
    town.faults.plan(player, faults);
    let ask = ask(player, &format!("click:{player}"), "standard", None, count);
    let first = town.ask(0, &ask).await;
    assert!(is_delivered(&first), "{player}, {faults:?}: {first:?}");
    let second = town.ask(0, &ask).await;
    assert_eq!(first.operation.decision, second.operation.decision, "{player}, {faults:?}: another answer");
    assert!(second.replayed, "{player}");
    town.check_player(player, &[("azurites", GRANTED)], &[second]).await;
    town.faults.happened_to(player).len()
}

async fn check_all(town: &Town, cells: Vec<Vec<Fault>>) -> (usize, usize) {
    let size = cells.len();
    let checks = cells.into_iter().enumerate().map(|(index, faults)| async move {
        let count = if index % 2 == 0 { 1 } else { 10 };
        check(town, &format!("cell-{index}"), &faults, count).await
    });
    let happened: usize =
        futures::stream::iter(checks).buffer_unordered(PARALLEL).fold(0, async |sum, one| sum + one).await;
    (size, happened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_summon_that_breaks_anywhere_once_is_paid_and_delivered_once() {
    let town = Town::sqlite().await;
    let cells: Vec<Vec<Fault>> = faults::all(&PARTICIPANTS).into_iter().map(|fault| vec![fault]).collect();
    let (size, happened) = check_all(&town, cells).await;
    assert_eq!(happened, size, "a fault did not happen");
    town.faults.nothing_is_under_way().await;
    town.settled().await;
    let operations = town.check_ends().await;
    println!("{size} single faults, each as planned; {operations} operations agree in three databases");
    assert!(size >= 28, "the matrix has shrunk: {size}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_summon_that_breaks_anywhere_twice_is_paid_and_delivered_once() {
    let town = Town::sqlite().await;
    let all = faults::all(&PARTICIPANTS);
    let cells: Vec<Vec<Fault>> = all.iter().flat_map(|one| all.iter().map(|other| vec![*one, *other])).collect();
    let (size, happened) = check_all(&town, cells).await;
    town.faults.nothing_is_under_way().await;
    town.settled().await;
    let operations = town.check_ends().await;
    println!("{size} pairs of faults, {happened} faults; {operations} operations agree in three databases");
    assert_eq!(size, all.len() * all.len());
    // The second of a pair may wait for a step that the first one made needless: not more than some of them.
    assert!(happened > size * 3 / 2, "only {happened} faults happened in {size} pairs");
    town.stop().await;
}
