//! R-T2: what of a desired set is missing, at start or later, is found and scheduled again without a person.

use std::sync::Arc;

use auric_ids::JobId;
use auric_scheduler::domain::{Action, Answer, Change, DesiredJob, Ensured, JobSpec, Life, Schedule};
use auric_scheduler::{DesiredSet, Handlers};
use auric_time::Timestamp;

use crate::asks::{answer, every_second, group, job, made, pause};
use crate::hand::Hand;
use crate::harness::{Place, eventually, firings, on_every_store, wait_for_many};

on_every_store!(
    what_is_deleted_by_hand_comes_back_what_is_new_appears_and_what_is_broken_is_named,
    an_absurd_next_time_is_found_again,
    a_desired_set_says_what_it_did,
    a_paused_job_of_a_set_stays_paused,
);

const ZONES: usize = 81;

fn nightstorm(zone: usize) -> JobId {
    job(&format!("nightstorm_{zone}"))
}

fn storms() -> JobSpec {
    let schedule = Schedule::Cron { expression: "*/7 * * * *".to_owned(), time_zone: "America/New_York".to_owned() };
    JobSpec { schedule, ..every_second() }
}

fn desired(zones: usize, broken: Option<usize>) -> DesiredSet {
    let spec = |zone: usize| {
        let expression = if broken == Some(zone) { "0 0 30 2 *" } else { "*/7 * * * *" };
        let schedule = Schedule::Cron { expression: expression.to_owned(), time_zone: "America/New_York".to_owned() };
        Ok(Arc::new(JobSpec { schedule, ..storms() }))
    };
    let jobs = (1..=zones).map(|zone| DesiredJob { job: nightstorm(zone), spec: spec(zone) });
    DesiredSet { group: group(), jobs: jobs.collect() }
}

async fn ensure(copy: &Handlers, set: DesiredSet) -> Vec<Ensured> {
    match answer(copy, Action::Ensure { group: set.group, jobs: set.jobs }).await {
        Answer::Ensured(ensured) => ensured,
        other => panic!("{other:?}"),
    }
}

/// How many of the zones have exactly one next time, and one that is theirs.
async fn right(copy: &Handlers, zones: usize) -> usize {
    let mut right = 0;
    for zone in 1..=zones {
        let found = copy.job(&nightstorm(zone)).await.unwrap();
        let now = copy.standing().await.unwrap().counts.now;
        let is_right = |next: Timestamp| next > now && next.micros_since(now) <= 7 * 60_000_000;
        right += usize::from(found.and_then(|job| job.next_fire()).is_some_and(is_right));
    }
    right
}

async fn what_is_deleted_by_hand_comes_back_what_is_new_appears_and_what_is_broken_is_named(place: Place) {
    let hand = Arc::new(Hand::default());
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.copy(&hand).await);
    }
    for copy in &copies {
        copy.desire(vec![desired(ZONES, None)]);
    }
    let copy = &copies[0];
    eventually("81 zones", || async { (right(copy, ZONES).await == ZONES).then_some(()) }).await;
    place.sql("DELETE FROM jobs WHERE job_id IN ('nightstorm_1', 'nightstorm_2', 'nightstorm_3', 'nightstorm_40', 'nightstorm_81')").await;
    for copy in &copies {
        copy.desire(vec![desired(ZONES + 1, Some(7))]);
    }
    eventually("82 zones", || async { (right(copy, ZONES + 1).await == ZONES + 1).then_some(()) }).await;
    assert_eq!(place.number("SELECT count(*) FROM jobs").await, i64::try_from(ZONES + 1).unwrap());
    let ensured = ensure(copy, desired(ZONES + 1, Some(7))).await;
    for one in ensured {
        let expected = if one.job == nightstorm(7) { Change::Refused } else { Change::None };
        assert_eq!(one.change, expected, "{}: {}", one.job, one.detail);
        assert_eq!(one.detail.contains("never fires"), expected == Change::Refused, "{}", one.detail);
    }
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

async fn an_absurd_next_time_is_found_again(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let set = || DesiredSet {
        group: group(),
        jobs: vec![DesiredJob { job: job("tick"), spec: Ok(Arc::new(every_second())) }],
    };
    copy.desire(vec![set()]);
    let far = match &place {
        Place::Sqlite { .. } => "next_at + 86400000000",
        Place::Postgres(_) => "next_at + interval '1 day'",
    };
    let off = match &place {
        Place::Sqlite { .. } => "next_at + 1",
        Place::Postgres(_) => "next_at + interval '1 microsecond'",
    };
    for (count, absurd) in ["NULL", far, off].into_iter().enumerate() {
        let before = wait_for_many(&copy, "tick", Life::Done, 1 + count).await.len();
        place.sql(&format!("UPDATE jobs SET next_at = {absurd}, plan = plan + 1")).await;
        wait_for_many(&copy, "tick", Life::Done, before + 8).await;
    }
    for (key, told) in hand.told() {
        assert_eq!(told.attempts, [1], "{key}");
        assert_eq!(key.scheduled_for.micros() % 1_000_000, 0, "{key} is a time of the schedule");
    }
    copy.close().await;
    place.assert_whole().await;
}

async fn a_desired_set_says_what_it_did(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&copy, "nightstorm_2", storms()).await;
    made(&copy, "stranger", storms()).await;
    let first = ensure(&copy, desired(3, None)).await;
    let changes: Vec<Change> = first.iter().map(|one| one.change).collect();
    assert_eq!(changes, [Change::Created, Change::None, Change::Created]);
    let mut other = desired(3, None);
    other.jobs[1].spec = Ok(Arc::new(JobSpec { jitter_ms: 1_000, ..storms() }));
    let second = ensure(&copy, other).await;
    let changes: Vec<Change> = second.iter().map(|one| one.change).collect();
    assert_eq!(changes, [Change::None, Change::Updated, Change::None]);
    assert_eq!(copy.job(&nightstorm(2)).await.unwrap().unwrap().version, 2);
    assert_eq!(copy.job(&job("stranger")).await.unwrap().unwrap().version, 1, "who is not named is left alone");
    copy.close().await;
    place.assert_whole().await;
}

async fn a_paused_job_of_a_set_stays_paused(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let set = || DesiredSet {
        group: group(),
        jobs: vec![DesiredJob { job: job("tick"), spec: Ok(Arc::new(every_second())) }],
    };
    copy.desire(vec![set()]);
    wait_for_many(&copy, "tick", Life::Done, 1).await;
    answer(&copy, pause("tick", true)).await;
    let ensured = ensure(&copy, set()).await;
    assert_eq!((ensured[0].change, ensured[0].detail.as_str()), (Change::None, ""));
    let paused = copy.job(&job("tick")).await.unwrap().unwrap();
    assert!(paused.paused && paused.next_fire().is_none());
    answer(&copy, pause("tick", false)).await;
    let before = firings(&copy, "tick").await.len();
    wait_for_many(&copy, "tick", Life::Done, before + 2).await;
    copy.close().await;
    place.assert_whole().await;
}
