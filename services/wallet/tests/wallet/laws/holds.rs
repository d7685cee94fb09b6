//! Holds: every verb in every state, however often, and whatever the clock does meanwhile (R-W6).

mod table;

use std::sync::Arc;

use auric_time::Timestamp;
use auric_wallet::domain::{Action, BatchKeys, HoldState, MovementKind, Rejection, Unstored, Verdict};
use futures::future::join_all;

use crate::asks::{HOUR, SECOND, commit, held, moved, of_player, promised, release, reserve, reserve_for};
use crate::harness::{
    Ledger, assert_books_agree, audit, available, balances, credit, debit, on_every_store, outcome, player, post, send,
    unstored,
};
use table::{Kind, State, Verb};

on_every_store!(
    every_verb_in_every_state_does_what_the_table_says,
    a_hold_ends_once_whoever_comes_first,
    a_release_before_its_reserve_voids_the_hold_for_ever,
    a_hold_ends_whoever_its_request_names,
    a_hold_that_another_hand_ended_is_not_ended_again,
    a_whole_hold_is_taken_whole,
    a_commit_that_waited_past_the_deadline_is_too_late,
    a_hold_lapses_at_its_deadline_and_not_before,
    lapsed_units_can_be_spent_with_no_sweeper,
    a_look_at_lapsed_units_writes_nothing,
    a_hold_of_two_players_never_lapses,
    a_clock_that_goes_back_wakes_no_lapsed_hold,
);

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

async fn every_verb_in_every_state_does_what_the_table_says(mut ledger: Ledger) {
    // Wallets elsewhere accept a try after its cancel, or tell the retry of a successful confirm that it failed.
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    let mut now = START;
    for kind in Kind::ALL {
        for state in State::ALL.into_iter().filter(|state| kind.can_be(*state)) {
            for verb in Verb::ALL {
                let case = table::Case { kind, state, verb };
                let made = case.bring_about(&wallet, &ledger, &mut now).await;
                case.check(&wallet, &made).await;
            }
        }
    }
    assert_books_agree(&wallet).await;
}

pub(super) async fn a_hold_ends_once_whoever_comes_first(ledger: Ledger) {
    // Commit and release both sent, twice each, by several copies; the hold's own lane is not that of its player.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 1_000)])).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..25 {
        let hold = format!("h{number}");
        outcome(&copies[0], reserve(&format!("reserve-{number}"), &hold, vec![moved("p", "q", "lumees", 10)]))
            .await
            .unwrap();
        for (index, copy) in copies.iter().enumerate() {
            let ends = [
                commit(&format!("commit-{number}-{index}"), &hold, &[7]),
                release(&format!("release-{number}-{index}"), &hold),
            ];
            for end in ends {
                let copy = Arc::clone(copy);
                tasks.spawn(async move { (number, outcome(&copy, end).await) });
            }
        }
    }
    let mut committed = 0;
    let answers = tasks.join_all().await;
    for number in 0..25 {
        let applied: Vec<_> = answers.iter().filter(|(of, answer)| *of == number && answer.is_ok()).collect();
        assert_eq!(applied.len(), copies.len(), "one verb won, and all its twins got its answer: {applied:?}");
        assert!(applied.iter().all(|(_, answer)| *answer == applied[0].1));
        let kept = copies[0].hold(&format!("h{number}").parse().unwrap()).await.unwrap().unwrap().0.hold;
        committed += u64::from(matches!(kept.state, HoldState::Committed { .. }));
    }
    assert_eq!(available(&copies[0], "p", "lumees").await, 1_000 - 7 * committed);
    assert_eq!(available(&copies[0], "q", "lumees").await, 7 * committed);
    assert_books_agree(&copies[0]).await;
}

async fn a_release_before_its_reserve_voids_the_hold_for_ever(ledger: Ledger) {
    // A coordinator that gave up overtakes its own reserve, which is sent again by others for as long as they like.
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let voided = outcome(&copies[0], release("r", "h")).await.unwrap();
    assert!(voided.voided);
    for (index, copy) in copies.iter().chain(&copies).enumerate() {
        let late = reserve(&format!("late-{index}"), "h", vec![held("p", "lumees", 10)]);
        let refused = outcome(copy, late.clone()).await.unwrap_err();
        let Rejection::HoldEnded { state, ended_at, .. } = &refused else { panic!("{refused:?}") };
        assert_eq!((state.as_str(), *ended_at), ("voided", voided.time));
        assert_eq!(send(copy, late).await, Verdict::Answered { outcome: Err(refused), replayed: true });
    }
    assert_eq!(available(&copies[0], "p", "lumees").await, 100);
    assert_books_agree(&copies[0]).await;
}

