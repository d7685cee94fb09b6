//! The machinery fails: nothing is lost, nothing is doubled, and nothing stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use auric_scheduler::domain::{JobSpec, Life, Overlap};
use auric_scheduler::{Pace, RunEnd};
use auric_testkit::databases::PostgresDatabase;
use auric_testkit::proxy::{Direction, Fault, Proxy};
use auric_time::{Clock, SystemClock, Timestamp};

use crate::asks::{every_second, made};
use crate::faulty::{Chance, FaultyStore};
use crate::hand::Hand;
use crate::harness::{Place, connect, copy_on, eventually, firings, on_every_store, pace, wait_for_many};

on_every_store!(a_store_that_fails_one_call_in_four_loses_and_doubles_nothing);

const SEED: u64 = 20_261_122;

async fn a_store_that_fails_one_call_in_four_loses_and_doubles_nothing(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|firing| {
        if firing.attempt == 1 && firing.key.scheduled_for.micros() % 3_000_000 == 0 {
            RunEnd::Failed
        } else {
            RunEnd::Done
        }
    });
    let sound = place.idle_copy(&hand).await;
    for (number, overlap) in [Overlap::Allow, Overlap::Skip, Overlap::QueueOne, Overlap::Allow].into_iter().enumerate()
    {
        let spec = every_second();
        let retry = auric_scheduler::domain::Retry { attempts_max: 50, ..spec.retry };
        made(&sound, &format!("job-{number}"), JobSpec { overlap, retry, ..spec }).await;
    }
    let chances: Vec<Arc<Chance>> = (0..place.copies()).map(|copy| Chance::new(SEED + copy as u64, 4)).collect();
    let pace = Pace { lease: Duration::from_millis(700), ..pace() };
    let mut copies = Vec::new();
    for chance in &chances {
        let copy = copy_on(FaultyStore::over(place.store().await, Arc::clone(chance)), &hand, pace);
        copy.begin_to_work();
        copies.push(copy);
    }
    for number in 0..4 {
        wait_for_many(&sound, &format!("job-{number}"), Life::Done, 6).await;
    }
    let failed: u64 = chances.iter().map(|chance| chance.failed.load(Relaxed)).sum();
    assert!(failed > 20, "{failed} calls failed");
    for chance in &chances {
        chance.stop();
    }
    for number in 0..4 {
        let name = format!("job-{number}");
        eventually("what is open comes to its end", || async {
            let all = firings(&sound, &name).await;
            let old = all.values().next().unwrap().key.scheduled_for.plus_micros(6_000_000);
            all.values()
                .filter(|firing| firing.key.scheduled_for < old)
                .all(|firing| firing.ended_at.is_some())
                .then_some(())
        })
        .await;
        let mut next = None;
        for (key, firing) in firings(&sound, &name).await {
            let second = key.scheduled_for.micros() / 1_000_000;
            assert!(next.is_none_or(|next| next == second), "{name}: second {next:?} is left out before {second}");
            next = Some(second + i64::try_from(firing.count).unwrap());
            assert!(firing.life != Life::Dead, "{key} is dead: {}", firing.message);
        }
    }
    for copy in copies {
        copy.close().await;
    }
    sound.close().await;
    place.assert_whole().await;
}

/// Nobody is told that nothing arrives: only the scheduler's own clock ends a call. Two of them in a row are ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_for_ten_seconds_stops_nothing() {
    let database = PostgresDatabase::create(auric_scheduler::store::postgres_migrator()).await.unwrap();
    let upstream = database.url();
    let after_user = upstream.rsplit_once('@').map_or(upstream, |(_, rest)| rest);
    let host = after_user.trim_start_matches("postgres://").split('/').next().unwrap();
    let proxy = Proxy::start(host.parse().unwrap()).await.unwrap();
    let through = upstream.replace(host, &proxy.address().to_string());
    let hand = Arc::new(Hand::default());
    let copy = copy_on(connect(&through).await, &hand, pace());
    copy.begin_to_work();
    let aside = copy_on(connect(upstream).await, &hand, pace());
    made(&aside, "tick", every_second()).await;
    wait_for_many(&aside, "tick", Life::Done, 2).await;
    proxy.set(Fault::Stops(Direction::Both));
    for _ in 0..2 {
        copy.ping().await.unwrap_err();
    }
    let before = firings(&aside, "tick").await.values().filter(|firing| firing.life == Life::Done).count();
    proxy.reset();
    proxy.set(Fault::None);
    wait_for_many(&aside, "tick", Life::Done, before + 3).await;
    let mut next = None;
    for (key, firing) in firings(&aside, "tick").await {
        let second = key.scheduled_for.micros() / 1_000_000;
        assert!(next.is_none_or(|next| next == second), "second {next:?} is left out before {second}");
        next = Some(second + i64::try_from(firing.count).unwrap());
    }
    copy.close().await;
    aside.close().await;
}

/// A clock that a law puts back.
#[derive(Debug, Default)]
struct PutBack(AtomicI64);

impl Clock for PutBack {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_micros(self.0.load(Relaxed))
    }
}

/// On a file the machine's clock is all that there is. On PostgreSQL nothing is compared with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_put_back_an_hour_stops_nothing() {
    let clock = Arc::new(PutBack::default());
    let place = Place::sqlite_with(Arc::<PutBack>::clone(&clock)).await;
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "tick", every_second()).await;
    let before = wait_for_many(&copy, "tick", Life::Done, 2).await.len();
    clock.0.store(-3_600_000_000, Relaxed);
    wait_for_many(&copy, "tick", Life::Done, before + 3).await;
    clock.0.store(0, Relaxed);
    wait_for_many(&copy, "tick", Life::Done, before + 5).await;
    copy.close().await;
    place.assert_whole().await;
}
