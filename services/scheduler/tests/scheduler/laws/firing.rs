//! R-T1: each due firing runs once, whichever copy runs it. R-T3: what fails is tried again, and what keeps failing is parked.

use std::sync::Arc;

use auric_scheduler::RunEnd;
use auric_scheduler::domain::{Action, JobSpec, Life, Retry};

use crate::asks::{answer, at_once, every_second, hardly_ever, made, told_firing, triggered};
use crate::hand::Hand;
use crate::harness::{Place, firings, on_every_store, wait_for, wait_for_many};

on_every_store!(
    a_one_shot_fires_once_and_ends,
    every_time_of_a_job_fires_once_whichever_copy_runs_it,
    what_fails_is_tried_again_under_the_same_key,
    what_keeps_failing_is_parked_and_sent_again,
    what_is_rejected_is_parked_at_once_and_laid_to_rest,
);

async fn a_one_shot_fires_once_and_ends(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let job = made(&copy, "once", JobSpec { payload: b"{}".to_vec(), ..at_once() }).await;
    let done = wait_for_many(&copy, "once", Life::Done, 1).await;
    assert_eq!(done[0].key.incarnation, job.incarnation);
    assert_eq!((done[0].attempts, done[0].message.as_str()), (1, "said"));
    let told = hand.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[&done[0].key].attempts, [1]);
    assert!(told[&done[0].key].payloads.contains(b"{}".as_slice()));
    let now = copy.job(&job.id).await.unwrap().unwrap();
    assert_eq!((now.next_at, now.planned_at, now.version), (None, None, 1));
    assert_eq!(now.last.map(|last| last.life), Some(Life::Done));
    copy.close().await;
    place.assert_whole().await;
}

async fn every_time_of_a_job_fires_once_whichever_copy_runs_it(place: Place) {
    let hand = Arc::new(Hand::default());
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.copy(&hand).await);
    }
    for number in 0..20 {
        made(&copies[0], &format!("job-{number}"), every_second()).await;
    }
    for number in 0..20 {
        wait_for_many(&copies[0], &format!("job-{number}"), Life::Done, 4).await;
    }
    for (key, told) in hand.told() {
        assert_eq!(told.attempts, [1], "{key}");
        assert_eq!(key.scheduled_for.micros() % 1_000_000, 0, "{key}");
    }
    for number in 0..20 {
        let done = firings(&copies[0], &format!("job-{number}")).await;
        let mut times: Vec<i64> = done.keys().map(|key| key.scheduled_for.micros() / 1_000_000).collect();
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1), "no second is left out: {times:?}");
    }
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

async fn what_fails_is_tried_again_under_the_same_key(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|firing| if firing.attempt < 3 { RunEnd::Failed } else { RunEnd::Done });
    let copy = place.copy(&hand).await;
    made(&copy, "often", hardly_ever()).await;
    let key = triggered(&copy, "often").await;
    let done = wait_for(&copy, &key, Life::Done).await;
    assert_eq!(done.attempts, 3);
    assert_eq!(hand.told()[&key].attempts, [1, 2, 3]);
    copy.close().await;
    place.assert_whole().await;
}

async fn what_keeps_failing_is_parked_and_sent_again(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|_| RunEnd::Failed);
    let copy = place.copy(&hand).await;
    made(&copy, "never", hardly_ever()).await;
    let key = triggered(&copy, "never").await;
    let dead = wait_for(&copy, &key, Life::Dead).await;
    assert_eq!((dead.attempts, dead.reason.as_str(), dead.message.as_str()), (3, "ATTEMPTS_SPENT", "said"));
    hand.be(|_| RunEnd::Done);
    let again = told_firing(answer(&copy, Action::Replay(key.clone())).await);
    assert_eq!((again.key.clone(), again.life, again.attempts), (key.clone(), Life::Pending, 0));
    let done = wait_for(&copy, &key, Life::Done).await;
    assert_eq!(done.attempts, 1);
    assert_eq!(hand.told()[&key].attempts, [1, 2, 3, 1]);
    copy.close().await;
    place.assert_whole().await;
}

async fn what_is_rejected_is_parked_at_once_and_laid_to_rest(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|_| RunEnd::Rejected);
    let copy = place.copy(&hand).await;
    let retry = Retry { attempts_max: 100, ..Retry::default() };
    made(&copy, "wrong", JobSpec { retry, ..hardly_ever() }).await;
    let key = triggered(&copy, "wrong").await;
    let dead = wait_for(&copy, &key, Life::Dead).await;
    assert_eq!((dead.attempts, dead.reason.as_str()), (1, "PERMANENT"));
    let gone = told_firing(answer(&copy, Action::Discard(key.clone())).await);
    assert_eq!(gone.life, Life::Discarded);
    assert_eq!(firings(&copy, "wrong").await[&key].life, Life::Discarded);
    assert_eq!(hand.told()[&key].attempts, [1]);
    copy.close().await;
    place.assert_whole().await;
}
