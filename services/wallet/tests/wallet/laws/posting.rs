//! What one posting does to balances (R-W1, R-W3, R-W4, R-W8).

use auric_wallet::domain::{AtMaximum, BoundFault, Direction, Rejection, Unstored};

use crate::harness::{
    Ledger, assert_books_agree, audit, available, balances, credit, debit, in_pool, leg, on_every_store, outcome,
    player, post, unstored,
};

on_every_store!(
    a_posting_lands_whole_or_not_at_all,
    every_balance_at_fault_is_named,
    bounds_are_tested_net,
    a_credit_says_what_happens_at_the_maximum,
    no_balance_passes_the_bound_of_all_balances,
    points_only_ever_grow,
    pools_are_named_where_they_must_be,
);

async fn a_posting_lands_whole_or_not_at_all(ledger: Ledger) {
    // R-W3: coins + XP + tokens in one.
    let wallet = ledger.copy().await;
    let reward =
        vec![credit("p", "lumees", 1_000), credit("p", "xp", 500), credit("p", "token", 2), debit("q", "aether", 1)];
    outcome(&wallet, post("broken", reward.clone())).await.unwrap_err();
    for asset in ["lumees", "xp", "token"] {
        assert_eq!(available(&wallet, "p", asset).await, 0, "{asset}");
    }
    assert!(audit(&wallet, "p").await.is_empty());
    let posted = outcome(&wallet, post("whole", reward[..3].to_vec())).await.unwrap();
    assert_eq!(posted.movements.len(), 5, "and the levels that the xp is good for, in the same transaction");
    assert_eq!(available(&wallet, "p", "xp").await, 500);
    assert_books_agree(&wallet).await;
}

async fn every_balance_at_fault_is_named(ledger: Ledger) {
    // R-W4
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 30), credit("q", "token", 99)])).await.unwrap();
    let legs =
        vec![debit("p", "lumees", 31), credit("q", "token", 2), debit("q", "aether", 1), debit("q", "credit", 4)];
    let refused = outcome(&wallet, post("k", legs)).await.unwrap_err();
    let Rejection::OutOfBounds { faults } = &refused else { panic!("{refused:?}") };
    let short = |name: &str, asset: &str, available_units, asked_units| BoundFault::Insufficient {
        player: player(name),
        asset: asset.parse().unwrap(),
        pool: "".parse().unwrap(),
        available_units,
        asked_units,
    };
    let full = BoundFault::AboveMaximum {
        player: player("q"),
        asset: "token".parse().unwrap(),
        pool: "".parse().unwrap(),
        total_units: 99,
        asked_units: 2,
        maximum_units: 100,
    };
    let expected = [short("p", "lumees", 30, 31), short("q", "aether", 0, 1), short("q", "credit", 0, 4), full];
    assert_eq!(faults, &expected);
    assert_eq!(refused.reason(), "INSUFFICIENT_FUNDS");

    // A pool that is full, and credits that all pools together do not have: both are named.
    let legs = vec![in_pool(credit("r", "credit", 2_000), "bulk"), debit("r", "credit", 3_000)];
    let Rejection::OutOfBounds { faults } = outcome(&wallet, post("both", legs)).await.unwrap_err() else { panic!() };
    assert_eq!(faults.len(), 2, "{faults:?}");
}

async fn bounds_are_tested_net(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let legs = vec![debit("p", "lumees", 120), credit("p", "lumees", 150), debit("p", "lumees", 30)];
    outcome(&wallet, post("net-zero", legs)).await.unwrap();
    let changes: Vec<i64> = audit(&wallet, "p").await.iter().map(|e| e.movement.change.available_units).collect();
    assert_eq!(changes, [150, -120, -30], "credits before debits, each in the order of the legs");
    outcome(&wallet, post("net-short", vec![debit("p", "lumees", 11), credit("p", "lumees", 10)])).await.unwrap_err();
    let through_the_roof = vec![credit("p", "token", 150), debit("p", "token", 60)];
    outcome(&wallet, post("net-fits", through_the_roof)).await.unwrap();
    assert_eq!(available(&wallet, "p", "token").await, 90);
    assert_books_agree(&wallet).await;
}

