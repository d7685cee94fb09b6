//! What holds when everyone comes at once, over several copies (R-W4, R-O5).

use std::sync::Arc;

use auric_db::{Contention, StoreError};
use auric_wallet::Handlers;
use auric_wallet::domain::{BatchKeys, Book, Leg, Mutation, Unstored, Verdict};
use auric_wallet::store::{WalletStore, WalletTx};
use futures::future::join_all;

use crate::asks::{commit, held, of_player, release, reserve};
use crate::harness::{
    Ledger, assert_books_agree, available, balances, credit, debit, in_pool, on_every_store, outcome, post, send,
};

on_every_store!(
    twenty_parallel_debits_of_one_from_ten_leave_zero,
    twenty_parallel_debits_empty_the_pools_in_order,
    fifty_twins_of_one_key_have_one_effect_and_one_answer,
    one_key_for_two_players_executes_once,
    a_balance_that_changed_while_its_lock_was_waited_for_is_seen,
    what_another_copy_wrote_is_seen_by_one_that_remembers_otherwise,
    a_hold_that_another_copy_ended_is_not_open_for_one_that_made_it,
    a_hold_that_another_copy_made_is_found_by_a_reserve_that_is_refused,
    a_batch_that_was_decided_on_what_is_no_longer_so_writes_nothing,
    a_key_that_another_copy_used_is_not_new_to_one_that_never_met_it,
    a_history_of_the_same_length_is_not_the_one_that_is_remembered,
    another_history_of_another_balance_is_not_the_one_that_is_remembered,
    opposed_storms_neither_deadlock_nor_leave_a_partial_leg,
    a_player_that_many_copies_see_first_is_made_once,
);

async fn copies(ledger: &Ledger) -> Vec<Arc<Handlers>> {
    join_all((0..ledger.copies()).map(|_| ledger.copy())).await
}

/// Sends one mutation a task, dealt out over the copies.
async fn storm(copies: &[Arc<Handlers>], mutations: Vec<Mutation>) -> Vec<Verdict> {
    let mut tasks = tokio::task::JoinSet::new();
    for (index, mutation) in mutations.into_iter().enumerate() {
        let wallet = Arc::clone(&copies[index % copies.len()]);
        tasks.spawn(async move { (index, send(&wallet, mutation).await) });
    }
    let mut verdicts = tasks.join_all().await;
    verdicts.sort_by_key(|(index, _)| *index);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn applied(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Answered { outcome: Ok(_), .. })).count()
}

async fn what_another_copy_wrote_is_seen_by_one_that_remembers_otherwise(ledger: Ledger) {
    // R-W4, R-O5: a copy keeps in memory what it wrote last. A refusal writes nothing that could show that the memory is old.
    let copies = copies(&ledger).await;
    let give = |key: String| post(&key, vec![credit("p", "lumees", 10)]);
    let take = |key: String| post(&key, vec![debit("p", "lumees", 10)]);
    outcome(&copies[0], give("first".to_owned())).await.unwrap();
    for (turn, (one, other)) in copies.iter().zip(copies.iter().cycle().skip(1)).enumerate() {
        outcome(one, take(format!("take-{turn}"))).await.unwrap();
        outcome(other, give(format!("give-{turn}"))).await.unwrap();
        let taken = outcome(one, take(format!("take-what-came-{turn}"))).await;
        assert_eq!(taken.unwrap().movements[0].after.available_units(), 0, "turn {turn}");
        let refused = outcome(other, take(format!("take-what-went-{turn}"))).await;
        assert_eq!(refused.unwrap_err().reason(), "INSUFFICIENT_FUNDS", "turn {turn}");
        outcome(one, give(format!("give-back-{turn}"))).await.unwrap();
    }
    assert_books_agree(&copies[0]).await;
}

