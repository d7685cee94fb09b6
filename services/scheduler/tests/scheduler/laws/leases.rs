//! Leases and planning among copies: whoever is late changes nothing, and nobody needs to clean up behind the dead.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use auric_scheduler::Pace;
use auric_scheduler::domain::{End, Ended, FiringKey, JobSpec, Life, NewFiring, SkipReason};
use auric_scheduler::store::{DueAsk, LeaseAsk, Leased, PlannedJob, SchedulerStore, Settled};

use crate::asks::{at_once, create, every_second, hardly_ever, job, made, triggered};
use crate::hand::Hand;
use crate::harness::{Place, copy_on, eventually, firings, on_every_store, pace, wait_for, wait_for_many};

on_every_store!(
    a_frozen_copy_that_wakes_up_late_changes_nothing,
    a_slow_planner_that_wakes_up_late_moves_nothing,
    a_copy_that_dies_is_taken_over_when_its_leases_run_out,
    a_copy_that_is_slow_keeps_its_leases,
    a_copy_that_stops_hands_over_at_once,
    at_most_ten_calls_are_in_flight,
    one_bad_row_holds_up_no_other,
    a_job_moved_back_by_hand_doubles_nothing,
    what_was_put_into_the_past_by_hand_is_found,
);

fn lease_ask(copy: &str, lease: Duration) -> LeaseAsk {
    LeaseAsk { copy: copy.to_owned(), lease, limit: 100, since: None, busy: Vec::new() }
}

/// Leases something, when there is something.
async fn lease(store: &Arc<dyn SchedulerStore>, copy: &str, lease: Duration) -> Vec<Leased> {
    let look = || async {
        let leased = store.lease(&lease_ask(copy, lease)).await.unwrap();
        (!leased.is_empty()).then_some(leased)
    };
    eventually("something is leased", look).await
}

fn settled(leased: &Leased, end: End) -> Settled {
    Settled { key: leased.key.clone(), fence: leased.fence, end, message: leased.fence.to_string() }
}

async fn a_frozen_copy_that_wakes_up_late_changes_nothing(place: Place) {
    let idle = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&idle, "job", hardly_ever()).await;
    let key = triggered(&idle, "job").await;
    let (frozen, other) = (place.store().await, place.store().await);
    let old = lease(&frozen, "frozen", Duration::from_millis(20)).await;
    let new = lease(&other, "other", Duration::from_mins(1)).await;
    assert_eq!((old[0].fence, old[0].attempts, new[0].fence, new[0].attempts), (1, 1, 2, 2));
    let held = [(key.clone(), 1)];
    assert!(frozen.extend(&held, Duration::from_mins(1)).await.unwrap().is_empty(), "the lease is lost");
    for end in
        [End::Done, End::Retry { after_micros: 0 }, End::Retry { after_micros: 3_600_000_000 }, End::Dead("PERMANENT")]
    {
        assert!(frozen.settle(&[settled(&old[0], end)]).await.unwrap().is_empty(), "who is late ends nothing");
    }
    frozen.give_back(&held, true).await.unwrap();
    let own = std::slice::from_ref(&key);
    assert_eq!(other.settle(&[settled(&new[0], End::Done)]).await.unwrap(), own);
    assert_eq!(other.were_settled(&[(key.clone(), 2)]).await.unwrap(), own);
    assert!(frozen.were_settled(&held).await.unwrap().is_empty());
    let done = &firings(&idle, "job").await[&key];
    assert_eq!((done.life, done.attempts, done.message.as_str()), (Life::Done, 2, "2"));
    idle.close().await;
    place.assert_whole().await;
}

