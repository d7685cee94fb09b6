//! The catalog changes between a reserve and its commit: the hold has all that it needs (R-W6, R-P3).

use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_wallet::domain::{AssetKind, Assets, Rules};

use crate::asks::{commit, end_in, held, hold_of, moved, promised, release, reserve};
use crate::harness::{
    Ledger, assert_books_agree, available, balances, credit, in_pool, on_every_store, outcome, post, unstored,
};

on_every_store!(a_commit_needs_no_catalog, a_release_needs_no_catalog, a_reserve_under_the_new_catalog_is_tested_by_it,);

/// Every maximum lowered to 5, tokens and energy retired, levels that begin at 10 xp.
fn tightened(rules: &Rules) -> Rules {
    let assets = rules.assets.iter().map(|(id, asset)| {
        let mut asset = asset.clone();
        asset.maximum = asset.maximum.map(|_| 5);
        asset.retired |= ["token", "energy"].contains(&id.as_str());
        if let AssetKind::Recharging(recharging) = &mut asset.kind {
            recharging.base_units = 1;
        }
        (id.clone(), asset)
    });
    let mut levels = rules.assets.progression().unwrap().clone();
    levels.thresholds = vec![10, 20];
    let assets = Assets::new(CatalogHash::from_bytes([8; 32]), assets.collect(), Some(levels));
    Rules { assets: Arc::new(assets), seal: rules.seal.clone() }
}

/// Holds of every kind under the old catalog; then the new one is in force.
async fn reserved_before(ledger: &mut Ledger) -> Arc<auric_wallet::Handlers> {
    let wallet = ledger.copy().await;
    let funds = vec![credit("p", "lumees", 100), credit("p", "token", 20), in_pool(credit("p", "credit", 30), "bulk")];
    outcome(&wallet, post("fund", funds)).await.unwrap();
    let legs = vec![
        held("p", "lumees", 40),
        moved("p", "q", "token", 15),
        promised("q", "lumees", 60),
        promised("q", "xp", 25),
        held("p", "energy", 30),
        hold_of(Some(end_in("p", "credit", "bulk")), Some(end_in("q", "credit", "bulk")), 20),
    ];
    outcome(&wallet, reserve("r", "h", legs)).await.unwrap();
    ledger.rules = tightened(&ledger.rules);
    ledger.copy().await
}

async fn a_commit_needs_no_catalog(mut ledger: Ledger) {
    // A commit that tests a maximum, or looks its assets up, strands what was decided.
    let wallet = reserved_before(&mut ledger).await;
    outcome(&wallet, commit("c", "h", &[])).await.unwrap();
    for (name, asset, units) in [
        ("p", "lumees", 60),
        ("q", "lumees", 60),
        ("p", "token", 5),
        ("q", "token", 15),
        ("q", "xp", 25),
        ("p", "credit", 10),
        ("q", "credit", 20),
        ("q", "levels_gained", 2),
    ] {
        assert_eq!(available(&wallet, name, asset).await, units, "{name} {asset}");
    }
    assert_eq!(balances(&wallet, "p", "energy").await[0].parts(), [70, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn a_release_needs_no_catalog(mut ledger: Ledger) {
    let wallet = reserved_before(&mut ledger).await;
    outcome(&wallet, release("r2", "h")).await.unwrap();
    for (asset, parts) in [("lumees", [100, 0, 0, 0]), ("token", [20, 0, 0, 0]), ("energy", [100, 0, 0, 0])] {
        assert_eq!(balances(&wallet, "p", asset).await[0].parts(), parts, "{asset}");
        let other = balances(&wallet, "q", asset).await[0];
        assert_eq!((other.held_units(), other.room_units()), (0, 0), "{asset}");
    }
    assert_books_agree(&wallet).await;
}

async fn a_reserve_under_the_new_catalog_is_tested_by_it(mut ledger: Ledger) {
    let wallet = reserved_before(&mut ledger).await;
    let full = outcome(&wallet, reserve("r2", "h2", vec![promised("q", "lumees", 1)])).await.unwrap_err();
    assert_eq!(full.reason(), "ABOVE_MAXIMUM", "what is promised counts");
    unstored(&wallet, reserve("r3", "h3", vec![held("p", "token", 1)])).await;
    outcome(&wallet, reserve("r4", "h4", vec![held("p", "lumees", 60)])).await.expect("taking needs no room");
    assert_books_agree(&wallet).await;
}
