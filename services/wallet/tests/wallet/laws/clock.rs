//! The database's clock decides, also where a batch does not look at it before it writes.

use auric_time::Timestamp;

use crate::asks::HOUR;
use crate::harness::{Ledger, assert_books_agree, audit, credit, on_every_store, outcome, post};

on_every_store!(an_entry_is_dated_by_the_databases_clock_however_it_was_set);

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Sets the database's clock, and not the machine's. On SQLite they are one.
async fn set_clock_of_database(ledger: &Ledger, time: Timestamp) {
    let micros = time.micros();
    let set = format!("UPDATE fake.clock SET now = to_timestamp(0) + {micros} * interval '1 microsecond'");
    if ledger.sql(&set).await.is_err() {
        ledger.set_clock(time).await;
    }
}

async fn an_entry_is_dated_by_the_databases_clock_however_it_was_set(mut ledger: Ledger) {
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    let pay = async |key: &str| outcome(&wallet, post(key, vec![credit("p", "lumees", 1)])).await.unwrap();
    // The first batch reads all about its player, the second the clock, and the third nothing.
    for key in ["first", "second", "third"] {
        pay(key).await;
    }
    set_clock_of_database(&ledger, START.plus_micros(HOUR)).await;
    pay("fourth").await;
    ledger.set_clock(START.plus_micros(2 * HOUR)).await;
    for key in ["fifth", "sixth"] {
        pay(key).await;
    }
    let hours: Vec<i64> = audit(&wallet, "p")
        .await
        .iter()
        .map(|entry| entry.time.micros() - START.micros())
        .map(|micros| micros / HOUR)
        .collect();
    assert_eq!(hours, [0, 0, 0, 1, 2, 2]);
    assert_books_agree(&wallet).await;
}
