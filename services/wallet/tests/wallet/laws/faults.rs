//! Whatever breaks, wherever: nothing or everything is left, and everyone gets one answer (R-W3, R-W5, R-W6, R-W12).

use std::sync::Arc;

use auric_db::StoreError;
use auric_lanes::Refused;
use auric_wallet::Handlers;
use auric_wallet::domain::{BatchKeys, Mutation, Verdict, decide};
use futures::future::join_all;

use crate::asks::{
    bought, claim, commit, guard, held, issue, promised, redeem, refunded, release, renew, renewed, reserve, spend,
    told,
};
use crate::faulty::{Fault, FaultyStore};
use crate::harness::{
    Ledger, assert_books_agree, audit, available, credit, debit, in_pool, key, on_every_store, outcome, post, send,
};

on_every_store!(
    every_failure_leaves_nothing_or_everything_and_one_answer,
    every_pair_of_failures_does_too,
    a_lost_answer_is_found_by_its_key,
    contention_is_tried_three_times_and_then_said,
    a_poisoned_mutation_harms_no_other,
);

/// One of each kind, in an order in which all are applied.
fn one_of_each() -> Vec<Mutation> {
    vec![
        post("post", vec![credit("p", "lumees", 100), credit("p", "xp", 300), credit("q", "aether", 5)]),
        claim("claim", guard("p", "daily", "1"), vec![credit("p", "lumees", 10), credit("p", "token", 2)]),
        reserve("reserve", "h", vec![held("p", "lumees", 30), promised("q", "lumees", 30), held("p", "energy", 7)]),
        commit("commit", "h", &[20, 20, 0]),
        reserve("reserve-2", "h2", vec![held("p", "charge", 2)]),
        release("release", "h2"),
        spend("spend", "p", "energy", 3),
        post("bulk", vec![in_pool(credit("p", "credit", 50), "bulk")]),
        renew("renew", "p", "subscription", 20),
        told("pay", "p", "charge-1", "e1", bought(50)),
        told("pay-again", "p", "invoice-6", "e2", renewed(5, 6)),
        told("refund", "p", "charge-1", "e3", refunded(1, 2)),
        issue("issue", "p", Some("charge-1"), "token-1"),
        redeem("redeem", "token-1", "picture-1"),
    ]
}

async fn what_is_left(wallet: &Handlers) -> Vec<u64> {
    let mut left = Vec::new();
    for (name, asset) in
        [("p", "lumees"), ("q", "lumees"), ("q", "aether"), ("p", "token"), ("p", "credit"), ("p", "charge")]
    {
        left.push(available(wallet, name, asset).await);
    }
    left.push(audit(wallet, "p").await.len() as u64);
    left.push(audit(wallet, "q").await.len() as u64);
    left
}

/// Runs one of each with `faults` before the second step of every mutation, and tells what is left.
async fn run(ledger: &Ledger, faults: &[Fault]) -> Vec<u64> {
    for mutation in one_of_each() {
        let store = Arc::new(FaultyStore::new(ledger.store().await, faults.iter().copied()));
        let wallet = Handlers::start(store, ledger.rules.clone(), ledger.lanes.clone());
        // The first refusal may say that it is unknown; the same key then finds out.
        let verdict = send(&wallet, mutation.clone()).await;
        let Verdict::Answered { outcome: first, .. } = verdict else { panic!("{faults:?}: {verdict:?}") };
        assert!(first.is_ok(), "{faults:?}: {first:?}");
        assert_eq!(outcome(&wallet, mutation).await, first, "{faults:?}: one answer");
    }
    what_is_left(&*ledger.copy().await).await
}

async fn every_failure_leaves_nothing_or_everything_and_one_answer(ledger: Ledger) {
    // R-W3, R-W6: a fault at each step of each kind of mutation changes nothing of what there is in the end.
    let mut expected = None;
    for (number, fault) in [None].into_iter().chain(Fault::ALL.map(Some)).enumerate() {
        let world = ledger.another().await;
        let left = run(&world, fault.as_slice()).await;
        assert_eq!(&left, expected.get_or_insert(left.clone()), "{number}: {fault:?}");
        assert_books_agree(&world.copy().await).await;
    }
}

