//! Claims: guarded in the database, paid once, whole or not at all (R-W7, R-W13).

use std::sync::Arc;

use auric_wallet::domain::{Mutation, Rejection, Verdict};
use futures::future::join_all;

use crate::asks::{by, claim, guard};
use crate::harness::{
    Ledger, assert_books_agree, audit, available, credit, debit, on_every_store, outcome, post, send,
};

on_every_store!(
    two_claims_at_the_same_instant_pay_once,
    a_second_claim_is_told_what_the_first_paid,
    a_refused_claim_leaves_its_guard,
    an_ascension_reward_lands_whole_or_not_at_all,
    a_guard_is_of_one_player_and_one_kind,
    claims_of_two_kinds_in_one_batch_both_pay,
);

fn daily(key: &str) -> Mutation {
    claim(key, guard("p", "daily", "2026-11-22"), vec![credit("p", "lumees", 50)])
}

pub(super) async fn two_claims_at_the_same_instant_pay_once(ledger: Ledger) {
    // R-W7, R-W13: two clicks are two keys, and two copies; a guard that is looked up before the lock lets both through.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    for round in 0..10 {
        let mut tasks = tokio::task::JoinSet::new();
        for click in 0..20 {
            let copy = Arc::clone(&copies[click % copies.len()]);
            let player = format!("p{round}");
            let guard = guard(&player, "daily", "2026-11-22");
            let request = claim(&format!("click-{round}-{click}"), guard, vec![credit(&player, "lumees", 50)]);
            tasks.spawn(async move { outcome(&copy, request).await });
        }
        let answers = tasks.join_all().await;
        let paid: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(paid.len(), 1, "round {round}: {answers:?}");
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            let Rejection::ClaimMade { first, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(&first, &paid[0]);
        }
        assert_eq!(available(&copies[0], &format!("p{round}"), "lumees").await, 50);
    }
    assert_books_agree(&copies[0]).await;
}

async fn a_second_claim_is_told_what_the_first_paid(ledger: Ledger) {
    // R-W7: "already claimed" hides a reward whose answer was lost; the same key gets it again.
    let wallet = ledger.copy().await;
    let paid = outcome(&wallet, daily("first")).await.unwrap();
    assert_eq!(send(&wallet, daily("first")).await, Verdict::Answered { outcome: Ok(paid.clone()), replayed: true });
    let second = outcome(&*ledger.copy().await, by("shop", daily("second"))).await.unwrap_err();
    let Rejection::ClaimMade { caller, idempotency_key, first } = &second else { panic!("{second:?}") };
    assert_eq!((caller.as_str(), idempotency_key.as_str()), ("game", "first"));
    assert_eq!((first, first.time), (&paid, paid.time));
    assert_eq!(available(&wallet, "p", "lumees").await, 50);
    assert_books_agree(&wallet).await;
}

async fn a_refused_claim_leaves_its_guard(ledger: Ledger) {
    // R-W7: a claim that costs something, made before the player can pay.
    let wallet = ledger.copy().await;
    let exchange = |key: &str| {
        claim(key, guard("p", "token_redemption", "7"), vec![debit("p", "token", 3), credit("p", "lumees", 9)])
    };
    let refused = outcome(&wallet, exchange("too-early")).await.unwrap_err();
    assert_eq!(refused.reason(), "INSUFFICIENT_FUNDS");
    outcome(&wallet, post("earn", vec![credit("p", "token", 3)])).await.unwrap();
    assert_eq!(outcome(&wallet, exchange("too-early")).await.unwrap_err(), refused, "its own key stays refused");
    outcome(&wallet, exchange("now")).await.unwrap();
    outcome(&wallet, exchange("again")).await.unwrap_err();
    assert_eq!((available(&wallet, "p", "token").await, available(&wallet, "p", "lumees").await), (0, 9));
    assert_books_agree(&wallet).await;
}

async fn an_ascension_reward_lands_whole_or_not_at_all(ledger: Ledger) {
    // R-W3, R-W7, R-P1: 1,000 lumees + 500 xp + tokens, and the levels that the xp is good for.
    let wallet = ledger.copy().await;
    let reward = |key: &str, tokens| {
        let legs = vec![credit("p", "lumees", 1_000), credit("p", "xp", 500), credit("p", "token", tokens)];
        claim(key, guard("p", "ascension_victory", "floor-9"), legs)
    };
    let refused = outcome(&wallet, reward("too-many", 101)).await.unwrap_err();
    assert_eq!(refused.reason(), "ABOVE_MAXIMUM");
    assert!(audit(&wallet, "p").await.is_empty(), "nothing of it is left");
    outcome(&wallet, reward("fits", 3)).await.unwrap();
    let gained = [("lumees", 1_000), ("xp", 500), ("token", 3), ("levels_gained", 3), ("stat_points", 15)];
    for (asset, units) in gained {
        assert_eq!(available(&wallet, "p", asset).await, units, "{asset}");
    }
    assert_books_agree(&wallet).await;
}

async fn a_guard_is_of_one_player_and_one_kind(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let legs = || vec![credit("p", "lumees", 1)];
    let guards =
        [guard("p", "daily", "1"), guard("p", "daily", "2"), guard("p", "daily_quest", "1"), guard("q", "daily", "1")];
    for (index, guard) in guards.into_iter().enumerate() {
        outcome(&wallet, claim(&format!("k{index}"), guard, legs())).await.unwrap();
    }
    assert_eq!(available(&wallet, "p", "lumees").await, 4);
    assert_books_agree(&wallet).await;
}

async fn claims_of_two_kinds_in_one_batch_both_pay(ledger: Ledger) {
    // And twins within a batch: the second is told the first's answer, though no store has it yet.
    let wallet = ledger.copy().await;
    let kinds = ["pvp_victory", "pve_victory", "pvp_victory", "pve_victory"];
    let claims = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| claim(&format!("k{index}"), guard("p", kind, "1"), vec![credit("p", "lumees", 1)]));
    let answers = join_all(claims.map(|request| outcome(&wallet, request))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2, "{answers:?}");
    assert_eq!(available(&wallet, "p", "lumees").await, 2);
    assert_books_agree(&wallet).await;
}
