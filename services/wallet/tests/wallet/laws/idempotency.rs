//! One key, one answer (R-W5).

use auric_wallet::domain::{Action, Assets, Method, Unstored, Verdict};

use crate::harness::{
    Ledger, assert_books_agree, available, credit, debit, key, on_every_store, outcome, post, send, unstored,
};

on_every_store!(
    a_replayed_request_moves_units_once,
    a_refused_key_stays_refused,
    a_reused_key_is_told_which_fields_differ,
    a_key_belongs_to_its_caller,
    a_request_that_does_not_fit_the_catalog_leaves_its_key_free,
    a_mutation_is_found_by_its_key,
    a_replay_does_not_depend_on_the_catalog,
);

async fn a_replayed_request_moves_units_once(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let request = post("k", vec![credit("p", "lumees", 5)]);
    let first = send(&wallet, request.clone()).await;
    let Verdict::Answered { outcome: first, replayed: false } = first else { panic!("{first:?}") };
    // Another copy, as after a restart.
    let second = send(&*ledger.copy().await, request).await;
    assert_eq!(second, Verdict::Answered { outcome: first, replayed: true });
    assert_eq!(available(&wallet, "p", "lumees").await, 5);
    assert_books_agree(&wallet).await;
}

async fn a_refused_key_stays_refused(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let request = post("k", vec![debit("p", "lumees", 5)]);
    let refused = outcome(&wallet, request.clone()).await.unwrap_err();
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    assert_eq!(send(&wallet, request).await, Verdict::Answered { outcome: Err(refused), replayed: true });
    assert_eq!(available(&wallet, "p", "lumees").await, 100);
    assert_books_agree(&wallet).await;
}

async fn a_reused_key_is_told_which_fields_differ(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let first = post("k", vec![credit("p", "lumees", 5)]);
    outcome(&wallet, first.clone()).await.unwrap();
    let mut other = first.clone();
    let Action::Post(posting) = &mut other.action else { panic!("{other:?}") };
    posting.note.reason = "other".parse().unwrap();
    posting.note.context.insert("quest".to_owned(), "7".to_owned());
    let expected = |fields: &[&str]| Unstored::KeyReused {
        fields: fields.iter().map(ToString::to_string).collect(),
        first_method: Method::Post,
    };
    assert_eq!(unstored(&wallet, other).await, expected(&["reason", "context"]));
    assert_eq!(unstored(&wallet, post("k", vec![credit("p", "lumees", 6)])).await, expected(&["legs"]));
    assert_eq!(unstored(&wallet, post("k", vec![credit("q", "lumees", 5)])).await, expected(&["legs"]));
    assert_eq!(available(&wallet, "p", "lumees").await, 5);
    assert_books_agree(&wallet).await;
}

async fn a_key_belongs_to_its_caller(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let mine = post("k", vec![credit("p", "lumees", 5)]);
    let mut theirs = mine.clone();
    theirs.key.caller = "shop".parse().unwrap();
    outcome(&wallet, mine).await.unwrap();
    outcome(&wallet, theirs).await.unwrap();
    assert_eq!(available(&wallet, "p", "lumees").await, 10);
}

async fn a_request_that_does_not_fit_the_catalog_leaves_its_key_free(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let unknown = unstored(&wallet, post("k", vec![credit("p", "gold", 5), credit("p", "dust", 5)])).await;
    let Unstored::Invalid(bad) = unknown else { panic!("{unknown:?}") };
    let bad: Vec<String> = bad.iter().map(|field| format!("{} {}", field.path, field.fault)).collect();
    assert_eq!(bad, ["legs[0].asset_id gold is not in the catalog", "legs[1].asset_id dust is retired"]);
    assert_eq!(wallet.mutation(&key("k")).await.unwrap(), None);
    outcome(&wallet, post("k", vec![credit("p", "lumees", 5)])).await.unwrap();
}

async fn a_mutation_is_found_by_its_key(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let applied = outcome(&wallet, post("yes", vec![credit("p", "lumees", 5)])).await;
    let refused = outcome(&wallet, post("no", vec![debit("p", "lumees", 6)])).await;
    for (name, expected) in [("yes", applied), ("no", refused)] {
        let record = wallet.mutation(&key(name)).await.unwrap().unwrap();
        assert_eq!((record.outcome, record.method), (expected, Method::Post));
    }
    assert_eq!(wallet.mutation(&key("unseen")).await.unwrap(), None);
}

async fn a_replay_does_not_depend_on_the_catalog(mut ledger: Ledger) {
    let request = post("k", vec![credit("p", "lumees", 5)]);
    let first = outcome(&*ledger.copy().await, request.clone()).await;
    // The asset is gone from the next catalog altogether.
    let kept = ledger.rules.assets.iter().filter(|(id, _)| id.as_str() != "lumees");
    let assets = kept.map(|(id, asset)| (id.clone(), asset.clone())).collect();
    let hash = auric_catalog::CatalogHash::from_bytes([8; 32]);
    ledger.rules.assets = std::sync::Arc::new(Assets::new(hash, assets, None));
    assert_eq!(outcome(&*ledger.copy().await, request).await, first);
}
