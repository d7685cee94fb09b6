//! A copy that is frozen between its locks and its commit (R-W5, R-W6, R-O5): the database lets go of its players, the other copy goes on with
//! them, and what the frozen one had begun is not applied again when it wakes up.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, timeout};

use super::harness::{Ask, Caller, Cluster, Store, credit};
use super::storm::{Progress, Storm, rage_beside};

/// The copy that is frozen.
const FROZEN: usize = 1;

/// Mutations that the other copy must answer for the same players meanwhile.
const MEANWHILE: usize = 100;

/// Far more than the 5 s after which the database ends the frozen transaction, for a busy machine.
const GOES_ON_WITHIN: Duration = Duration::from_mins(1);

/// Transactions that are open and have waited for their client for a second, longer than a batch takes to decide.
const FORSAKEN: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '1 second'";

/// Transactions that wait for their client now.
const BETWEEN_STATEMENTS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_a_copy_is_frozen_the_other_goes_on_and_nothing_is_applied_twice() {
    let cluster = &Cluster::postgres(2).await;
    let Store::Postgres(database) = &cluster.store else { panic!("it was made on PostgreSQL") };
    let pool = PgPool::connect(database.url()).await.expect("the database is there");
    let storm = Storm { seed: 0xF0_2E17, actors: 32, turns: 40 };
    let books = rage_beside(storm, cluster, |progress| async move {
        freeze_in_a_transaction(cluster, &pool, &progress, storm.turns_of_all() / 8).await;
        let goes_on = progress.wait_for(progress.answered() + MEANWHILE);
        timeout(GOES_ON_WITHIN, goes_on).await.expect("the other copy goes on with the same players");
        assert_eq!(count(&pool, FORSAKEN).await, 0, "the database let go of what the frozen copy had locked");
        cluster.thaw(FROZEN);
    });
    let mut books = books.await;
    println!("{storm:?}: {}", books.describe());
    // The copy that was frozen serves again.
    let ask = Ask::post("woken", vec![credit("woken", "lumees", 1)]);
    let answer = Caller { cluster, copy: FROZEN }.send(&ask).await;
    books.add(ask, answer);
    books.check(cluster).await;
    cluster.stop_without_errors();
}

/// Freezes the copy until it is found to be in the middle of a transaction, and leaves it so.
async fn freeze_in_a_transaction(cluster: &Cluster, pool: &PgPool, progress: &Progress, after: usize) {
    progress.wait_for(after).await;
    for tries in 1.. {
        cluster.freeze(FROZEN);
        if is_forsaken(pool).await {
            println!("frozen between open and commit at try {tries}, after {} answers", progress.answered());
            return;
        }
        cluster.thaw(FROZEN);
        // Another moment of its work.
        progress.wait_for(progress.answered() + 3).await;
    }
}

/// Whether a transaction stays where it is: the other copy's go on.
async fn is_forsaken(pool: &PgPool) -> bool {
    let since = Instant::now();
    while count(pool, BETWEEN_STATEMENTS).await > 0 {
        if count(pool, FORSAKEN).await > 0 {
            return true;
        }
        assert!(since.elapsed() < GOES_ON_WITHIN, "transactions come and go, and none stays");
    }
    false
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.expect("the activity is read")
}
