use std::time::Duration;

use auric_lanes::{LaneSettings, Refused};
use tokio::time::Instant;

use crate::fake::{FakeDatabase, Step, mutation, start};

const RUN_TIME: Duration = Duration::from_millis(50);

fn in_ms(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_the_queue_drops_the_work_before_it_is_run() {
    let database = FakeDatabase::new([], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());
    let first = lanes.enqueue(b"player", mutation(1), None).unwrap();
    database.runs_begun(1).await;

    let late = lanes.enqueue(b"player", mutation(2), Some(in_ms(49))).unwrap();
    let in_time = lanes.enqueue(b"player", mutation(3), Some(in_ms(60))).unwrap();

    first.await.unwrap();
    assert_eq!(late.await, Err(Refused::DeadlinePassed));
    assert_eq!(in_time.await.map(|answer| answer.key), Ok(3));
    assert_eq!(database.batches(), [[1], [3]]);
    assert_eq!(lanes.stats()[0].refused.deadline_passed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_during_the_run_drops_nothing() {
    let database = FakeDatabase::new([], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());

    let answer = lanes.submit(b"player", mutation(1), Some(in_ms(10))).await;

    assert_eq!(answer.map(|answer| answer.key), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_already_is_refused_without_a_run() {
    let database = FakeDatabase::new([], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());

    assert_eq!(lanes.submit(b"player", mutation(1), Some(in_ms(0))).await, Err(Refused::DeadlinePassed));

    assert!(database.batches().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_between_runs_that_applied_nothing() {
    let database = FakeDatabase::new([Step::Contended], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());

    let late = lanes.enqueue(b"player", mutation(1), Some(in_ms(10))).unwrap();
    let patient = lanes.enqueue(b"player", mutation(2), None).unwrap();

    assert_eq!(late.await, Err(Refused::DeadlinePassed));
    assert_eq!(patient.await.map(|answer| answer.key), Ok(2));
    assert_eq!(database.batches(), [vec![1, 2], vec![2]]);
    assert_eq!(database.effects(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_ignored_once_the_work_may_have_taken_effect() {
    for lost in [Step::LostBeforeEffect, Step::LostAfterEffect] {
        let database = FakeDatabase::new([lost], RUN_TIME);
        let lanes = start(&database, LaneSettings::default());

        let answer = lanes.submit(b"player", mutation(1), Some(in_ms(10))).await;

        assert_eq!(answer.map(|answer| answer.key), Ok(1), "{lost:?}");
        assert_eq!(database.effects(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_in_the_queue_takes_its_work_along() {
    let database = FakeDatabase::new([Step::Gate], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());
    let first = lanes.enqueue(b"player", mutation(1), None).unwrap();
    database.runs_begun(1).await;

    let gone = lanes.enqueue(b"player", mutation(2), None).unwrap();
    let stays = lanes.enqueue(b"player", mutation(3), None).unwrap();
    drop(gone);
    database.open_gate();

    first.await.unwrap();
    stays.await.unwrap();
    assert_eq!(database.effects(), [1, 3]);
    assert_eq!(lanes.stats()[0].withdrawn, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_during_the_run_disturbs_nobody() {
    let database = FakeDatabase::new([Step::Gate], RUN_TIME);
    let lanes = start(&database, LaneSettings::default());
    let tickets: Vec<_> = (1..=3).map(|key| lanes.enqueue(b"player", mutation(key), None).unwrap()).collect();
    database.runs_begun(1).await;

    let mut tickets = tickets.into_iter();
    drop(tickets.next());
    database.open_gate();

    for (ticket, key) in tickets.zip(2..) {
        assert_eq!(ticket.await.map(|answer| answer.key), Ok(key));
    }
    assert_eq!(database.effects(), [1, 2, 3]);
}
