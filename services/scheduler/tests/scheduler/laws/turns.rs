//! Firings that allow no other of their job beside them: never two at once, whichever copies lease them.

use std::sync::Arc;
use std::time::Duration;

use auric_scheduler::RunEnd;
use auric_scheduler::domain::{FiringKey, JobSpec, Life, Overlap, Retry};
use auric_scheduler::store::LeaseAsk;
use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;

use crate::asks::{hardly_ever, made, triggered};
use crate::hand::Hand;
use crate::harness::{Place, on_every_store, wait_for, wait_for_many};

on_every_store!(
    what_comes_while_another_runs_is_skipped,
    one_waits_for_its_turn_and_more_are_skipped,
    never_two_of_a_job_at_once_whichever_copies_lease_them,
    what_waits_to_be_tried_again_keeps_its_turn,
);

async fn what_comes_while_another_runs_is_skipped(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "job", JobSpec { overlap: Overlap::Skip, ..hardly_ever() }).await;
    hand.open(false);
    let first = triggered(&copy, "job").await;
    hand.wait_for_calls(1).await;
    let second = triggered(&copy, "job").await;
    let skipped = wait_for(&copy, &second, Life::Skipped).await;
    assert_eq!((skipped.reason.as_str(), skipped.count), ("OVERLAP", 1));
    hand.open(true);
    wait_for(&copy, &first, Life::Done).await;
    copy.close().await;
    place.assert_whole().await;
}

async fn one_waits_for_its_turn_and_more_are_skipped(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "job", JobSpec { overlap: Overlap::QueueOne, ..hardly_ever() }).await;
    hand.open(false);
    let first = triggered(&copy, "job").await;
    hand.wait_for_calls(1).await;
    let second = triggered(&copy, "job").await;
    let third = triggered(&copy, "job").await;
    wait_for(&copy, &third, Life::Skipped).await;
    wait_for(&copy, &second, Life::Pending).await;
    hand.open(true);
    wait_for(&copy, &first, Life::Done).await;
    wait_for(&copy, &second, Life::Done).await;
    assert_eq!(hand.most_of_a_job(), 1);
    copy.close().await;
    place.assert_whole().await;
}

async fn never_two_of_a_job_at_once_whichever_copies_lease_them(place: Place) {
    let hand = Arc::new(Hand::default());
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.copy(&hand).await);
    }
    hand.be(|firing| {
        // Long enough that another copy would come in between.
        std::thread::sleep(Duration::from_millis(1));
        if firing.attempt == 1 && firing.key.scheduled_for.micros() % 2 == 0 { RunEnd::Failed } else { RunEnd::Done }
    });
    let names: Vec<String> = (0..6).map(|number| format!("job-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let overlap = if number % 2 == 0 { Overlap::Skip } else { Overlap::QueueOne };
        made(&copies[0], name, JobSpec { overlap, ..hardly_ever() }).await;
    }
    for round in 0..15 {
        let copies = &copies;
        join_all(names.iter().map(|name| triggered(&copies[round % copies.len()], name))).await;
    }
    for name in &names {
        wait_for_many(&copies[0], name, Life::Done, 1).await;
        let mut ended = 0;
        while ended < 15 {
            ended = wait_for_many(&copies[0], name, Life::Done, 1).await.len();
            ended += crate::harness::firings(&copies[0], name)
                .await
                .values()
                .filter(|one| one.life == Life::Skipped)
                .count();
            tokio::task::yield_now().await;
        }
        assert_eq!(ended, 15, "each is done or on record");
    }
    assert_eq!(hand.most_of_a_job(), 1, "never two of a job at once");
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

async fn what_waits_to_be_tried_again_keeps_its_turn(place: Place) {
    let hand = Arc::new(Hand::default());
    // Long enough in all that it is seen to wait.
    hand.be(|firing| if firing.attempt < 9 { RunEnd::Failed } else { RunEnd::Done });
    let copy = place.copy(&hand).await;
    let retry = Retry { attempts_max: 20, base_ms: 300, max_ms: 300 };
    made(&copy, "job", JobSpec { overlap: Overlap::QueueOne, retry, ..hardly_ever() }).await;
    let first = triggered(&copy, "job").await;
    wait_for_many(&copy, "job", Life::Retrying, 1).await;
    let second = triggered(&copy, "job").await;
    wait_for(&copy, &second, Life::Done).await;
    wait_for(&copy, &first, Life::Done).await;
    // Nine attempts of each, and the second begins when the first is done.
    let order = hand.order();
    let expected: Vec<FiringKey> = [first, second].into_iter().flat_map(|key| std::iter::repeat_n(key, 9)).collect();
    assert_eq!(order, expected);
    assert_eq!(hand.most_of_a_job(), 1);
    copy.close().await;
    place.assert_whole().await;
}

/// Pins the lock of the job: without it a copy that comes while another one leases sees nothing of that, and begins an older one that came meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_while_a_turn_is_taken_takes_none() {
    let place = Place::postgres().await;
    let Place::Postgres(database) = &place else { panic!("this law is PostgreSQL's") };
    let idle = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&idle, "job", JobSpec { overlap: Overlap::QueueOne, ..hardly_ever() }).await;
    let later = triggered(&idle, "job").await;
    let mut holder = PgConnection::connect(database.url()).await.unwrap();
    holder.execute("BEGIN").await.unwrap();
    holder.execute("SELECT 1 FROM firings FOR UPDATE").await.unwrap();
    let ask =
        LeaseAsk { copy: "law".to_owned(), lease: Duration::from_mins(1), limit: 10, since: None, busy: Vec::new() };
    let (first, second) = (place.store().await, place.store().await);
    let mut tasks = JoinSet::new();
    let asked = ask.clone();
    tasks.spawn(async move { first.take_turns(&asked).await.unwrap() });
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while place.number(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    let older = "INSERT INTO firings (slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence, attempts)
        SELECT slot, job_id, scheduled_for - interval '1 microsecond', incarnation, revision, target, overlap, triggered, due_at, ready_at, 0, 0
        FROM firings";
    place.sql(older).await;
    assert!(second.take_turns(&ask).await.unwrap().leased.is_empty(), "the turn is being taken");
    holder.execute("COMMIT").await.unwrap();
    let leased = tasks.join_next().await.unwrap().unwrap().leased;
    assert_eq!(leased.iter().map(|one| one.key.clone()).collect::<Vec<_>>(), [later]);
    assert!(second.take_turns(&ask).await.unwrap().leased.is_empty(), "one runs");
    idle.close().await;
}