async fn a_credit_says_what_happens_at_the_maximum(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let token = |amount, at_maximum| leg("p", "token", amount, Direction::Credit(at_maximum));
    outcome(&wallet, post("fund", vec![token(90, AtMaximum::Refuse)])).await.unwrap();
    outcome(&wallet, post("refused", vec![token(11, AtMaximum::Refuse)])).await.unwrap_err();

    let clamped = vec![token(6, AtMaximum::Clamp), token(7, AtMaximum::Clamp), debit("p", "token", 1)];
    let posted = outcome(&wallet, post("clamped", clamped)).await.unwrap();
    let got: Vec<(i64, u64)> = posted.movements.iter().map(|m| (m.change.available_units, m.clamped_units)).collect();
    assert_eq!(got, [(6, 0), (5, 2), (-1, 0)]);
    assert_eq!(available(&wallet, "p", "token").await, 100);

    outcome(&wallet, post("over", vec![token(50, AtMaximum::Overfill)])).await.unwrap();
    assert_eq!(available(&wallet, "p", "token").await, 150);
    let nothing = outcome(&wallet, post("full", vec![token(5, AtMaximum::Clamp)])).await.unwrap();
    assert_eq!((nothing.movements[0].change.available_units, nothing.movements[0].clamped_units), (0, 5));
    outcome(&wallet, post("spend", vec![debit("p", "token", 20)])).await.expect("a debit above the maximum");
    assert_books_agree(&wallet).await;
}

async fn no_balance_passes_the_bound_of_all_balances(ledger: Ledger) {
    // R-W4: an overflow is an overflow, not a lack of funds.
    let wallet = ledger.copy().await;
    let most = 9_007_199_254_740_991;
    outcome(&wallet, post("fill", vec![credit("p", "aether", most)])).await.unwrap();
    for (name, at_maximum) in [("refuse", AtMaximum::Refuse), ("overfill", AtMaximum::Overfill)] {
        let refused = outcome(&wallet, post(name, vec![leg("p", "aether", 1, Direction::Credit(at_maximum))])).await;
        assert_eq!(refused.unwrap_err().reason(), "ABOVE_MAXIMUM");
    }
    let many = (0..1_000).map(|_| leg("p", "aether", most, Direction::Credit(AtMaximum::Overfill))).collect();
    assert_eq!(outcome(&wallet, post("many", many)).await.unwrap_err().reason(), "ABOVE_MAXIMUM");
    assert_books_agree(&wallet).await;
}

async fn points_only_ever_grow(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let refused = unstored(&wallet, post("k", vec![debit("p", "xp", 1)])).await;
    let Unstored::Invalid(bad) = refused else { panic!("{refused:?}") };
    assert_eq!((bad[0].path.as_str(), bad[0].fault.as_str()), ("legs[0].direction", "xp only ever grows"));
}

async fn pools_are_named_where_they_must_be(ledger: Ledger) {
    // R-W8
    let wallet = ledger.copy().await;
    let legs = vec![
        credit("p", "credit", 1),
        in_pool(credit("p", "credit", 1), "gold"),
        in_pool(credit("p", "lumees", 1), "bulk"),
    ];
    let refused = unstored(&wallet, post("k", legs)).await;
    let Unstored::Invalid(bad) = refused else { panic!("{refused:?}") };
    let faults: Vec<&str> = bad.iter().map(|field| field.fault.as_str()).collect();
    assert_eq!(faults, ["must say which pool of credit is credited", "credit has no pool gold", "lumees has no pools"]);

    let fund = |amount, pool| in_pool(credit("p", "credit", amount), pool);
    outcome(&wallet, post("fund", vec![fund(10, "subscription"), fund(20, "bulk")])).await.unwrap();
    let legs = vec![debit("p", "credit", 12), in_pool(debit("p", "credit", 5), "bulk")];
    outcome(&wallet, post("spend", legs)).await.unwrap();
    let left: Vec<u64> = balances(&wallet, "p", "credit").await.iter().map(|b| b.available_units()).collect();
    assert_eq!(left, [0, 13]);
    assert_books_agree(&wallet).await;
}