async fn a_slow_planner_that_wakes_up_late_moves_nothing(place: Place) {
    let idle = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&idle, "job", at_once()).await;
    let (slow, quick) = (place.store().await, place.store().await);
    let ask = DueAsk { since: None, within: Duration::from_secs(1), limit: 10 };
    let seen = slow.due_jobs(&ask).await.unwrap();
    let row = seen.jobs[0].clone();
    let next_at = row.job.next_at.unwrap();
    let firing = row.firing(next_at).unwrap();
    let skipped = Ended::skipped_one(&firing.key, false, SkipReason::MisfireSkip, seen.now);
    let planned = |firings: Vec<NewFiring>, skipped: Vec<Ended>| {
        [PlannedJob { job: row.job.id.clone(), plan: row.plan, next_at: None, firings, skipped }]
    };
    let moved = quick.plan(&planned(vec![firing.clone()], Vec::new()), seen.now).await.unwrap();
    assert_eq!(moved, [job("job")]);
    // The firing is done, and its record pruned, before the slow one goes on.
    let leased = lease(&quick, "quick", Duration::from_mins(1)).await;
    assert_eq!(quick.settle(&[settled(&leased[0], End::Done)]).await.unwrap().len(), 1);
    place.sql("DELETE FROM history").await;
    for planned in [planned(vec![firing], Vec::new()), planned(Vec::new(), vec![skipped])] {
        assert!(slow.plan(&planned, seen.now).await.unwrap().is_empty(), "who is late moves nothing");
    }
    assert!(firings(&idle, "job").await.is_empty(), "and inserts nothing");
    idle.close().await;
}

async fn a_copy_that_dies_is_taken_over_when_its_leases_run_out(place: Place) {
    let hand = Arc::new(Hand::default());
    let idle = place.idle_copy(&hand).await;
    made(&idle, "job", hardly_ever()).await;
    let key = triggered(&idle, "job").await;
    // One that leases, and is never heard of again.
    lease(&place.store().await, "dead", Duration::from_millis(300)).await;
    let copy = place.copy(&hand).await;
    let done = wait_for(&copy, &key, Life::Done).await;
    assert_eq!(done.attempts, 2, "what the dead one began counts");
    assert_eq!(hand.told()[&key].attempts, [2]);
    copy.close().await;
    idle.close().await;
    place.assert_whole().await;
}

async fn a_copy_that_is_slow_keeps_its_leases(place: Place) {
    let hand = Arc::new(Hand::default());
    let pace = Pace { lease: Duration::from_millis(600), ..pace() };
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        let copy = copy_on(place.store().await, &hand, pace);
        copy.begin_to_work();
        copies.push(copy);
    }
    made(&copies[0], "job", hardly_ever()).await;
    hand.open(false);
    let key = triggered(&copies[0], "job").await;
    hand.wait_for_calls(1).await;
    let begun = copies[0].standing().await.unwrap().counts.now;
    let long = begun.plus_micros(2_500_000);
    eventually("four leases go by", || async { (copies[0].standing().await.unwrap().counts.now > long).then_some(()) })
        .await;
    hand.open(true);
    assert_eq!(wait_for(&copies[0], &key, Life::Done).await.attempts, 1, "nobody took it over");
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

async fn a_copy_that_stops_hands_over_at_once(place: Place) {
    let hand = Arc::new(Hand::default());
    // One call at a time, leases that no law outlives, and no patience with calls in flight.
    let long = Duration::from_hours(1);
    let pace = Pace { parallel_max: NonZeroU16::MIN, lease: long, drain_max: Duration::from_millis(50), ..pace() };
    let stops = copy_on(place.store().await, &hand, pace);
    made(&stops, "begun", hardly_ever()).await;
    made(&stops, "not-begun", JobSpec { deadline_ms: 7_000, ..hardly_ever() }).await;
    hand.open(false);
    let (begun, not_begun) = (triggered(&stops, "begun").await, triggered(&stops, "not-begun").await);
    stops.begin_to_work();
    hand.wait_for_calls(1).await;
    wait_for(&stops, &begun, Life::Running).await;
    wait_for(&stops, &not_begun, Life::Running).await;
    let in_flight = hand.told().into_keys().next().unwrap();
    stops.close().await;
    let next = place.copy(&hand).await;
    hand.open(true);
    let done = wait_for(&next, &in_flight, Life::Done).await;
    assert_eq!(done.attempts, 2, "a call that was given up counts");
    let other = if in_flight == begun { not_begun } else { begun };
    assert_eq!(wait_for(&next, &other, Life::Done).await.attempts, 1, "what had not begun does not count");
    next.close().await;
    place.assert_whole().await;
}