async fn a_hold_that_another_copy_ended_is_not_open_for_one_that_made_it(ledger: Ledger) {
    // R-W6, R-O5: a copy keeps in memory the holds that it made. To refuse an amount writes nothing that could show that the memory is old.
    let copies = copies(&ledger).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    for (turn, (one, other)) in copies.iter().zip(copies.iter().cycle().skip(1)).enumerate() {
        let [hold, never] = [format!("h{turn}"), format!("n{turn}")];
        outcome(one, reserve(&format!("reserve-{turn}"), &hold, vec![held("p", "lumees", 5)])).await.unwrap();
        outcome(one, reserve(&format!("keep-{turn}"), &never, vec![held("p", "lumees", 5)])).await.unwrap();
        let too_much = of_player("p", commit(&format!("above-{turn}"), &never, &[6]));
        assert_eq!(outcome(one, too_much).await.unwrap_err().reason(), "ABOVE_HELD", "turn {turn}");
        outcome(other, of_player("p", commit(&format!("commit-{turn}"), &hold, &[]))).await.unwrap();
        let late = of_player("p", commit(&format!("late-{turn}"), &hold, &[6]));
        assert_eq!(outcome(one, late).await.unwrap_err().reason(), "HOLD_ENDED", "turn {turn}");
        let again = of_player("p", commit(&format!("again-{turn}"), &hold, &[5]));
        let taken = outcome(one, again).await.unwrap();
        assert_eq!(taken.movements[0].after.available_units(), available(one, "p", "lumees").await, "turn {turn}");
        outcome(one, of_player("p", release(&format!("release-{turn}"), &never))).await.unwrap();
    }
    assert_books_agree(&copies[0]).await;
}

async fn a_hold_that_another_copy_made_is_found_by_a_reserve_that_is_refused(ledger: Ledger) {
    // R-W6, R-O5: who remembers the player takes a hold that is to be made for absent. A refusal inserts nothing that could show that it is not.
    let copies = copies(&ledger).await;
    let (one, other) = (&copies[0], &copies[1 % copies.len()]);
    outcome(one, post("fund-p", vec![credit("p", "lumees", 5)])).await.unwrap();
    outcome(other, post("fund-q", vec![credit("q", "lumees", 5)])).await.unwrap();
    outcome(other, reserve("first", "h", vec![held("q", "lumees", 5)])).await.unwrap();
    let refused = outcome(one, reserve("second", "h", vec![held("p", "lumees", 6)])).await.unwrap_err();
    assert_eq!(refused.reason(), "HOLD_ID_REUSED");
    let refused = outcome(one, reserve("third", "h", vec![held("p", "lumees", 5)])).await.unwrap_err();
    assert_eq!(refused.reason(), "HOLD_ID_REUSED");
    assert_eq!(available(one, "p", "lumees").await, 5);
    assert_books_agree(one).await;
}

async fn a_batch_that_was_decided_on_what_is_no_longer_so_writes_nothing(ledger: Ledger) {
    // R-W4, R-O5: a batch of which all is remembered is decided before anything is locked. Another copy writes between that and the commit: nothing
    // of the batch is written, be it a success of both players or a refusal that was true until then.
    if ledger.copies() == 1 {
        return;
    }
    let wallet = ledger.copy().await;
    let fund = |key: &str| post(key, vec![credit("p", "lumees", 10), credit("q", "lumees", 10)]);
    let spend = |key: &str, units| post(key, vec![debit("p", "lumees", units), debit("q", "lumees", 1)]);
    outcome(&wallet, post("other", vec![credit("p", "aether", 1)])).await.unwrap();
    // A balance that the batch has nothing to do with moves the head as well.
    for (late, asset) in [
        (spend("both", 1), "lumees"),
        (spend("refused", 1_000), "lumees"),
        (spend("both-by-head", 1), "aether"),
        (spend("refused-by-head", 1_000), "aether"),
    ] {
        let store = ledger.store().await;
        run(&ledger, store.as_ref(), &fund(&format!("fund-{}", late.key.key))).await.unwrap();
        let (mut book, transaction) = open(&ledger, store.as_ref(), &late).await;
        let meanwhile = post(&format!("before-{}", late.key.key), vec![credit("p", asset, 1)]);
        outcome(&wallet, meanwhile).await.unwrap();
        auric_wallet::domain::decide(&mut book, &ledger.rules, &late);
        let committed = transaction.commit(book.into_journal(), 0).await;
        assert!(matches!(committed, Err(StoreError::Contended(Contention::Version, _))), "{committed:?}");
        assert!(store.mutation(&late.key).await.unwrap().is_none(), "{late:?}");
        // Whoever was wrong looks behind the locks for a while: the others wait.
        run(&ledger, store.as_ref(), &late).await.unwrap();
        let (_, lock) = open(&ledger, store.as_ref(), &fund("locked")).await;
        let waits = post(&format!("after-{}", late.key.key), vec![credit("p", "lumees", 1)]);
        let (waited, ()) = tokio::join!(outcome(&wallet, waits), async {
            ledger.wait_for_a_waiter().await;
            drop(lock);
        });
        waited.unwrap();
    }
    assert_books_agree(&wallet).await;
}

