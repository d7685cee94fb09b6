//! Connections to PostgreSQL: batches have their own (R-O5).

use std::sync::Arc;
use std::time::Duration;

use auric_db::{BatchConnection, Batches, Database, PostgresSettings};
use auric_testkit::databases::PostgresDatabase;
use auric_wallet::Handlers;
use futures::future::select_all;
use sqlx::PgConnection;
use tokio::time::timeout;

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
    assert_eq!(mode(&mut pool.acquire().await.unwrap()).await, "auto");
    assert_eq!(mode(&mut Batches::beside(pool).acquire().await.unwrap()).await, "force_generic_plan");
    // Behind a pooler nothing is set at all.
    let settings = PostgresSettings { named_statements: false, ..Default::default() };
    let Database::Postgres(pool) = Database::connect(database.url(), settings).await.unwrap() else {
        panic!("it is a server")
    };
    assert_eq!(mode(&mut Batches::beside(&pool).acquire().await.unwrap()).await, "auto");
}

/// How statements are planned.
async fn mode(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("SHOW plan_cache_mode").fetch_one(connection).await.unwrap()
}

/// Connections for batches to a database of its own, so many at most.
async fn batches(connections_max: u32) -> (Batches, PostgresDatabase) {
    let database = PostgresDatabase::empty().await.unwrap();
    let settings = PostgresSettings { connections_max, ..Default::default() };
    let connected = Database::connect(database.url(), settings).await.unwrap();
    let Database::Postgres(pool) = connected else { panic!("it is a server") };
    (Batches::beside(&pool), database)
}

/// Which of the server's processes is behind a connection.
async fn process(connection: &mut BatchConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **connection).await.unwrap()
}

#[tokio::test]
async fn a_batch_takes_the_connection_that_was_given_back_last() {
    let (batches, _database) = batches(2).await;
    let (mut first, mut second) = (batches.acquire().await.unwrap(), batches.acquire().await.unwrap());
    let (of_first, of_second) = (process(&mut first).await, process(&mut second).await);
    assert_ne!(of_first, of_second);
    batches.give_back(first);
    batches.give_back(second);
    for _ in 0..5 {
        let mut again = batches.acquire().await.unwrap();
        assert_eq!(process(&mut again).await, of_second);
        batches.give_back(again);
    }
}

#[tokio::test]
async fn a_connection_with_something_under_way_is_no_batchs_next() {
    let (batches, _database) = batches(2).await;
    let mut busy = batches.acquire().await.unwrap();
    let of_busy = process(&mut busy).await;
    let sleep = sqlx::query("SELECT pg_sleep(60)").execute(&mut *busy);
    timeout(Duration::from_millis(50), sleep).await.unwrap_err();
    // Dropped, as a run that takes too long is.
    drop(busy);
    let mut next = timeout(Duration::from_secs(10), batches.acquire()).await.unwrap().unwrap();
    assert_ne!(process(&mut next).await, of_busy);
}

#[tokio::test]
async fn connections_that_were_given_back_do_not_hold_up_the_end() {
    let (batches, _database) = batches(2).await;
    let (idle, late) = (batches.acquire().await.unwrap(), batches.acquire().await.unwrap());
    batches.give_back(idle);
    let closing = batches.close();
    tokio::pin!(closing);
    timeout(Duration::from_millis(50), &mut closing).await.unwrap_err();
    batches.give_back(late);
    timeout(Duration::from_secs(10), closing).await.unwrap();
    batches.acquire().await.unwrap_err();
}

#[tokio::test]
async fn a_transaction_waits_for_no_connection_that_nobody_uses() {
    let (batches, _database) = batches(1).await;
    for _ in 0..3 {
        let connection = batches.acquire().await.unwrap();
        batches.give_back(connection);
        let begun = timeout(Duration::from_secs(2), batches.begin()).await.unwrap().unwrap();
        begun.rollback().await.unwrap();
    }
}
