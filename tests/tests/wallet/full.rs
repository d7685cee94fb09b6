//! A wallet that has more to do than it takes in: a batch for which there is no room is refused whole, at once, and says when to come again.

use auric_api::wallet::v1 as api;
use auric_status::Problem;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tonic::Code;

use super::harness::{Ask, Caller, Cluster, Store, credit};

/// Mutations that may wait.
const QUEUE: usize = 8;

/// Postings of the batch that comes too late.
const BATCH: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_without_room_is_refused_whole_and_tried_not_at_all() {
    let lanes =
        [("AURIC_WALLET_LANES_COUNT", 1), ("AURIC_WALLET_LANES_BATCH_MAX", 1), ("AURIC_WALLET_LANES_QUEUE_MAX", QUEUE)];
    let variables = lanes.map(|(name, value)| (name, value.to_string())).to_vec();
    let cluster = Cluster::postgres_with(1, variables).await;
    let Store::Postgres(database) = &cluster.store else { panic!("it was made on PostgreSQL") };
    let caller = Caller::new(&cluster);

    let pool = PgPool::connect(database.url()).await.expect("the database is there");
    let mut holdup = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE mutations IN ACCESS EXCLUSIVE MODE").execute(&mut *holdup).await.expect("it is locked");
    // More than the queue takes: one at least is refused, and is told when to come again.
    let mut waiting = JoinSet::new();
    let (send, mut refused) = tokio::sync::mpsc::channel(1);
    for number in 0..QUEUE * 2 {
        let (mut client, send) = (caller.client(), send.clone());
        waiting.spawn(async move {
            let answer = client.post(posting(&format!("waits-{number}"))).await;
            if let Err(status) = &answer {
                let _ = send.try_send(status.clone());
            }
            answer.is_ok()
        });
    }
    let full = refused.recv().await.expect("somebody is refused");
    assert_full(&full);

    let posts = (0..BATCH).map(|number| posting(&key(number))).collect();
    let status = caller.client().post_batch(api::PostBatchRequest { posts }).await.expect_err("there is no room");
    assert_full(&status);
    holdup.rollback().await.expect("let go");

    let done = waiting.join_all().await.into_iter().filter(|done| *done).count();
    assert!((QUEUE..QUEUE * 2).contains(&done), "{done} were taken in");
    for number in 0..BATCH {
        let question = api::GetMutationRequest { idempotency_key: key(number), ..Default::default() };
        let status = caller.client().get_mutation(question).await.expect_err("nothing of it was tried");
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
    }
    let paid = caller.available("p", "lumees").await;
    assert_eq!(paid, [i64::try_from(done).expect("few")]);
    // The same keys are as good as new.
    let again = Ask::post(&key(0), vec![credit("p", "lumees", 1)]);
    assert!(!caller.send(&again).await.replayed);
    cluster.stop_without_errors();
}

fn key(number: usize) -> String {
    format!("late-{number}")
}

fn posting(key: &str) -> api::PostRequest {
    let legs = vec![credit("p", "lumees", 1)];
    api::PostRequest { idempotency_key: key.to_owned(), legs, reason: "test".to_owned(), ..Default::default() }
}

fn assert_full(status: &tonic::Status) {
    let problem = Problem::from_status(status);
    assert_eq!((problem.code, problem.reason.as_str()), (Code::ResourceExhausted, "QUEUE_FULL"), "{status:?}");
    assert!(problem.retry_after.is_some(), "{status:?}");
}