async fn every_pair_of_failures_does_too(ledger: Ledger) {
    // What is tried again meets the next failure: an answer that was lost, and then no connection, is still unknown.
    let pairs = [
        [Fault::AfterCommit, Fault::NoConnection],
        [Fault::AfterCommit, Fault::AfterCommit],
        [Fault::BeforeCommit, Fault::AfterCommit],
        [Fault::BetweenStatements, Fault::AfterCommit],
        [Fault::AtOpen, Fault::BetweenStatements],
    ];
    let mut expected = None;
    for pair in pairs {
        let world = ledger.another().await;
        let left = run(&world, &pair).await;
        assert_eq!(&left, expected.get_or_insert(left.clone()), "{pair:?}");
        assert_books_agree(&world.copy().await).await;
    }
}

async fn a_lost_answer_is_found_by_its_key(ledger: Ledger) {
    // COMMIT can succeed and its acknowledgement be lost: that is not a refusal, and the batch is not applied twice.
    let store = Arc::new(FaultyStore::new(ledger.store().await, [Fault::AfterCommit]));
    let wallet = Handlers::start(store, ledger.rules.clone(), ledger.lanes.clone());
    let verdict = wallet.mutate(post("k", vec![credit("p", "lumees", 5)]), None).await.unwrap();
    assert!(matches!(verdict, Verdict::Answered { outcome: Ok(_), replayed: true }), "{verdict:?}");
    assert_eq!(available(&wallet, "p", "lumees").await, 5);
    assert_eq!(wallet.lane_stats().iter().map(|lane| lane.retries_lost).sum::<u64>(), 1);
}

async fn contention_is_tried_three_times_and_then_said(ledger: Ledger) {
    // R-W12: at most three runs, and what is said then is that others were in the way, never that a rule said no.
    for (faults, runs_out) in [(2, false), (3, true)] {
        let store = Arc::new(FaultyStore::new(ledger.store().await, vec![Fault::Contended; faults]));
        let wallet = Handlers::start(store, ledger.rules.clone(), ledger.lanes.clone());
        let request = post(&format!("k{faults}"), vec![credit("p", "lumees", 5)]);
        let answer = wallet.mutate(request.clone(), None).await;
        assert_eq!(answer.is_err(), runs_out, "{answer:?}");
        if runs_out {
            assert_eq!(answer, Err(Refused::Contended));
            assert_eq!(wallet.mutation(&request.key).await.unwrap(), None);
            outcome(&wallet, request).await.unwrap();
        }
    }
    assert_eq!(available(&*ledger.copy().await, "p", "lumees").await, 10);
}

async fn a_poisoned_mutation_harms_no_other(ledger: Ledger) {
    // The batch is halved until the culprit is alone.
    let store = Arc::new(FaultyStore::poisoned_by(ledger.store().await, key("k13")));
    let wallet = Arc::new(Handlers::start(store, ledger.rules.clone(), ledger.lanes.clone()));
    let requests =
        (0..40).map(|number| wallet.mutate(post(&format!("k{number}"), vec![credit("p", "lumees", 1)]), None));
    let answers = join_all(requests).await;
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Err(Refused::Fault) if number == 13 => {}
            Ok(Verdict::Answered { outcome: Ok(_), .. }) if number != 13 => {}
            other => panic!("k{number}: {other:?}"),
        }
    }
    let in_company = ledger.lanes.batch_max.get() > 1;
    assert_eq!(wallet.lane_stats().iter().any(|lane| lane.halvings > 0), in_company);
    assert_eq!(available(&wallet, "p", "lumees").await, 39);
    assert_eq!(wallet.mutation(&key("k13")).await.unwrap(), None);
    assert_books_agree(&wallet).await;
}

