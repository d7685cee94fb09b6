use std::num::NonZeroU32;
use std::time::Duration;

use auric_lanes::{LaneSettings, Lanes, Refused};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::Instant;

use crate::fake::{Answer, FakeDatabase, Mutation, Poison, Step, TestLanes, mutation, start};

use Step::{
    AnswersTooFew, Contended, Fault, Fine, HangsAfterEffect, LostAfterEffect, LostBeforeEffect, PanicAfterEffect,
    Unavailable,
};

/// Submits all at once to one lane, and returns what each was told: the key of its answer, or the refusal.
async fn told(lanes: &TestLanes, mutations: impl IntoIterator<Item = Mutation>) -> Vec<Result<u32, Refused>> {
    let enqueue = |mutation| lanes.enqueue(b"player", mutation, None).unwrap();
    let tickets: Vec<_> = mutations.into_iter().map(enqueue).collect();
    let mut told = Vec::new();
    for ticket in tickets {
        told.push(ticket.await.map(|answer| answer.key));
    }
    told
}

/// Checks what four mutations are told, in which batches they were run, and what took effect, when runs meet `script`.
async fn check(script: &[Step], expected: Result<(), Refused>, batches: &[&[u32]], effects: &[u32]) {
    let database = FakeDatabase::scripted(script.iter().copied());
    let lanes = start(&database, LaneSettings::default());

    let told = told(&lanes, (1..=4).map(mutation)).await;

    let expected: Vec<_> = (1..=4).map(|key| expected.map(|()| key)).collect();
    assert_eq!(told, expected, "{script:?}");
    assert_eq!(database.batches(), batches, "{script:?}");
    assert_eq!(database.effects(), effects, "{script:?}");
}

const ALL: &[u32] = &[1, 2, 3, 4];

