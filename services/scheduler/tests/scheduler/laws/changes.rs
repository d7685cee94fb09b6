//! Changes of jobs: under a key, once; what has begun goes on, what has not is taken back or on record.

use std::sync::Arc;

use auric_scheduler::RunEnd;
use auric_scheduler::domain::{Action, JobSpec, Life, Misfire, MisfirePolicy, Refusal, Rejection, Schedule, Verdict};
use auric_time::Timestamp;
use futures::future::join_all;

use crate::asks::{
    answer, ask, at_once, create, every_second, hardly_ever, job, keyed, made, pause, refused, send, told_job, trigger,
    triggered,
};
use crate::hand::Hand;
use crate::harness::{Place, eventually, firings, on_every_store, wait_for, wait_for_many};

on_every_store!(
    a_replayed_request_gets_the_first_answer_and_has_one_effect,
    a_refused_key_stays_refused,
    a_reused_key_names_what_differs,
    parallel_twins_get_one_answer,
    a_spec_that_never_fires_is_refused_when_it_is_defined,
    a_stale_version_is_refused,
    a_paused_job_fires_nothing_and_a_resumed_one_accounts_for_every_time,
    a_new_spec_counts_from_now_on_and_what_has_begun_keeps_the_old_one,
    a_deleted_job_fires_no_more_and_what_has_begun_goes_on,
    a_job_made_again_is_another_one,
    a_trigger_fires_once_paused_or_not,
);

async fn a_replayed_request_gets_the_first_answer_and_has_one_effect(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&copy, "job", hardly_ever()).await;
    let once = ask(trigger("job"));
    let first = send(&copy, once.clone()).await;
    let Verdict::Answered { outcome: Ok(answered), replayed: false } = first else { panic!("{first:?}") };
    let again = send(&copy, once).await;
    assert_eq!(again, Verdict::Answered { outcome: Ok(answered), replayed: true });
    assert_eq!(firings(&copy, "job").await.len(), 1);
    copy.close().await;
}

async fn a_refused_key_stays_refused(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    let early = ask(trigger("later"));
    let no = Rejection::JobNotFound { job: job("later") };
    assert_eq!(send(&copy, early.clone()).await, Verdict::Answered { outcome: Err(no.clone()), replayed: false });
    made(&copy, "later", hardly_ever()).await;
    assert_eq!(send(&copy, early).await, Verdict::Answered { outcome: Err(no), replayed: true });
    copy.close().await;
}

async fn a_reused_key_names_what_differs(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    send(&copy, keyed("k", create("one", hardly_ever()))).await;
    let other = JobSpec { jitter_ms: 5, payload: b"x".to_vec(), ..hardly_ever() };
    let verdict = send(&copy, keyed("k", create("one", other))).await;
    let Verdict::Refused(Refusal::KeyReused { fields, first_method }) = verdict else { panic!("{verdict:?}") };
    assert_eq!((fields, first_method.as_str()), (vec!["jitter".to_owned(), "payload".to_owned()], "CreateJob"));
    copy.close().await;
}

async fn parallel_twins_get_one_answer(place: Place) {
    let hand = Arc::new(Hand::default());
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.idle_copy(&hand).await);
    }
    for round in 0..10 {
        let twin = keyed(&format!("twin-{round}"), create(&format!("job-{round}"), hardly_ever()));
        let answers = join_all((0..9).map(|number| send(&copies[number % copies.len()], twin.clone()))).await;
        let firsts = answers.iter().filter(|one| matches!(one, Verdict::Answered { outcome: Ok(_), replayed: false }));
        assert_eq!(firsts.count(), 1, "{answers:?}");
        let all = answers.into_iter().map(|one| match one {
            Verdict::Answered { outcome: Ok(answer), .. } => told_job(answer).incarnation,
            other => panic!("{other:?}"),
        });
        let all: Vec<_> = all.collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "one job was made");
    }
    for copy in copies {
        copy.close().await;
    }
    place.assert_whole().await;
}

