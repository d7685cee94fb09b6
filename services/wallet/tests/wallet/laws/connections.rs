//! Connections to PostgreSQL: batches have their own (R-O5).

use std::sync::Arc;

use auric_db::{Database, PostgresSettings};
use auric_testkit::databases::PostgresDatabase;
use auric_wallet::Handlers;
use futures::future::select_all;
use sqlx::PgPool;

use crate::harness::{Ledger, available, credit, outcome, post};

/// As many as the harness gives a copy.
const READERS: u32 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_wait_keep_no_batch_waiting() {
    let ledger = Ledger::postgres().await;
    let store = ledger.store().await;
    let wallet = Handlers::start(Arc::clone(&store), ledger.rules.clone(), ledger.lanes.clone());
    let taken = ledger.lock_table("catalogs").await;
    let first_reader = select_all((0..READERS).map(|_| store.newest_catalog()));
    let batch = async {
        ledger.wait_for_waiters(READERS.into()).await;
        outcome(&wallet, post("beside", vec![credit("p", "lumees", 1)])).await.unwrap();
    };
    // Readers give up waiting for the lock in the end.
    tokio::select! {
        (found, ..) = first_reader => panic!("every connection was a reader's, and the batch waited: {found:?}"),
        () = batch => {}
    }
    taken.release().await;
    assert_eq!(available(&wallet, "p", "lumees").await, 1);
}

#[tokio::test]
async fn batches_are_planned_once_and_nothing_else_is() {
    let database = PostgresDatabase::empty().await.unwrap();
    let connected = Database::connect(database.url(), PostgresSettings::default()).await.unwrap();
    let Database::Postgres(pool) = &connected else { panic!("it is a server") };
    let mode =
        async |pool: PgPool| sqlx::query_scalar::<_, String>("SHOW plan_cache_mode").fetch_one(&pool).await.unwrap();
    assert_eq!(mode(pool.clone()).await, "auto");
    assert_eq!(mode(auric_db::batches(pool)).await, "force_generic_plan");
    // Behind a pooler nothing is set at all.
    let settings = PostgresSettings { named_statements: false, ..Default::default() };
    let Database::Postgres(pool) = Database::connect(database.url(), settings).await.unwrap() else {
        panic!("it is a server")
    };
    assert_eq!(mode(auric_db::batches(&pool)).await, "auto");
}
