//! What the database itself holds, whoever asks it (R-W2).

use auric_wallet::domain::Action;
use auric_wallet::store::{EntriesOrder, EntriesQuery};

use crate::asks::{HOUR, held, reserve_for};
use crate::harness::{Ledger, audit, credit, key, on_every_store, outcome, post};

on_every_store!(
    the_audit_says_who_what_why_and_when,
    the_database_refuses_to_change_the_audit,
    the_database_refuses_a_balance_out_of_bounds,
    pages_of_one_entry_repeat_and_skip_nothing,
    every_row_says_when_it_was_made_and_changed,
);

async fn the_audit_says_who_what_why_and_when(ledger: Ledger) {
    // R-W2
    let wallet = ledger.copy().await;
    let mut request = post("k", vec![credit("p", "lumees", 5)]);
    request.trace_id = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    let Action::Post(posting) = &mut request.action else { panic!("{request:?}") };
    posting.note.context.insert("quest".to_owned(), "the \"old\" mill — 7".to_owned());
    outcome(&wallet, request.clone()).await.unwrap();
    let entries = audit(&wallet, "p").await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.movement.after.available_units(), 5);
    assert_eq!((&entry.caller, &entry.idempotency_key), (&key("k").caller, &key("k").key));
    assert_eq!(entry.trace_id, request.trace_id);
    assert_eq!(entry.note.context["quest"], "the \"old\" mill — 7");
    assert_eq!((entry.note.reason.as_str(), entry.catalog_hash), ("test", ledger.rules.assets.hash));
    assert!(entry.time > auric_time::Timestamp::EPOCH);
}

async fn the_database_refuses_to_change_the_audit(ledger: Ledger) {
    // R-W2: INSERT OR REPLACE passes SQLite's DELETE trigger unless recursive_triggers is on; TRUNCATE passes row triggers.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("k", vec![credit("p", "lumees", 5)])).await.unwrap();
    let before = audit(&wallet, "p").await;
    for table in ["entries", "mutations"] {
        let mut attempts = vec![
            format!("UPDATE {table} SET caller = 'x'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ];
        if ledger.copies() == 1 {
            attempts[2] = format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}");
        }
        for attempt in attempts {
            let refused = ledger.sql(&attempt).await.expect_err(&attempt);
            assert!(refused.to_string().contains("its rows are only ever added"), "{attempt}: {refused}");
        }
    }
    assert_eq!(audit(&wallet, "p").await, before);
}

async fn the_database_refuses_a_balance_out_of_bounds(ledger: Ledger) {
    // R-W4: the last line of defence.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("k", vec![credit("p", "lumees", 5)])).await.unwrap();
    for set in ["available = -1", "held = -1", "room = -1", "available = 9007199254740992", "held = 9007199254740991"] {
        ledger.sql(&format!("UPDATE balances SET {set}")).await.expect_err(set);
    }
}

async fn pages_of_one_entry_repeat_and_skip_nothing(ledger: Ledger) {
    // All entries of one mutation share their time: only the number orders them.
    let wallet = ledger.copy().await;
    let legs = vec![credit("p", "lumees", 1), credit("p", "aether", 2), credit("p", "lumees", 3), credit("p", "xp", 4)];
    outcome(&wallet, post("k", legs)).await.unwrap();
    for (asset, expected) in [(None, vec![4, 2, 3, 1]), (Some("lumees"), vec![3, 1])] {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let query = EntriesQuery {
                player: "p".parse().unwrap(),
                asset: asset.map(|asset| asset.parse().unwrap()),
                order: EntriesOrder::Before(before),
                limit: 1,
            };
            let page = wallet.entries(query).await.unwrap();
            seen.extend(page.items.iter().map(|entry| entry.movement.change.available_units));
            before = page.items.last().map(|entry| entry.movement.number);
            // What is posted meanwhile is newer, and on no later page.
            outcome(&wallet, post(&format!("more-{asset:?}-{}", seen.len()), vec![credit("p", "lumees", 9)]))
                .await
                .unwrap();
            if !page.more {
                break;
            }
        }
        let seen: Vec<i64> = seen.into_iter().filter(|change| *change != 9).collect();
        assert_eq!(seen, expected, "{asset:?}");
    }
}

async fn every_row_says_when_it_was_made_and_changed(ledger: Ledger) {
    // R-O6: what changes keeps its beginning and tells its newest change; what never changes has its beginning.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("first", vec![credit("p", "lumees", 5)])).await.unwrap();
    outcome(&wallet, post("second", vec![credit("p", "lumees", 5)])).await.unwrap();
    outcome(&wallet, reserve_for("third", "h", vec![held("p", "lumees", 5)], HOUR)).await.unwrap();
    for changing in ["players", "balances"] {
        let later = format!("UPDATE {changing} SET created_at = created_at WHERE updated_at > created_at");
        assert_eq!(ledger.sql(&later).await.unwrap(), 1, "{changing}");
    }
    for table in ["entries", "mutations", "claims", "holds", "catalogs"] {
        ledger.sql(&format!("SELECT created_at FROM {table}")).await.expect(table);
    }
    ledger.sql("SELECT updated_at FROM holds").await.unwrap();
}
