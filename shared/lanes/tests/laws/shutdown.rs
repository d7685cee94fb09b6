use std::num::NonZeroU16;
use std::time::Duration;

use auric_lanes::{LaneSettings, Refused};
use tokio::time::Instant;

use crate::fake::{FakeDatabase, Step, mutation, start};

#[tokio::test(start_paused = true)]
async fn a_drain_answers_what_is_queued_and_refuses_what_comes() {
    let database = FakeDatabase::scripted([Step::Gate, Step::Contended]);
    let settings = LaneSettings { batch_max: NonZeroU16::new(2).unwrap(), ..LaneSettings::default() };
    let lanes = start(&database, settings);
    let tickets: Vec<_> = (1..=5).map(|key| lanes.enqueue(b"player", mutation(key), None).unwrap()).collect();
    database.runs_begun(1).await;

    let mut drain = Box::pin(lanes.drain());
    assert!(futures::poll!(&mut drain).is_pending());
    // The lane closes its queue when it comes to it; from then on everything is refused.
    database.open_gate();
    drain.await.unwrap();

    assert_eq!(lanes.submit(b"player", mutation(6), None).await, Err(Refused::Draining));
    for ticket in tickets {
        ticket.await.unwrap();
    }
    assert_eq!(database.effects(), [1, 2, 3, 4, 5]);
    assert_eq!(lanes.drain().await, Ok(()), "a second drain has nothing to do");
}

#[tokio::test(start_paused = true)]
async fn an_idle_lane_drains_at_once() {
    let database = FakeDatabase::scripted([]);
    let lanes = start(&database, LaneSettings { lanes: NonZeroU16::new(8).unwrap(), ..LaneSettings::default() });
    let begun = Instant::now();

    lanes.drain().await.unwrap();

    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_too_long_gives_up_and_says_what_is_unknown() {
    let database = FakeDatabase::scripted([Step::Hangs]);
    let settings = LaneSettings { run_time_max: Duration::MAX, ..LaneSettings::default() };
    let bound = settings.drain_time_max;
    let lanes = start(&database, settings);
    let in_flight = lanes.enqueue(b"player", mutation(1), None).unwrap();
    database.runs_begun(1).await;
    let queued = lanes.enqueue(b"player", mutation(2), None).unwrap();
    let begun = Instant::now();

    lanes.drain().await.unwrap_err();

    let time = begun.elapsed();
    assert!(bound <= time && time <= bound + Duration::from_millis(10), "{time:?}");
    assert_eq!(in_flight.await, Err(Refused::Unknown));
    assert_eq!(queued.await, Err(Refused::Draining));
    assert!(database.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropped_lanes_finish_what_they_have() {
    let database = FakeDatabase::scripted([Step::Gate]);
    let lanes = start(&database, LaneSettings::default());
    let first = lanes.enqueue(b"player", mutation(1), None).unwrap();
    database.runs_begun(1).await;
    let second = lanes.enqueue(b"player", mutation(2), None).unwrap();

    drop(lanes);
    database.open_gate();

    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(database.effects(), [1, 2]);
}
