use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use auric_lanes::{LaneSettings, Refused, Ticket};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fake::{Answer, FakeDatabase, Step, TestLanes, mutation, start};

fn bound(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap()
}

fn enqueue(lanes: &TestLanes, keys: impl IntoIterator<Item = u32>) -> Vec<Ticket<Answer>> {
    keys.into_iter().map(|key| lanes.enqueue(b"player", mutation(key), None).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lone_submission_is_run_at_once() {
    let database = FakeDatabase::new([], Duration::ZERO);
    let lanes = start(&database, LaneSettings::default());
    let begun = Instant::now();

    let answer = lanes.submit(b"player", mutation(1), None).await;

    assert_eq!(answer, Ok(Answer { key: 1, effect: 0 }));
    assert_eq!(database.batches(), [[1]]);
    assert!(begun.elapsed() <= Duration::from_millis(1), "waited {:?} for nothing", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_batch_is_in_flight_is_the_next_batch_in_order() {
    let database = FakeDatabase::scripted([Step::Gate]);
    let lanes = start(&database, LaneSettings::default());
    let first = enqueue(&lanes, [1]);
    database.runs_begun(1).await;

    let rest = enqueue(&lanes, 2..=9);
    database.open_gate();
    for (ticket, key) in first.into_iter().chain(rest).zip(1..) {
        assert_eq!(ticket.await.map(|answer| answer.key), Ok(key));
    }

    assert_eq!(database.batches(), [vec![1], (2..=9).collect()]);
    assert_eq!(database.effects(), (1..=9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn no_batch_is_larger_than_its_bound() {
    let database = FakeDatabase::scripted([]);
    let lanes = start(&database, LaneSettings { batch_max: bound(3), ..LaneSettings::default() });

    for ticket in enqueue(&lanes, 1..=8) {
        ticket.await.unwrap();
    }

    assert_eq!(database.batches(), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]]);
}

#[tokio::test(start_paused = true)]
async fn a_key_keeps_its_lane_and_lanes_run_beside_each_other() {
    let database = FakeDatabase::scripted([Step::Gate, Step::Gate]);
    let lanes = start(&database, LaneSettings { lanes: bound(8), ..LaneSettings::default() });
    let other = (0..1_000_u32).find(|key| lanes.lane_of(&key.to_le_bytes()) != lanes.lane_of(b"player")).unwrap();

    let mut tickets = enqueue(&lanes, [1]);
    tickets.push(lanes.enqueue(&other.to_le_bytes(), mutation(2), None).unwrap());
    // The fake refuses two transactions in one lane: both are in flight here, so the lanes differ.
    database.runs_begun(2).await;
    tickets.extend(enqueue(&lanes, [3]));
    database.open_gate();
    database.open_gate();
    for ticket in tickets {
        ticket.await.unwrap();
    }

    let home = lanes.lane_of(b"player").number();
    for run in &database.state().runs {
        assert_eq!(run.lane == home, run.keys != [2], "{run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_forgets_what_it_refused() {
    let database = FakeDatabase::scripted([Step::Gate]);
    let settings = LaneSettings { queue_max: bound(2), ..LaneSettings::default() };
    let least = settings.retry_after_min;
    let lanes = start(&database, settings);
    let mut tickets = enqueue(&lanes, [1]);
    database.runs_begun(1).await;
    tickets.extend(enqueue(&lanes, [2, 3]));
    let begun = Instant::now();

    let refused = lanes.submit(b"player", mutation(4), None).await;

    assert_eq!(refused, Err(Refused::QueueFull { retry_after: least }));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    database.open_gate();
    for ticket in tickets {
        ticket.await.unwrap();
    }
    assert_eq!(database.effects(), [1, 2, 3]);
    assert_eq!(lanes.stats()[0].refused.queue_full, 1);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_are_let_in_only_where_there_is_room_for_all() {
    let database = FakeDatabase::scripted([Step::Gate]);
    let lanes = start(&database, LaneSettings { queue_max: bound(8), lanes: bound(2), ..LaneSettings::default() });
    let mut tickets = enqueue(&lanes, [1]);
    database.runs_begun(1).await;
    tickets.extend(enqueue(&lanes, 2..=9));

    assert_eq!(lanes.admit(4), Ok(()), "eight of sixteen places are free");
    assert_eq!(lanes.admit(100), Ok(()), "more than there are places: a quarter is enough");
    database.open_gate();
    for ticket in tickets {
        ticket.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_is_refused_before_anything_is_made_of_it() {
    let database = FakeDatabase::scripted([Step::Gate]);
    let lanes = start(&database, LaneSettings { queue_max: bound(8), lanes: bound(1), ..LaneSettings::default() });
    let mut tickets = enqueue(&lanes, [1]);
    database.runs_begun(1).await;
    tickets.extend(enqueue(&lanes, 2..=8));

    let refused = lanes.admit(2);

    assert!(matches!(refused, Err(Refused::QueueFull { .. })), "{refused:?}");
    assert_eq!(lanes.stats()[0].refused.queue_full, 2);
    assert_eq!(lanes.admit(1), Ok(()), "one place is left");
    database.open_gate();
    for ticket in tickets {
        ticket.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_delay_of_a_full_queue_is_the_time_that_its_batches_take_up_to_a_bound() {
    let batch_time = Duration::from_millis(200);
    // Three batches wait, and one is in flight.
    let needed = check_delay(batch_time, Duration::from_secs(5)).await;
    assert!(needed.abs_diff(4 * batch_time) < Duration::from_millis(20), "{needed:?}");

    let bound = Duration::from_millis(300);
    assert_eq!(check_delay(batch_time, bound).await, bound);
}

/// Fills a queue of three batches after one that took `batch_time`, and returns the delay that the next caller is told.
async fn check_delay(batch_time: Duration, retry_after_max: Duration) -> Duration {
    let database = FakeDatabase::new([], batch_time);
    let settings =
        LaneSettings { queue_max: bound(6), batch_max: bound(2), retry_after_max, ..LaneSettings::default() };
    let lanes = start(&database, settings);
    lanes.submit(b"player", mutation(0), None).await.unwrap();
    let first = enqueue(&lanes, [1]);
    database.runs_begun(2).await;
    let queued = enqueue(&lanes, 2..=7);

    let refused = lanes.submit(b"player", mutation(8), None).await;

    for ticket in first.into_iter().chain(queued) {
        ticket.await.unwrap();
    }
    let Err(Refused::QueueFull { retry_after }) = refused else { panic!("{refused:?}") };
    retry_after
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_caller_on_every_thread_gets_its_own_answer() {
    for lane_count in [1, 2, 8] {
        for batch_max in [1, 2, u16::MAX] {
            check_many_callers(lane_count, batch_max).await;
        }
    }
}

async fn check_many_callers(lane_count: u16, batch_max: u16) {
    const CALLERS: u32 = 32;
    const EACH: u32 = 20;
    let database = FakeDatabase::new([], Duration::ZERO);
    let settings = LaneSettings { lanes: bound(lane_count), batch_max: bound(batch_max), ..LaneSettings::default() };
    let lanes = Arc::new(start(&database, settings));

    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let lanes = Arc::clone(&lanes);
        callers.spawn(async move {
            let mut effects = Vec::new();
            for key in caller * EACH..(caller + 1) * EACH {
                let answer = lanes.submit(&(caller % 5).to_le_bytes(), mutation(key), None).await.unwrap();
                assert_eq!(answer.key, key);
                effects.push(answer.effect);
            }
            effects
        });
    }
    let all: BTreeSet<usize> = callers.join_all().await.into_iter().flatten().collect();

    assert_eq!(all.len(), usize::try_from(CALLERS * EACH).unwrap());
    let stats = lanes.stats();
    assert_eq!(stats.iter().map(|lane| lane.answered).sum::<u64>(), u64::from(CALLERS * EACH));
    assert_eq!(stats.iter().map(|lane| lane.batch_size.sum).sum::<u64>(), u64::from(CALLERS * EACH));
    for run in &database.state().runs {
        assert!(run.keys.len() <= usize::from(batch_max) && run.lane < lane_count, "{run:?}");
    }
    lanes.drain().await.unwrap();
}