async fn a_key_that_another_copy_used_is_not_new_to_one_that_never_met_it(ledger: Ledger) {
    // R-W5, R-O5: who remembers all else takes a key for new. Its insert finds out that it is not; what inserts nothing must look.
    let copies = copies(&ledger).await;
    let other = ledger.newcomer().await;
    for (turn, one) in copies.iter().enumerate() {
        let pay = |key: &str| post(&format!("{key}-{turn}"), vec![credit("p", "lumees", 10)]);
        let poor = post(&format!("poor-{turn}"), vec![debit("p", "lumees", 1_000_000)]);
        let paid = outcome(one, pay("paid")).await.unwrap();
        let refused = outcome(one, poor.clone()).await.unwrap_err();
        // From here on the other copy remembers the player, and has met neither key.
        for warm in ["warm", "and-sure"] {
            outcome(&other, pay(warm)).await.unwrap();
        }
        let again = send(&other, pay("paid")).await;
        assert_eq!(again, Verdict::Answered { outcome: Ok(paid), replayed: true }, "turn {turn}");
        assert_eq!(
            send(&other, poor).await,
            Verdict::Answered { outcome: Err(refused), replayed: true },
            "turn {turn}"
        );
    }
    for turn in 0..copies.len() {
        // A copy of its own each time: one that was wrong looks for a while.
        let other = ledger.newcomer().await;
        for warm in ["once", "twice"] {
            outcome(&other, post(&format!("{warm}-{turn}"), vec![credit("p", "lumees", 1)])).await.unwrap();
        }
        let malformed = post(&format!("paid-{turn}"), vec![in_pool(credit("p", "lumees", 10), "bulk")]);
        let verdict = send(&other, malformed).await;
        assert!(matches!(verdict, Verdict::Unstored(Unstored::KeyReused { .. })), "turn {turn}: {verdict:?}");
    }
    assert_eq!(available(&copies[0], "p", "lumees").await, 32 * u64::try_from(copies.len()).unwrap());
    assert_books_agree(&copies[0]).await;
}

async fn a_history_of_the_same_length_is_not_the_one_that_is_remembered(ledger: Ledger) {
    // R-W4: a database that was brought back from a backup, and written to since, may have come to the same number by another way.
    another_history_is_found(ledger, "lumees").await;
}

async fn another_history_of_another_balance_is_not_the_one_that_is_remembered(ledger: Ledger) {
    // R-W4: the balance that is written next is as it was; the player's newest entry is of another one.
    another_history_is_found(ledger, "aether").await;
}

