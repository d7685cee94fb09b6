//! The catalog changes while requests run (R-P3).

use std::path::Path;
use std::sync::Arc;

use auric_wallet::domain::{Rejection, Verdict};

use crate::harness::{Ledger, assert_books_agree, credit, on_every_store, post, send};

on_every_store!(a_posting_sees_the_old_catalog_or_the_new_one_and_never_a_mix);

/// Both maxima are 100, or both are 1,000.
fn write(folder: &Path, maximum: u64) {
    let asset = |id: &str| format!("[{id}]\nkind = \"currency\"\nmaximum = {maximum}\n");
    let unchanged = ledger_assets();
    std::fs::write(folder.join("assets.toml"), format!("{}{}{unchanged}", asset("lumees"), asset("aether"))).unwrap();
}

/// The other assets of the tests' rules, which a catalog may not take away.
fn ledger_assets() -> String {
    let points = ["xp", "levels_gained", "\"spent/energy\""].map(|id| format!("[{id}]\nkind = \"points\"\n"));
    let tokens = ["stat_points", "token"].map(|id| format!("[{id}]\nkind = \"token\"\n"));
    let charging = ["charge", "energy"].map(|id| {
        format!("[{id}]\nkind = \"recharging\"\nbase_capacity = 5\nregen_amount = 1\nregen_seconds = 3600\n")
    });
    let credit = "[credit]\nkind = \"credit\"\npools = [\"subscription\", \"bulk\"]\n[dust]\nkind = \"currency\"\n";
    [points.concat(), tokens.concat(), charging.concat(), credit.to_owned()].concat()
}

async fn a_posting_sees_the_old_catalog_or_the_new_one_and_never_a_mix(ledger: Ledger) {
    // A posting of 500 and 500 fits both maxima or neither: one that is told of a single fault saw a mix.
    let wallet = ledger.copy().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 100);
    wallet.reload(folder.path()).await.unwrap();

    let mut storm = tokio::task::JoinSet::new();
    for n in 0..200 {
        let copy = Arc::clone(&wallet);
        let name = format!("p{n}");
        storm.spawn(async move {
            let legs = vec![credit(&name, "lumees", 500), credit(&name, "aether", 500)];
            send(&copy, post(&format!("k{n}"), legs)).await
        });
        if n % 20 == 10 {
            // What was sent so far is under way, and the other catalog comes.
            tokio::task::yield_now().await;
            let maximum = if n % 40 == 10 { 1_000 } else { 100 };
            write(folder.path(), maximum);
            wallet.reload(folder.path()).await.unwrap();
        }
    }
    for verdict in storm.join_all().await {
        match verdict {
            Verdict::Answered { outcome: Ok(posted), .. } => assert_eq!(posted.movements.len(), 2),
            Verdict::Answered { outcome: Err(Rejection::OutOfBounds { faults }), .. } => assert_eq!(faults.len(), 2),
            other => panic!("{other:?}"),
        }
    }

    std::fs::write(folder.path().join("assets.toml"), "[lumees]\nkind = \"currency\"\nmaximum = -1\n").unwrap();
    let (before, refused) = (wallet.rules().assets.hash, wallet.reload(folder.path()).await.unwrap_err());
    assert!(refused.to_string().starts_with("assets.toml: lumees.maximum: "), "{refused}");
    assert_eq!(wallet.rules().assets.hash, before, "the old set stays");
    assert_books_agree(&wallet).await;
}
