//! A restore from an older copy of the database: what was done since is done again under the same keys, and ends once.

use std::sync::Arc;

use auric_scheduler::domain::Life;

use crate::asks::{every_second, made};
use crate::hand::Hand;
use crate::harness::{Place, firings, on_every_store, wait_for_many};

on_every_store!(after_a_restore_every_time_ends_once_and_comes_under_its_old_key);

const TABLES: [&str; 6] = ["jobs", "definitions", "firings", "waiting", "dead_letters", "history"];

async fn after_a_restore_every_time_ends_once_and_comes_under_its_old_key(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "tick", every_second()).await;
    wait_for_many(&copy, "tick", Life::Done, 2).await;
    for table in TABLES {
        place.sql(&format!("CREATE TABLE old_{table} AS SELECT * FROM {table}")).await;
    }
    wait_for_many(&copy, "tick", Life::Done, 6).await;
    copy.close().await;
    let before = hand.told();
    for table in TABLES {
        place.sql(&format!("DELETE FROM {table}")).await;
        place.sql(&format!("INSERT INTO {table} SELECT * FROM old_{table}")).await;
    }
    let copy = place.copy(&hand).await;
    wait_for_many(&copy, "tick", Life::Done, 9).await;
    let again = hand.told().into_iter().filter(|(_, told)| told.attempts.len() > 1).count();
    assert!(again > 0, "what was done since the older copy comes again");
    for key in before.keys() {
        assert!(hand.told().contains_key(key), "{key}");
    }
    let mut next = None;
    for (key, firing) in firings(&copy, "tick").await {
        let second = key.scheduled_for.micros() / 1_000_000;
        assert!(next.is_none_or(|next| next == second), "second {next:?} is left out before {second}");
        next = Some(second + i64::try_from(firing.count).unwrap());
    }
    copy.close().await;
    place.assert_whole().await;
}