/// Another history whose newest entry is of the asset `newest`; then the player's lumees are written over what is remembered.
async fn another_history_is_found(ledger: Ledger, newest: &str) {
    let store = ledger.store().await;
    run(&ledger, store.as_ref(), &post("fund", vec![credit("p", "lumees", 10)])).await.unwrap();
    run(&ledger, store.as_ref(), &post("newest", vec![credit("p", newest, 10)])).await.unwrap();
    let (hash, one_writer) = ("ab".repeat(32), ledger.copies() == 1);
    let other = if one_writer { format!("x'{hash}'") } else { format!("decode('{hash}', 'hex')") };
    let guard = if one_writer { "entries_are_not_updated" } else { "entries_are_only_added ON entries" };
    ledger.sql(&format!("DROP TRIGGER {guard}")).await.unwrap();
    for column in ["entries SET hash", "balances SET last_hash"] {
        let forged = format!("UPDATE {column} = {other} WHERE player_id = 'p' AND asset_id = '{newest}'");
        assert!(ledger.sql(&forged).await.unwrap() > 0);
    }
    let spend = post("spend", vec![debit("p", "lumees", 1)]);
    let refuted = run(&ledger, store.as_ref(), &spend).await;
    assert!(matches!(refuted, Err(StoreError::Contended(Contention::Version, _))), "{refuted:?}");
    run(&ledger, store.as_ref(), &spend).await.unwrap();
}

async fn open(ledger: &Ledger, store: &dyn WalletStore, mutation: &Mutation) -> (Book, Box<dyn WalletTx>) {
    let mut keys = BatchKeys::new(&ledger.rules.assets);
    keys.add(mutation);
    store.open(keys).await.unwrap()
}

async fn run(ledger: &Ledger, store: &dyn WalletStore, mutation: &Mutation) -> Result<(), StoreError> {
    let (mut book, transaction) = open(ledger, store, mutation).await;
    auric_wallet::domain::decide(&mut book, &ledger.rules, mutation);
    transaction.commit(book.into_journal(), 0).await
}

pub(super) async fn twenty_parallel_debits_of_one_from_ten_leave_zero(ledger: Ledger) {
    // R-W4: the earlier system let 20 through on SQLite.
    let copies = copies(&ledger).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 10)])).await.unwrap();
    let debits = (0..20).map(|n| post(&format!("debit-{n}"), vec![debit("p", "lumees", 1)])).collect();
    let verdicts = storm(&copies, debits).await;
    assert_eq!(applied(&verdicts), 10);
    assert_eq!(available(&copies[0], "p", "lumees").await, 0);
    assert_books_agree(&copies[0]).await;
}

async fn twenty_parallel_debits_empty_the_pools_in_order(ledger: Ledger) {
    // R-W4, R-W8: 5 subscription + 5 bulk credits.
    let copies = copies(&ledger).await;
    let fund = |pool| in_pool(credit("p", "credit", 5), pool);
    outcome(&copies[0], post("fund", vec![fund("subscription"), fund("bulk")])).await.unwrap();
    let debits = (0..4).map(|n| post(&format!("first-{n}"), vec![debit("p", "credit", 1)])).collect();
    assert_eq!(applied(&storm(&copies, debits).await), 4);
    let left: Vec<u64> = balances(&copies[0], "p", "credit").await.iter().map(|b| b.available_units()).collect();
    assert_eq!(left, [1, 5], "subscription is spent before bulk");

    let debits = (0..16).map(|n| post(&format!("debit-{n}"), vec![debit("p", "credit", 1)])).collect();
    assert_eq!(applied(&storm(&copies, debits).await), 6);
    assert_eq!(available(&copies[0], "p", "credit").await, 0);
    assert_books_agree(&copies[0]).await;
}

pub(super) async fn fifty_twins_of_one_key_have_one_effect_and_one_answer(ledger: Ledger) {
    // R-W5, R-W13
    let copies = copies(&ledger).await;
    let verdicts = storm(&copies, (0..50).map(|_| post("twin", vec![credit("p", "lumees", 7)])).collect()).await;
    let mut first_answers = 0;
    let mut outcomes = Vec::new();
    for verdict in verdicts {
        let Verdict::Answered { outcome, replayed } = verdict else { panic!("{verdict:?}") };
        first_answers += usize::from(!replayed);
        outcomes.push(outcome);
    }
    assert_eq!(first_answers, 1);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0] && outcome.is_ok()));
    assert_eq!(available(&copies[0], "p", "lumees").await, 7);
    assert_books_agree(&copies[0]).await;
}

