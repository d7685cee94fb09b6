//! Firings that allow no other of their job beside them: never two at once, whichever copies lease them.

use std::sync::Arc;
use std::time::Duration;

use auric_scheduler::RunEnd;
use auric_scheduler::domain::{JobSpec, Life, Overlap, Retry};
use futures::future::join_all;

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
    let told = hand.told();
    let order: Vec<_> = told.keys().cloned().collect();
    assert_eq!(order, [first, second]);
    assert_eq!(hand.most_of_a_job(), 1);
    copy.close().await;
    place.assert_whole().await;
}
