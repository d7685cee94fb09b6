//! What jobs set in motion: the sweep writes the ends of holds whose time is up, for players who never come again, and touches nothing else; the
//! verification tells a forgery from a passing failure.

use auric_jobs::{Firing, Outcome};
use auric_time::Timestamp;
use auric_wallet::domain::HoldState;
use auric_wallet::roster;
use futures::future::join_all;

use crate::asks::{HOUR, SECOND, held, moved, reserve, reserve_for};
use crate::harness::{Ledger, assert_books_agree, available, credit, on_every_store, outcome, post};

on_every_store!(
    a_sweep_ends_what_lapsed_and_nothing_else,
    sweeps_of_several_copies_at_once_end_a_hold_once,
    a_firing_sweeps_once_whatever_its_answer_came_to,
    a_verification_by_night_tells_a_forgery_for_good,
);

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// More than one page of the sweep.
const MANY: usize = 450;

async fn a_sweep_ends_what_lapsed_and_nothing_else(mut ledger: Ledger) {
    // R-W6
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    let fund = ["p", "q", "r"].map(|player| credit(player, "lumees", 100)).to_vec();
    outcome(&wallet, post("fund", fund)).await.unwrap();
    outcome(&wallet, reserve_for("k1", "short", vec![held("p", "lumees", 60)], 60 * SECOND)).await.unwrap();
    outcome(&wallet, reserve_for("k3", "short-too", vec![held("p", "lumees", 10)], 60 * SECOND)).await.unwrap();
    outcome(&wallet, reserve_for("k4", "long", vec![held("q", "lumees", 60)], HOUR)).await.unwrap();
    outcome(&wallet, reserve("k5", "endless", vec![moved("r", "q", "lumees", 60)])).await.unwrap();
    assert_eq!(wallet.sweep_holds().await.unwrap().holds, 0, "nothing has lapsed yet");

    ledger.set_clock(START.plus_micros(60 * SECOND)).await;
    assert_eq!(wallet.sweep_holds().await.unwrap().holds, 2);
    assert_eq!(wallet.sweep_holds().await.unwrap().holds, 0, "the second finds nothing");
    let state = async |id: &str| wallet.hold(&id.parse().unwrap()).await.unwrap().unwrap().0.hold.state;
    for (hold, lapsed) in [("short", true), ("short-too", true), ("long", false), ("endless", false)] {
        assert_eq!(matches!(state(hold).await, HoldState::Expired { .. }), lapsed, "{hold}");
    }
    for (player, units) in [("p", 100), ("q", 40), ("r", 40)] {
        assert_eq!(available(&wallet, player, "lumees").await, units, "{player}");
    }
    assert_books_agree(&wallet).await;
}

async fn sweeps_of_several_copies_at_once_end_a_hold_once(mut ledger: Ledger) {
    // R-O5
    ledger.stop_clock(START).await;
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    let players: Vec<String> = (0..MANY).map(|number| format!("p{number}")).collect();
    let made = players.iter().map(async |player| {
        outcome(&copies[0], post(&format!("fund-{player}"), vec![credit(player, "lumees", 5)])).await.unwrap();
        let reserve = reserve_for(&format!("k-{player}"), player, vec![held(player, "lumees", 5)], SECOND);
        outcome(&copies[0], reserve).await.unwrap();
    });
    join_all(made).await;
    ledger.set_clock(START.plus_micros(SECOND)).await;
    let swept = join_all((0..6).map(|number| copies[number % copies.len()].sweep_holds())).await;
    let ended: usize = swept.into_iter().map(|swept| swept.unwrap().holds).sum();
    assert_eq!(ended, MANY);
    assert_books_agree(&copies[0]).await;
}

fn firing(key: &str, payload: &str) -> Firing {
    Firing { key: key.to_owned(), job: "job".to_owned(), attempt: 1, payload: payload.as_bytes().to_vec() }
}

async fn a_firing_sweeps_once_whatever_its_answer_came_to(mut ledger: Ledger) {
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    let jobs = roster(&wallet);
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    outcome(&wallet, reserve_for("k", "short", vec![held("p", "lumees", 60)], SECOND)).await.unwrap();
    ledger.set_clock(START.plus_micros(SECOND)).await;
    let done = Outcome::Done("lapsed holds ended: 1".to_owned());
    for _ in 0..2 {
        assert_eq!(jobs.run("sweep_holds", &firing("first", "")).await, Some(done.clone()));
    }
    let nothing = Outcome::Done("lapsed holds ended: 0".to_owned());
    assert_eq!(jobs.run("sweep_holds", &firing("second", "{}")).await, Some(nothing));
    let pruned = Outcome::Done("batches of events deleted: 0".to_owned());
    assert_eq!(jobs.run("prune_events", &firing("fourth", "")).await, Some(pruned), "none is old enough");
    let odd = jobs.run("sweep_holds", &firing("third", "{\"limit\":1}")).await;
    assert!(matches!(&odd, Some(Outcome::Rejected(why)) if why.contains("limit")), "{odd:?}");
}

async fn a_verification_by_night_tells_a_forgery_for_good(ledger: Ledger) {
    // R-W2
    let wallet = ledger.copy().await;
    let jobs = roster(&wallet);
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let whole = Outcome::Done("the audit is whole; verified: players 1, entries 1, answers 1".to_owned());
    assert_eq!(jobs.run("verify_audit", &firing("monday", "")).await, Some(whole));
    assert_eq!(ledger.sql("UPDATE balances SET available = available + 1").await.unwrap(), 1);
    let forged = jobs.run("verify_audit", &firing("tuesday", "")).await;
    let says = |why: &str| why.contains("NOT WHOLE; faults: 1, the first SUM_MISMATCH");
    assert!(matches!(&forged, Some(Outcome::Rejected(why)) if says(why)), "{forged:?}");
}