async fn a_hold_ends_whoever_its_request_names(ledger: Ledger) {
    // The player beside a hold is a hint: those who are not named, and those of a wrong hint, are found all the same, and locked.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 1_000)])).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, hint) in [None, Some("p"), Some("q"), Some("stranger")].into_iter().enumerate() {
        for legs in [vec![held("p", "lumees", 10)], vec![moved("p", "q", "lumees", 10)]] {
            let hold = format!("h{number}-{}", legs[0].to.is_some());
            outcome(&copies[0], reserve(&format!("reserve-{hold}"), &hold, legs)).await.unwrap();
            for (index, copy) in copies.iter().enumerate() {
                let commit = commit(&format!("commit-{hold}-{index}"), &hold, &[]);
                let commit = if let Some(name) = hint { of_player(name, commit) } else { commit };
                let copy = Arc::clone(copy);
                tasks.spawn(async move { outcome(&copy, commit).await });
            }
        }
    }
    for ended in tasks.join_all().await {
        ended.unwrap();
    }
    assert_eq!((available(&copies[0], "p", "lumees").await, available(&copies[0], "q", "lumees").await), (920, 40));
    assert_books_agree(&copies[0]).await;
}

async fn a_hold_that_another_hand_ended_is_not_ended_again(ledger: Ledger) {
    // Past the ledger: the copy that remembers it open learns how it stands by the row that it is to write over.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 10)])).await.unwrap();
    outcome(&wallet, reserve("r", "h", vec![held("p", "lumees", 4)])).await.unwrap();
    assert_eq!(ledger.sql("UPDATE holds SET state = 'expired' WHERE hold_id = 'h'").await.unwrap(), 1);
    let mut asked = commit("c", "h", &[]);
    let Action::Commit(named) = &mut asked.action else { panic!("a commit") };
    named.player = Some(player("p"));
    let refused = outcome(&wallet, asked).await.unwrap_err();
    assert!(matches!(&refused, Rejection::HoldEnded { state, .. } if state == "expired"), "{refused:?}");
    assert_eq!(balances(&wallet, "p", "lumees").await[0].parts(), [6, 4, 0, 0], "nothing was taken");
}

async fn a_whole_hold_is_taken_whole(ledger: Ledger) {
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let mut whole = reserve("k", "h", vec![held("p", "lumees", 10), promised("p", "token", 4)]);
    let auric_wallet::domain::Action::Reserve(reserve) = &mut whole.action else { panic!("{whole:?}") };
    reserve.whole = true;
    outcome(&wallet, whole).await.unwrap();
    for (key, amounts) in [("none", [0, 0]), ("part", [10, 3])] {
        assert_eq!(outcome(&wallet, commit(key, "h", &amounts)).await.unwrap_err().reason(), "HOLD_IS_WHOLE");
    }
    outcome(&wallet, commit("all", "h", &[10, 4])).await.unwrap();
    assert_eq!((available(&wallet, "p", "lumees").await, available(&wallet, "p", "token").await), (90, 4));
    assert_books_agree(&wallet).await;
}

async fn a_commit_that_waited_past_the_deadline_is_too_late(mut ledger: Ledger) {
    // A deadline that is compared in the statement that waits for the lock is compared with the time before the wait. The copy that made the hold
    // remembers it, and needs no lock before it decides: it takes one when the deadline may come while it waits.
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let other = ledger.copy().await;
    for (copy, hold, deadline) in [(Arc::clone(&wallet), "remembered", 60 * SECOND), (other, "unknown", 120 * SECOND)] {
        outcome(&wallet, reserve_for(hold, hold, vec![held("p", "lumees", 10)], 60 * SECOND)).await.unwrap();
        let mut keys = BatchKeys::new(&ledger.rules.assets);
        keys.add(&post("lock", vec![credit("p", "lumees", 1)]));
        let (_, lock) = ledger.store().await.open(keys).await.unwrap();
        ledger.set_clock(START.plus_micros(deadline - SECOND)).await;
        let mut late = tokio::task::JoinSet::new();
        late.spawn(async move { outcome(&copy, of_player("p", commit(&format!("commit-{hold}"), hold, &[]))).await });
        ledger.wait_for_a_waiter().await;
        ledger.set_clock(START.plus_micros(deadline)).await;
        drop(lock);

        let refused = late.join_all().await.remove(0).expect_err(hold);
        let Rejection::HoldEnded { state, .. } = &refused else { panic!("{hold}: {refused:?}") };
        assert_eq!(state, "expired", "{hold}");
        assert_eq!(available(&wallet, "p", "lumees").await, 100, "{hold}");
    }
    assert_books_agree(&wallet).await;
}

