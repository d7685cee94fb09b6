//! Copies, and changes of every kind in any order, while jobs fire: every time of a job ends once.

use std::sync::Arc;

use auric_scheduler::domain::{Action, DesiredJob, JobSpec, Life, Overlap};
use auric_scheduler::{Handlers, RunEnd};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::asks::{ask, every_second, group, job, made, pause, send, trigger};
use crate::hand::Hand;
use crate::harness::{Place, eventually, firings, on_every_store, wait_for_many};

on_every_store!(a_storm_of_changes_leaves_no_time_out_and_doubles_none);

const SEED: u64 = 81;

const JOBS: usize = 6;

fn spec(number: usize, payload: u8) -> JobSpec {
    let overlap = [Overlap::Allow, Overlap::QueueOne, Overlap::Skip][number % 3];
    JobSpec { overlap, payload: vec![payload], jitter_ms: 300 * (number as u64 % 2), ..every_second() }
}

async fn a_storm_of_changes_leaves_no_time_out_and_doubles_none(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|firing| {
        if firing.attempt == 1 && firing.key.scheduled_for.micros() % 5 == 1 { RunEnd::Failed } else { RunEnd::Done }
    });
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.copy(&hand).await);
    }
    let name = |number: usize| format!("job-{number}");
    for number in 0..JOBS {
        made(&copies[0], &name(number), spec(number, 0)).await;
    }
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut triggers = 0_usize;
    for step in 0..150_u8 {
        let (copy, number) = (&copies[rng.random_range(0..copies.len())], rng.random_range(0..JOBS));
        let action = match rng.random_range(0..5) {
            0 => pause(&name(number), true),
            1 => pause(&name(number), false),
            2 => Action::Update { job: job(&name(number)), spec: Arc::new(spec(number, step)), expected: None },
            3 => {
                let desired = |number| DesiredJob { job: job(&name(number)), spec: Ok(Arc::new(spec(number, step))) };
                Action::Ensure { group: group(), jobs: (0..JOBS).map(desired).collect() }
            }
            _ => {
                triggers += 1;
                trigger(&name(number))
            }
        };
        send(copy, ask(action)).await;
        // A beat, so that the storm lasts for some firings.
        let now = copy.standing().await.unwrap().counts.now;
        let beat = now.plus_micros(20_000);
        eventually("a beat", || async { (copy.standing().await.unwrap().counts.now > beat).then_some(()) }).await;
    }
    for number in 0..JOBS {
        send(&copies[0], ask(pause(&name(number), false))).await;
    }
    let mut seen = 0;
    for number in 0..JOBS {
        wait_for_many(&copies[0], &name(number), Life::Done, 3).await;
        seen += every_time_ends_once(&copies[0], &name(number)).await;
    }
    assert_eq!(seen, triggers, "every trigger is a firing");
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

/// Tells how many firings were triggered.
async fn every_time_ends_once(copy: &Handlers, name: &str) -> usize {
    let all = firings(copy, name).await;
    let mut next: Option<i64> = None;
    for (key, firing) in all.iter().filter(|(_, firing)| !firing.triggered) {
        let second = key.scheduled_for.micros() / 1_000_000;
        assert!(next.is_none_or(|next| next == second), "{name}: second {next:?} is left out before {second}");
        next = Some(second + i64::try_from(firing.count).unwrap());
    }
    all.values().filter(|firing| firing.triggered).count()
}