async fn a_spec_that_never_fires_is_refused_when_it_is_defined(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    let schedule = Schedule::Cron { expression: "0 0 30 2 *".to_owned(), time_zone: "UTC".to_owned() };
    let never = JobSpec { schedule, target: "nobody".parse().unwrap(), ..every_second() };
    let verdict = send(&copy, ask(create("never", never))).await;
    let Verdict::Refused(Refusal::Invalid(bad)) = verdict else { panic!("{verdict:?}") };
    let paths: Vec<&str> = bad.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["spec.target", "spec.cron.expression"]);
    assert_eq!(copy.job(&job("never")).await.unwrap(), None);
    copy.close().await;
}

async fn a_stale_version_is_refused(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&copy, "job", hardly_ever()).await;
    let update = |expected| Action::Update { job: job("job"), spec: Arc::new(every_second()), expected };
    assert_eq!(told_job(answer(&copy, update(Some(1))).await).version, 2);
    let stale = Rejection::StaleVersion { job: job("job"), expected: 1, found: 2 };
    assert_eq!(refused(&copy, update(Some(1))).await, stale);
    assert_eq!(refused(&copy, create("job", hardly_ever())).await, Rejection::JobExists { job: job("job") });
    copy.close().await;
}

async fn a_paused_job_fires_nothing_and_a_resumed_one_accounts_for_every_time(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let misfire = Misfire { policy: MisfirePolicy::Skip, threshold_ms: 500, ..Misfire::default() };
    made(&copy, "job", JobSpec { misfire, ..every_second() }).await;
    wait_for_many(&copy, "job", Life::Done, 2).await;
    let paused = told_job(answer(&copy, pause("job", true)).await);
    assert_eq!(paused.next_fire(), None);
    assert_eq!(told_job(answer(&copy, pause("job", true)).await).version, paused.version, "it stays paused");
    // What was leased before the pause comes to its end; from then on nothing begins.
    let settled = eventually("nothing open", || async {
        let all = firings(&copy, "job").await;
        all.values().all(|firing| firing.ended_at.is_some()).then_some(all)
    });
    let before = settled.await.len();
    let stands_at = paused.next_at.unwrap();
    let later = stands_at.plus_micros(2_500_000);
    eventually("time goes by", || async { (copy.standing().await.unwrap().counts.now > later).then_some(()) }).await;
    let all = firings(&copy, "job").await;
    assert_eq!(all.len(), before, "a paused job fires nothing");
    let late = all.keys().filter(|key| key.scheduled_for > paused.updated_at).count();
    assert_eq!(late, 0, "what was planned ahead is taken back");
    answer(&copy, pause("job", false)).await;
    let skipped = wait_for_many(&copy, "job", Life::Skipped, 1).await;
    assert!(skipped.iter().all(|firing| firing.reason == "MISFIRE_SKIP"));
    wait_for_many(&copy, "job", Life::Done, before + 2).await;
    assert_no_time_is_left_out(&copy, "job").await;
    copy.close().await;
    place.assert_whole().await;
}

/// Every second from the first to the last firing is done, skipped or open, once.
async fn assert_no_time_is_left_out(copy: &auric_scheduler::Handlers, name: &str) {
    let mut next: Option<i64> = None;
    for (key, firing) in firings(copy, name).await {
        let second = key.scheduled_for.micros() / 1_000_000;
        assert!(next.is_none_or(|next| next == second), "second {next:?} is left out before {second}");
        let last = firing.until.micros() / 1_000_000;
        assert_eq!(u64::try_from(last - second + 1).unwrap(), firing.count, "{key}");
        next = Some(last + 1);
    }
}