/// A transaction that holds the player p, with a debit decided and not committed.
async fn open_debit(
    ledger: &Ledger,
    key: &str,
) -> (auric_wallet::domain::Book, Box<dyn auric_wallet::store::WalletTx>) {
    let request = post(key, vec![debit("p", "lumees", 100)]);
    let mut keys = BatchKeys::new(&ledger.rules.assets);
    keys.add(&request);
    let (mut book, transaction) = ledger.store().await.open(keys).await.unwrap();
    decide(&mut book, &ledger.rules, &request);
    (book, transaction)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backend_that_is_ended_between_open_and_commit_leaves_nothing() {
    let ledger = Ledger::postgres().await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let (book, transaction) = open_debit(&ledger, "ended").await;
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'idle in transaction'";
    ledger.sql(ended).await.unwrap();
    let error = transaction.commit(book.into_journal(), 0).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    assert_eq!(wallet.mutation(&key("ended")).await.unwrap(), None);
    assert_eq!(available(&wallet, "p", "lumees").await, 100);
    // And through the lane: the copy whose connections are all gone answers all the same.
    end_all_connections(&ledger).await;
    outcome(&wallet, post("after", vec![debit("p", "lumees", 100)])).await.unwrap();
    // A reader is told that it got a connection that is gone, once for each, and asks again.
    while let Err(error) = wallet.mutation(&key("after")).await {
        assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    }
    assert_books_agree(&wallet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_finds_its_connection_gone_when_it_writes_is_done_once() {
    let ledger = Ledger::postgres().await;
    let wallet = ledger.copy().await;
    let pay = async |key: String| outcome(&wallet, post(&key, vec![credit("p", "lumees", 1)])).await.unwrap();
    for round in 0..5 {
        // The second reads no more than the clock, and the last nothing at all before it writes.
        pay(format!("first-{round}")).await;
        pay(format!("second-{round}")).await;
        end_all_connections(&ledger).await;
        pay(format!("last-{round}")).await;
    }
    // A reader meets connections that are gone as well, and says so: another copy has none.
    let other = ledger.copy().await;
    assert_eq!(audit(&other, "p").await.len(), 15);
    assert_books_agree(&other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_fails_only_when_it_is_made_durable_is_no_success() {
    let ledger = Ledger::postgres().await;
    let wallet = ledger.copy().await;
    let pay = async |key: &str| wallet.mutate(post(key, vec![credit("p", "lumees", 1)]), None).await;
    for key in ["locked", "remembered"] {
        pay(key).await.unwrap();
    }
    let refuse_late = "CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'refused at the commit'; END $$;
         CREATE CONSTRAINT TRIGGER entries_are_refused_late AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse_late()";
    ledger.sql(refuse_late).await.unwrap();
    assert_eq!(pay("late").await, Err(Refused::Fault));
    assert_eq!(wallet.mutation(&key("late")).await.unwrap(), None);
    ledger.sql("DROP TRIGGER entries_are_refused_late ON entries").await.unwrap();
    assert!(matches!(pay("late").await, Ok(Verdict::Answered { outcome: Ok(_), replayed: false })));
    assert_eq!(audit(&wallet, "p").await.len(), 3);
    assert_books_agree(&wallet).await;
}

/// Ends all connections but the one by which it does.
async fn end_all_connections(ledger: &Ledger) {
    ledger.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_frozen_between_open_and_commit_lets_its_players_go() {
    // A frozen process keeps its row locks for as long as it is stopped: the timeouts belong to the database.
    let ledger = Ledger::postgres().await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let (book, transaction) = open_debit(&ledger, "frozen").await;
    let others = tokio::time::timeout(
        std::time::Duration::from_secs(30),
        outcome(&wallet, post("other", vec![debit("p", "lumees", 60)])),
    );
    others.await.expect("others go on").unwrap();
    let error = transaction.commit(book.into_journal(), 0).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    assert_eq!(wallet.mutation(&key("frozen")).await.unwrap(), None);
    assert_eq!(available(&wallet, "p", "lumees").await, 40);
    assert_books_agree(&wallet).await;
}
