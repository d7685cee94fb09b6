//! Credit pools: renewed, added to, spent in order (R-W8).

use auric_wallet::domain::{MovementKind, Unstored};

use crate::asks::{commit, end_in, held, hold_of, release, renew, reserve};
use crate::harness::{
    Ledger, assert_books_agree, audit, balances, credit, debit, in_pool, on_every_store, outcome, post, unstored,
};

on_every_store!(
    a_renewal_sets_its_pool_and_leaves_the_other_alone,
    bulk_purchases_add_up,
    what_a_renewal_finds_held_lapses_on_release,
    what_a_renewal_finds_held_can_still_be_committed,
    a_renewal_counts_what_is_held_against_the_maximum,
    only_pools_are_renewed,
);

async fn fund(wallet: &auric_wallet::Handlers, key: &str, pool: &str, units: i64) {
    outcome(wallet, post(key, vec![in_pool(credit("p", "credit", units), pool)])).await.unwrap();
}

async fn pools(wallet: &auric_wallet::Handlers) -> Vec<[u64; 4]> {
    balances(wallet, "p", "credit").await.iter().map(|balance| balance.parts()).collect()
}

async fn a_renewal_sets_its_pool_and_leaves_the_other_alone(ledger: Ledger) {
    // R-W8: 5 → 20, bulk stays 50.
    let wallet = ledger.copy().await;
    fund(&wallet, "subscribe", "subscription", 5).await;
    fund(&wallet, "buy", "bulk", 50).await;
    let renewed = outcome(&wallet, renew("renew", "p", "subscription", 20)).await.unwrap();
    let kinds: Vec<(MovementKind, i64)> =
        renewed.movements.iter().map(|movement| (movement.kind, movement.change.available_units)).collect();
    assert_eq!(kinds, [(MovementKind::Lapsed, -5), (MovementKind::Renewed, 20)]);
    assert_eq!(
        outcome(&wallet, renew("renew", "p", "subscription", 20)).await.unwrap(),
        renewed,
        "a retry renews once"
    );
    assert_eq!(pools(&wallet).await, [[20, 0, 0, 0], [50, 0, 0, 0]]);
    outcome(&wallet, renew("cancel", "p", "subscription", 0)).await.unwrap();
    assert_eq!(pools(&wallet).await, [[0, 0, 0, 0], [50, 0, 0, 0]]);
    assert_books_agree(&wallet).await;
}

async fn bulk_purchases_add_up(ledger: Ledger) {
    // R-W8: 50 + 100 + 250 = 400.
    let wallet = ledger.copy().await;
    for units in [50, 100, 250] {
        fund(&wallet, &format!("bulk_{units}"), "bulk", units).await;
    }
    assert_eq!(pools(&wallet).await, [[0, 0, 0, 0], [400, 0, 0, 0]]);
    assert_books_agree(&wallet).await;
}

async fn what_a_renewal_finds_held_lapses_on_release(ledger: Ledger) {
    // R-W8. A renewal while units are held, then a release: elsewhere the pool doubled.
    let wallet = ledger.copy().await;
    fund(&wallet, "subscribe", "subscription", 5).await;
    fund(&wallet, "buy", "bulk", 50).await;
    outcome(&wallet, reserve("r", "h", vec![held("p", "credit", 8)])).await.unwrap();
    assert_eq!(pools(&wallet).await, [[0, 5, 0, 0], [47, 3, 0, 0]]);
    outcome(&wallet, renew("renew", "p", "subscription", 20)).await.unwrap();
    assert_eq!(pools(&wallet).await, [[20, 5, 0, 0], [47, 3, 0, 0]]);
    outcome(&wallet, release("give-back", "h")).await.unwrap();
    assert_eq!(pools(&wallet).await, [[20, 0, 0, 0], [50, 0, 0, 0]]);
    let lapsed =
        audit(&wallet, "p").await.into_iter().find(|entry| entry.movement.kind == MovementKind::Lapsed).unwrap();
    assert_eq!((lapsed.movement.change.held_units, lapsed.movement.change.available_units), (-5, 0));
    // What is held of the new generation is given back as ever.
    outcome(&wallet, reserve("r2", "h2", vec![held("p", "credit", 20)])).await.unwrap();
    outcome(&wallet, release("give-back-2", "h2")).await.unwrap();
    assert_eq!(pools(&wallet).await, [[20, 0, 0, 0], [50, 0, 0, 0]]);
    assert_books_agree(&wallet).await;
}

async fn what_a_renewal_finds_held_can_still_be_committed(ledger: Ledger) {
    // R-W8: in part, and the rest of the old generation lapses.
    let wallet = ledger.copy().await;
    fund(&wallet, "subscribe", "subscription", 5).await;
    fund(&wallet, "buy", "bulk", 50).await;
    let named = hold_of(Some(end_in("p", "credit", "subscription")), None, 5);
    let to_bulk = hold_of(None, Some(end_in("p", "credit", "bulk")), 10);
    outcome(&wallet, reserve("r", "h", vec![named, to_bulk])).await.unwrap();
    outcome(&wallet, renew("renew", "p", "subscription", 20)).await.unwrap();
    outcome(&wallet, commit("take", "h", &[3, 10])).await.unwrap();
    assert_eq!(pools(&wallet).await, [[20, 0, 0, 0], [60, 0, 0, 0]]);
    assert_books_agree(&wallet).await;
}

async fn a_renewal_counts_what_is_held_against_the_maximum(ledger: Ledger) {
    // R-W4, R-W8: the maximum is 1,000 a pool.
    let wallet = ledger.copy().await;
    fund(&wallet, "subscribe", "subscription", 10).await;
    outcome(&wallet, reserve("r", "h", vec![held("p", "credit", 10)])).await.unwrap();
    let refused = outcome(&wallet, renew("too-much", "p", "subscription", 991)).await.unwrap_err();
    assert_eq!(refused.reason(), "ABOVE_MAXIMUM");
    outcome(&wallet, renew("fits", "p", "subscription", 990)).await.unwrap();
    outcome(&wallet, release("give-back", "h")).await.unwrap();
    assert_eq!(pools(&wallet).await[0], [990, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn only_pools_are_renewed(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let unknown = unstored(&wallet, renew("k", "p", "gold", 1)).await;
    assert!(matches!(unknown, Unstored::Invalid(_)), "{unknown:?}");
    outcome(&wallet, post("k", vec![in_pool(credit("p", "credit", 3), "bulk"), debit("p", "credit", 1)]))
        .await
        .unwrap();
    assert_eq!(pools(&wallet).await[1], [2, 0, 0, 0]);
}