#[tokio::test(start_paused = true)]
async fn a_contended_batch_is_run_once_more_then_each_alone() {
    check(&[Contended], Ok(()), &[ALL, ALL], ALL).await;
    check(&[Contended, Contended], Ok(()), &[ALL, ALL, &[1], &[2], &[3], &[4]], ALL).await;
    check(
        &[Contended, Contended, Contended, Contended, Fine, Contended],
        Ok(()),
        &[ALL, ALL, &[1], &[1], &[1], &[2], &[2], &[3], &[4]],
        ALL,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_work_that_is_contended_alone_is_refused_by_itself() {
    let script = [Contended, Contended, Fine, Contended, Contended, Contended];
    let database = FakeDatabase::scripted(script);
    let lanes = start(&database, LaneSettings::default());

    let told = told(&lanes, (1..=4).map(mutation)).await;

    assert_eq!(told, [Ok(1), Err(Refused::Contended), Ok(3), Ok(4)]);
    assert_eq!(database.effects(), [1, 3, 4]);
    let stats = &lanes.stats()[0];
    assert_eq!((stats.retries_contended, stats.refused.contended), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_halved_away_from_all_but_the_culprit() {
    for culprit in 1..=16_u32 {
        let database = FakeDatabase::scripted([]);
        let lanes = start(&database, LaneSettings::default());
        let poisoned = |key| Mutation { key, poison: (key == culprit).then_some(Poison::Fault) };

        let told = told(&lanes, (1..=16).map(poisoned)).await;

        let expected: Vec<_> = (1..=16).map(|key| if key == culprit { Err(Refused::Fault) } else { Ok(key) }).collect();
        assert_eq!(told, expected);
        assert_eq!(database.batches().len(), 9, "one whole batch, then two halves of each of four sizes");
        assert!(database.effects().is_sorted(), "order is kept: {:?}", database.effects());
        let stats = &lanes.stats()[0];
        assert_eq!((stats.halvings, stats.refused.fault, stats.bugs), (4, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_comes_once_refuses_nobody() {
    check(&[Fault], Ok(()), &[ALL, &[1, 2], &[3, 4]], ALL).await;
    check(&[Fault, Contended, Contended], Ok(()), &[ALL, &[1, 2], &[1, 2], &[1], &[2], &[3, 4]], ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_batch_is_run_again_and_takes_effect_once() {
    check(&[LostBeforeEffect], Ok(()), &[ALL, ALL], ALL).await;
    check(&[LostAfterEffect], Ok(()), &[ALL, ALL], ALL).await;
    check(&[LostAfterEffect, LostAfterEffect, Unavailable, Contended], Ok(()), &[ALL; 5], ALL).await;
    check(&[HangsAfterEffect], Ok(()), &[ALL, ALL], ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_stays_lost_is_unknown_and_never_called_untouched() {
    check(&[LostBeforeEffect; 6], Err(Refused::Unknown), &[ALL; 6], &[]).await;
    check(&[LostAfterEffect; 6], Err(Refused::Unknown), &[ALL; 6], ALL).await;
    let then_unavailable = [LostAfterEffect, Unavailable, Unavailable, Unavailable, Unavailable, Unavailable];
    check(&then_unavailable, Err(Refused::Unknown), &[ALL; 6], ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_loss_is_unknown() {
    for after in [[Contended; 3], [Fault; 3], [PanicAfterEffect; 3]] {
        let database = FakeDatabase::scripted([LostAfterEffect].into_iter().chain(after));
        let lanes = start(&database, LaneSettings::default());

        assert_eq!(told(&lanes, [mutation(1)]).await, [Err(Refused::Unknown)], "{after:?}");

        assert_eq!(database.effects(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_work_keeps_its_exposure_when_its_batch_is_split() {
    let script = [LostAfterEffect, Fault, Contended, Contended, Contended, Contended, Contended, Fault];
    let database = FakeDatabase::scripted(script);
    let lanes = start(&database, LaneSettings::default());

    let told = told(&lanes, (1..=4).map(mutation)).await;

    assert_eq!(told, [Err(Refused::Unknown), Err(Refused::Unknown), Ok(3), Ok(4)]);
    assert_eq!(database.batches()[2..], [vec![1, 2], vec![1, 2], vec![1], vec![1], vec![1], vec![2], vec![3, 4]]);
    assert_eq!(database.effects(), ALL);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_database_refuses_the_batch_at_once() {
    check(&[Unavailable], Err(Refused::Unavailable), &[ALL], &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_effect_harms_only_the_one_that_causes_it() {
    let database = FakeDatabase::scripted([]);
    let lanes = start(&database, LaneSettings::default());
    let poisoned = |key| Mutation { key, poison: (key == 3).then_some(Poison::Panic) };

    let first = told(&lanes, (1..=4).map(poisoned)).await;
    let second = told(&lanes, [mutation(5)]).await;

    assert_eq!(first, [Ok(1), Ok(2), Err(Refused::Unknown), Ok(4)]);
    assert_eq!(second, [Ok(5)]);
    assert_eq!(database.effects(), [1, 2, 4, 5]);
    assert_eq!(lanes.stats()[0].bugs, 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_effect_loses_no_answer() {
    check(&[PanicAfterEffect], Ok(()), &[ALL, &[1, 2], &[3, 4]], ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_batcher_that_miscounts_its_answers_answers_nobody() {
    check(&[AnswersTooFew], Err(Refused::Unknown), &[ALL], ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_again_keeps_the_order_before_what_is_queued() {
    let database = FakeDatabase::scripted([Contended, Contended]);
    let lanes = start(&database, LaneSettings::default());
    let first: Vec<_> = (1..=2).map(|key| lanes.enqueue(b"player", mutation(key), None).unwrap()).collect();
    database.runs_begun(1).await;

    assert_eq!(told(&lanes, [mutation(3)]).await, [Ok(3)]);

    for (ticket, effect) in first.into_iter().zip(0..) {
        assert_eq!(ticket.await.map(|answer: Answer| answer.effect), Ok(effect));
    }
    assert_eq!(database.effects(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_holds_up_its_lane_for_too_long_is_given_up() {
    let database = FakeDatabase::new([Contended, Contended], Duration::from_secs(1));
    let settings = LaneSettings { settle_time_max: Duration::from_millis(4_500), ..LaneSettings::default() };
    let lanes = start(&database, settings);

    let told = told(&lanes, (1..=6).map(mutation)).await;

    let given_up = Err(Refused::Unavailable);
    assert_eq!(told, [Ok(1), Ok(2), Ok(3), given_up, given_up, given_up]);
    assert_eq!(database.effects(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_exposed_batch_that_is_given_up_is_unknown() {
    let database = FakeDatabase::new([LostAfterEffect; 9], Duration::from_secs(1));
    let settings = LaneSettings {
        settle_time_max: Duration::from_secs(2),
        lost_runs_max: NonZeroU32::MAX,
        ..LaneSettings::default()
    };
    let lanes = start(&database, settings);

    assert_eq!(told(&lanes, [mutation(1)]).await, [Err(Refused::Unknown)]);
    let runs = database.state().runs.len();
    assert!((2..=3).contains(&runs), "{runs} runs of a second each");
}

/// Returns how long a lane takes over two mutations when runs take no time and meet `script`, for each of four seeds.
async fn times(script: &[Step]) -> Vec<Duration> {
    let mut times = Vec::new();
    for seed in 0..4 {
        let database = FakeDatabase::new(script.iter().copied(), Duration::ZERO);
        let lanes = Lanes::start(database.clone(), LaneSettings::default(), &mut SmallRng::seed_from_u64(seed));
        let begun = Instant::now();
        assert_eq!(told(&lanes, [mutation(1), mutation(2)]).await, [Ok(1), Ok(2)]);
        times.push(begun.elapsed());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn pauses_double_and_differ_from_seed_to_seed() {
    // The longest pauses by default, of which a lane takes at least half; and the timer rounds each up to a millisecond.
    for (script, pauses_ms) in [
        (&[LostBeforeEffect; 5][..], &[50, 100, 200, 400, 800][..]),
        (&[Contended; 2], &[4, 8]),
        (&[Contended; 4], &[4, 8, 4, 8]),
    ] {
        let sum_ms: u64 = pauses_ms.iter().sum();
        let most = Duration::from_millis(sum_ms + 2 * u64::try_from(pauses_ms.len()).unwrap() + 2);
        let mut times = times(script).await;
        for time in &times {
            assert!(Duration::from_millis(sum_ms / 2) <= *time && *time <= most, "{time:?} for {pauses_ms:?} ms");
        }
        times.sort();
        times.dedup();
        assert!(times.len() > 1, "no jitter: {times:?}");
    }
}