async fn a_new_spec_counts_from_now_on_and_what_has_begun_keeps_the_old_one(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|firing| if firing.attempt == 1 { RunEnd::Failed } else { RunEnd::Done });
    let copy = place.copy(&hand).await;
    made(&copy, "job", JobSpec { payload: b"old".to_vec(), ..hardly_ever() }).await;
    hand.open(false);
    let key = triggered(&copy, "job").await;
    hand.wait_for_calls(1).await;
    let update = Action::Update {
        job: job("job"),
        spec: Arc::new(JobSpec { payload: b"new".to_vec(), ..every_second() }),
        expected: None,
    };
    let updated = told_job(answer(&copy, update).await);
    assert_eq!((updated.version, updated.revision), (2, 2));
    hand.open(true);
    wait_for(&copy, &key, Life::Done).await;
    let told = hand.told();
    assert_eq!(told[&key].attempts, [1, 2]);
    assert_eq!(told[&key].payloads.iter().collect::<Vec<_>>(), [b"old"], "every attempt does the same");
    wait_for_many(&copy, "job", Life::Done, 3).await;
    let others = hand.told().into_iter().filter(|(other, _)| *other != key);
    assert!(others.map(|(_, told)| told).all(|told| told.payloads.contains(b"new".as_slice())));
    copy.close().await;
    place.assert_whole().await;
}

async fn a_deleted_job_fires_no_more_and_what_has_begun_goes_on(place: Place) {
    let hand = Arc::new(Hand::default());
    hand.be(|firing| if firing.attempt == 1 { RunEnd::Failed } else { RunEnd::Done });
    let copy = place.copy(&hand).await;
    made(&copy, "job", hardly_ever()).await;
    hand.open(false);
    let begun = triggered(&copy, "job").await;
    hand.wait_for_calls(1).await;
    // Another copy, which does not fire, so that what it triggers has not begun when the job goes.
    let idle = place.idle_copy(&hand).await;
    answer(&copy, pause("job", true)).await;
    told_job(answer(&idle, Action::Delete { job: job("job"), expected: None }).await);
    assert_eq!(copy.job(&job("job")).await.unwrap(), None);
    hand.open(true);
    wait_for(&copy, &begun, Life::Done).await;
    assert_eq!(refused(&copy, trigger("job")).await, Rejection::JobNotFound { job: job("job") });
    copy.close().await;
    place.assert_whole().await;
    // The same without a copy that works: what has not begun is on record.
    let told = made(&idle, "idle", hardly_ever()).await;
    let pending = triggered(&idle, "idle").await;
    answer(&idle, Action::Delete { job: told.id, expected: Some(1) }).await;
    let skipped = &firings(&idle, "idle").await[&pending];
    assert_eq!((skipped.life, skipped.reason.as_str()), (Life::Skipped, "JOB_DELETED"));
    idle.close().await;
    place.assert_whole().await;
}

async fn a_job_made_again_is_another_one(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    let first = made(&copy, "job", at_once()).await;
    wait_for_many(&copy, "job", Life::Done, 1).await;
    answer(&copy, Action::Delete { job: job("job"), expected: None }).await;
    let second = made(&copy, "job", at_once()).await;
    assert_ne!(first.incarnation, second.incarnation);
    wait_for_many(&copy, "job", Life::Done, 2).await;
    let incarnations: Vec<_> = hand.told().into_keys().map(|key| key.incarnation).collect();
    assert_eq!(incarnations, [first.incarnation, second.incarnation]);
    copy.close().await;
    place.assert_whole().await;
}

async fn a_trigger_fires_once_paused_or_not(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    made(&copy, "job", hardly_ever()).await;
    answer(&copy, pause("job", true)).await;
    let keys = join_all((0..5).map(|_| triggered(&copy, "job"))).await;
    for key in &keys {
        assert!(wait_for(&copy, key, Life::Done).await.triggered);
        assert_ne!(key.scheduled_for.micros() % 1_000, 0, "no time of any schedule");
    }
    assert_eq!(hand.told().len(), 5);
    assert!(keys.iter().all(|key| key.scheduled_for > Timestamp::EPOCH));
    copy.close().await;
    place.assert_whole().await;
}