async fn a_hold_lapses_at_its_deadline_and_not_before(mut ledger: Ledger) {
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    for (hold, lapses) in [("before", false), ("at", true)] {
        let now = START.plus_micros(if lapses { HOUR } else { 0 });
        ledger.set_clock(now).await;
        let made = outcome(&wallet, reserve_for(hold, hold, vec![held("p", "lumees", 10)], 60 * SECOND)).await.unwrap();
        assert_eq!(made.expires_at, Some(now.plus_micros(60 * SECOND)));
        ledger.set_clock(now.plus_micros(60 * SECOND - i64::from(!lapses))).await;
        let ended = outcome(&wallet, commit(&format!("commit-{hold}"), hold, &[])).await;
        assert_eq!(ended.is_err(), lapses, "{hold}: {ended:?}");
    }
    assert_eq!(available(&wallet, "p", "lumees").await, 90);
    assert_books_agree(&wallet).await;
}

async fn lapsed_units_can_be_spent_with_no_sweeper(mut ledger: Ledger) {
    // A sweeper that is down must not keep anyone's money: who acts writes the expiry, in the same transaction.
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let legs = vec![held("p", "lumees", 60), promised("p", "token", 100)];
    outcome(&wallet, reserve_for("k", "h", legs, 60 * SECOND)).await.unwrap();
    outcome(&wallet, reserve_for("k2", "longer", vec![held("p", "lumees", 1)], HOUR)).await.unwrap();
    outcome(&wallet, post("early", vec![debit("p", "lumees", 60)])).await.unwrap_err();
    ledger.set_clock(START.plus_micros(60 * SECOND)).await;

    outcome(&wallet, post("spend", vec![debit("p", "lumees", 99), credit("p", "token", 100)])).await.unwrap();
    let kinds: Vec<MovementKind> = audit(&wallet, "p").await.iter().skip(4).map(|entry| entry.movement.kind).collect();
    let (expired, posted) = (MovementKind::Expired, MovementKind::Posted);
    assert_eq!(kinds, [expired, expired, posted, posted]);
    let state = async |id: &str| wallet.hold(&id.parse().unwrap()).await.unwrap().unwrap().0.hold.state;
    assert!(matches!(state("h").await, HoldState::Expired { .. }));
    assert!(matches!(state("longer").await, HoldState::Held));
    // The one that is left is still known to lapse.
    ledger.set_clock(START.plus_micros(HOUR)).await;
    outcome(&wallet, post("last", vec![debit("p", "lumees", 1)])).await.unwrap();
    assert_books_agree(&wallet).await;
}

async fn a_look_at_lapsed_units_writes_nothing(mut ledger: Ledger) {
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    outcome(&wallet, reserve_for("k", "h", vec![held("p", "lumees", 60)], 60 * SECOND)).await.unwrap();
    let before = audit(&wallet, "p").await;
    ledger.set_clock(START.plus_micros(60 * SECOND)).await;
    assert_eq!(balances(&wallet, "p", "lumees").await[0].parts(), [100, 0, 0, 0]);
    assert_eq!(audit(&wallet, "p").await, before);
    let (kept, now) = wallet.hold(&"h".parse().unwrap()).await.unwrap().unwrap();
    assert!(kept.hold.is_open() && kept.hold.is_due(now), "whoever asks for the hold is told both");
    assert_books_agree(&wallet).await;
}

async fn a_hold_of_two_players_never_lapses(ledger: Ledger) {
    // An expiry never overrides a decision: what a coordinator holds for two stands until it says.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    let refused = unstored(&wallet, reserve_for("k", "h", vec![moved("p", "q", "lumees", 10)], 60 * SECOND)).await;
    let Unstored::Invalid(bad) = refused else { panic!("{refused:?}") };
    assert_eq!(bad[0].path, "ttl");
    outcome(&wallet, reserve("k", "h", vec![moved("p", "q", "lumees", 10)])).await.unwrap();
    assert_books_agree(&wallet).await;
}

async fn a_clock_that_goes_back_wakes_no_lapsed_hold(mut ledger: Ledger) {
    // A failover to a server whose clock is behind.
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    outcome(&wallet, reserve_for("k", "h", vec![held("p", "lumees", 60)], 60 * SECOND)).await.unwrap();
    ledger.set_clock(START.plus_micros(61 * SECOND)).await;
    outcome(&wallet, post("act", vec![debit("p", "lumees", 1)])).await.unwrap();
    ledger.set_clock(START.plus_micros(-HOUR)).await;
    outcome(&wallet, commit("c", "h", &[])).await.unwrap_err();
    // What is held now is held from the newest time that the player was told.
    let made = outcome(&wallet, reserve_for("k2", "h2", vec![held("p", "lumees", 60)], 60 * SECOND)).await.unwrap();
    assert_eq!(made.expires_at, Some(START.plus_micros(121 * SECOND)));
    outcome(&wallet, commit("c2", "h2", &[])).await.unwrap();
    let times: Vec<Timestamp> = audit(&wallet, "p").await.iter().map(|entry| entry.time).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_books_agree(&wallet).await;
}