async fn at_most_ten_calls_are_in_flight(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.idle_copy(&hand).await;
    hand.open(false);
    for number in 0..40 {
        // Another deadline each, so that no two go together.
        let spec = JobSpec { deadline_ms: 20_000 + number, ..at_once() };
        made(&copy, &format!("job-{number}"), spec).await;
    }
    copy.begin_to_work();
    hand.wait_for_calls(10).await;
    let standing = copy.standing().await.unwrap();
    assert_eq!((standing.calls, standing.calls_max), (10, 10));
    hand.open(true);
    for number in 0..40 {
        wait_for_many(&copy, &format!("job-{number}"), Life::Done, 1).await;
    }
    assert_eq!(hand.most_calls(), 10);
    copy.close().await;
    place.assert_whole().await;
}

async fn one_bad_row_holds_up_no_other(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.idle_copy(&hand).await;
    for name in ["a-torn", "b-nonsense", "c-lost", "d-good"] {
        made(&copy, name, every_second()).await;
    }
    let pending = triggered(&copy, "a-torn").await;
    place.sql("UPDATE definitions SET spec = '{' WHERE job_id = 'a-torn'").await;
    place.sql(r#"UPDATE definitions SET spec = replace(spec, '"every_ms":1000', '"every_ms":0') WHERE job_id = 'b-nonsense'"#).await;
    place.sql("DELETE FROM definitions WHERE job_id = 'c-lost'").await;
    copy.begin_to_work();
    wait_for_many(&copy, "d-good", Life::Done, 2).await;
    let dead = wait_for(&copy, &pending, Life::Dead).await;
    assert_eq!((dead.reason.as_str(), dead.message.as_str()), ("PERMANENT", "its definition cannot be read"));
    for name in ["b-nonsense", "c-lost"] {
        assert!(firings(&copy, name).await.is_empty());
        let broken = copy.job(&job(name)).await.unwrap().unwrap();
        assert!(broken.next_at.is_some(), "it is there for whoever mends it");
    }
    assert_eq!(copy.job(&job("c-lost")).await.unwrap().unwrap().spec, None);
    // A row that the database itself refuses to write.
    let refused = create("e-good", every_second());
    crate::asks::answer(&copy, refused).await;
    wait_for_many(&copy, "e-good", Life::Done, 1).await;
    copy.close().await;
}

async fn a_job_moved_back_by_hand_doubles_nothing(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "job", every_second()).await;
    let done = wait_for_many(&copy, "job", Life::Done, 3).await;
    let first: FiringKey = done.iter().map(|firing| firing.key.clone()).min().unwrap();
    let back = match &place {
        Place::Sqlite { .. } => first.scheduled_for.micros().to_string(),
        Place::Postgres(_) => format!("'{}'::timestamptz", first.scheduled_for),
    };
    place.sql(&format!("UPDATE jobs SET next_at = {back}, wake_at = {back}")).await;
    // It goes through all of them again, and past them.
    let all = done.len() + 6;
    wait_for_many(&copy, "job", Life::Done, all).await;
    for (key, told) in hand.told() {
        assert_eq!(told.attempts, [1], "{key}");
    }
    copy.close().await;
    place.assert_whole().await;
}

/// Looks begin where the last one ended; what a hand or a restore put before that is found by one that looks at everything.
async fn what_was_put_into_the_past_by_hand_is_found(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let epoch = match &place {
        Place::Sqlite { .. } => "1",
        Place::Postgres(_) => "to_timestamp(1)",
    };
    for name in ["tick", "lost"] {
        made(&copy, name, every_second()).await;
        wait_for_many(&copy, name, Life::Done, 2).await;
    }
    place.sql(&format!("UPDATE jobs SET wake_at = {epoch}")).await;
    let pending =
        place.sql(&format!("UPDATE firings SET ready_at = {epoch} WHERE job_id = 'lost' AND attempts = 0")).await;
    assert!(pending > 0, "some firings are planned ahead");
    let tick = firings(&copy, "tick").await.len();
    wait_for_many(&copy, "tick", Life::Done, tick + 8).await;
    let lost = firings(&copy, "lost").await.len();
    wait_for_many(&copy, "lost", Life::Done, lost + 3).await;
    for name in ["tick", "lost"] {
        let all = firings(&copy, name).await;
        let times: Vec<i64> = all.keys().map(|key| key.scheduled_for.micros() / 1_000_000).collect();
        assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1), "{name}: no second is left out: {times:?}");
    }
    copy.close().await;
    place.assert_whole().await;
}