pub(super) async fn one_key_for_two_players_executes_once(ledger: Ledger) {
    // R-W5. With (player, caller, key) as the primary key, both ran: they hold different locks.
    let copies = copies(&ledger).await;
    for round in 0..20 {
        let key = format!("shared-{round}");
        let mutations = ["a", "b"].map(|name| post(&key, vec![credit(name, "lumees", 1)])).to_vec();
        let verdicts = storm(&copies, mutations).await;
        assert_eq!(applied(&verdicts), 1, "round {round}: {verdicts:?}");
        let reused = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Unstored(Unstored::KeyReused { fields, .. }) => Some(fields.clone()),
            _ => None,
        });
        assert_eq!(reused, Some(vec!["legs".to_owned()]), "round {round}");
    }
    let sum = available(&copies[0], "a", "lumees").await + available(&copies[0], "b", "lumees").await;
    assert_eq!(sum, 20);
    assert_books_agree(&copies[0]).await;
}

async fn a_balance_that_changed_while_its_lock_was_waited_for_is_seen(ledger: Ledger) {
    // A lock and a load in one statement read 100 here, where 0 was true.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();

    let spend = post("spend", vec![debit("p", "lumees", 100)]);
    let (mut book, transaction) = open(&ledger, ledger.store().await.as_ref(), &spend).await;
    let mut late = tokio::task::JoinSet::new();
    late.spawn({
        let wallet = ledger.copy().await;
        async move { outcome(&wallet, post("late", vec![debit("p", "lumees", 100)])).await }
    });
    ledger.wait_for_a_waiter().await;
    auric_wallet::domain::decide(&mut book, &ledger.rules, &spend);
    transaction.commit(book.into_journal(), 0).await.unwrap();

    late.join_all().await.remove(0).expect_err("the late one sees an empty balance");
    assert_eq!(available(&wallet, "p", "lumees").await, 0);
    assert_books_agree(&wallet).await;
}

pub(super) async fn opposed_storms_neither_deadlock_nor_leave_a_partial_leg(ledger: Ledger) {
    // R-W3: batches that lock the same players in opposite request order queue, they do not deadlock.
    let copies = copies(&ledger).await;
    let names = ["a", "b", "c", "d"];
    let fund = names.iter().map(|name| credit(name, "aether", 50)).collect();
    outcome(&copies[0], post("fund", fund)).await.unwrap();
    let transfer = |n: usize| {
        let (from, to) = (names[n % 4], names[(n * 7 + 1 + n / 4) % 4]);
        let amount = 1 + i64::try_from(n % 30).unwrap();
        let mut legs: Vec<Leg> = vec![debit(from, "aether", amount), credit(to, "aether", amount)];
        if n.is_multiple_of(2) {
            legs.reverse();
        }
        post(&format!("t-{n}"), legs)
    };
    let verdicts = storm(&copies, (0..400).map(transfer).collect()).await;
    assert_eq!(verdicts.len(), 400);
    let mut sum = 0;
    for name in names {
        sum += available(&copies[0], name, "aether").await;
    }
    assert_eq!(sum, 200, "what one gave another got");
    assert_books_agree(&copies[0]).await;
}

async fn a_player_that_many_copies_see_first_is_made_once(ledger: Ledger) {
    let copies = copies(&ledger).await;
    let names: Vec<String> = (0..40).map(|n| format!("new-{n}")).collect();
    // Each posting makes four players, in another order than its neighbours.
    let posts = (0..40_usize).map(|n| {
        let legs = (0..4).map(|k| credit(&names[(n * 11 + k * 17) % 40], "lumees", 1)).collect();
        post(&format!("make-{n}"), legs)
    });
    assert_eq!(applied(&storm(&copies, posts.collect()).await), 40);
    let mut sum = 0;
    for name in &names {
        sum += available(&copies[0], name, "lumees").await;
    }
    assert_eq!(sum, 160);
}
