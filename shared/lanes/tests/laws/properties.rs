use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::time::Duration;

use auric_lanes::{LaneSettings, Refused};
use futures::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::fake::{Answer, FakeDatabase, Mutation, Poison, Run, Step, start};

/// One submission of a random load.
#[derive(Clone, Debug)]
struct Plan {
    player: u8,
    at_ms: u64,
    deadline_ms: Option<u64>,
    /// When the caller goes away, if it does.
    patience_ms: Option<u64>,
    poison: Option<Poison>,
}

/// What a caller has seen in the end. `None`: it went away.
type Seen = Option<Result<Answer, Refused>>;

fn settings() -> impl Strategy<Value = LaneSettings> {
    let bounds = (prop::sample::select(vec![1, 2, 8]), prop::sample::select(vec![1, 2, u16::MAX]));
    (bounds, prop::sample::select(vec![4, 1_000])).prop_map(|((lanes, batch_max), queue_max)| {
        let bound = |value| NonZeroU16::new(value).unwrap();
        LaneSettings {
            lanes: bound(lanes),
            batch_max: bound(batch_max),
            queue_max: bound(queue_max),
            run_time_max: Duration::from_millis(200),
            ..LaneSettings::default()
        }
    })
}

fn plan(may_fail: bool) -> impl Strategy<Value = Plan> {
    let rarely = |range: std::ops::Range<u64>| prop_oneof![5 => Just(None), 1 => range.prop_map(Some)];
    let poison = prop_oneof![12 => Just(None), 1 => Just(Some(Poison::Fault)), 1 => Just(Some(Poison::Panic))];
    (0..6_u8, 0..40_u64, rarely(0..60), rarely(0..60), poison).prop_map(
        move |(player, at_ms, deadline_ms, patience_ms, poison)| {
            if may_fail {
                Plan { player, at_ms, deadline_ms, patience_ms, poison }
            } else {
                Plan { player, at_ms, deadline_ms: None, patience_ms: None, poison: None }
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Fine),
        3 => Just(Step::Contended),
        2 => Just(Step::LostBeforeEffect),
        2 => Just(Step::LostAfterEffect),
        1 => Just(Step::Unavailable),
        1 => Just(Step::Fault),
        1 => Just(Step::PanicAfterEffect),
        1 => Just(Step::HangsAfterEffect),
        1 => Just(Step::AnswersTooFew),
    ]
}

/// Runs the load to its end, on a clock of its own.
fn play(settings: LaneSettings, script: Vec<Step>, plans: &[Plan]) -> (FakeDatabase, Vec<Seen>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let database = FakeDatabase::scripted(script);
        let lanes = start(&database, settings);
        let callers = plans.iter().zip(0_u32..).map(|(plan, key)| {
            let lanes = &lanes;
            async move {
                sleep(Duration::from_millis(plan.at_ms)).await;
                let mutation = Mutation { key, poison: plan.poison };
                let deadline = plan.deadline_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
                let player = [plan.player];
                let answer = lanes.submit(&player, mutation, deadline);
                match plan.patience_ms {
                    None => Some(answer.await),
                    Some(ms) => tokio::time::timeout(Duration::from_millis(ms), answer).await.ok(),
                }
            }
        });
        // That this ends is the first law: every caller that stays is told, once.
        let seen = join_all(callers).await;
        lanes.drain().await.unwrap();
        (database, seen)
    })
}

/// The keys that a run may have applied without their callers being told.
fn exposed(runs: &[Run], plans: &[Plan]) -> BTreeSet<u32> {
    let poison = |key: &u32| plans[usize::try_from(*key).unwrap()].poison;
    let exposes = |run: &&Run| {
        let panics = run.keys.iter().any(|key| poison(key) == Some(Poison::Panic));
        let faults = run.keys.iter().any(|key| poison(key) == Some(Poison::Fault));
        let unheard = matches!(
            run.step,
            Step::LostBeforeEffect
                | Step::LostAfterEffect
                | Step::PanicAfterEffect
                | Step::HangsAfterEffect
                | Step::AnswersTooFew
        );
        panics || (unheard && !faults)
    };
    runs.iter().filter(exposes).flat_map(|run| run.keys.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_caller_is_told_is_what_happened(
        settings in settings(),
        script in vec(step(), 0..24),
        plans in vec(plan(true), 1..40),
    ) {
        // The panics of the batcher are part of the play; their messages would bury a failure's.
        let (database, seen) = play(settings, script, &plans);
        let state = database.state();
        let effects: BTreeMap<u32, usize> = state.effects.iter().copied().zip(0..).collect();
        prop_assert_eq!(effects.len(), state.effects.len(), "a key took effect twice");
        let exposed = exposed(&state.runs, &plans);
        let ran: BTreeSet<u32> = state.runs.iter().flat_map(|run| run.keys.iter().copied()).collect();

        for ((seen, plan), key) in seen.iter().zip(&plans).zip(0_u32..) {
            let effect = effects.get(&key).copied();
            if plan.poison.is_some() {
                prop_assert_eq!(effect, None, "a poisoned mutation took effect");
            }
            match seen {
                Some(Ok(answer)) => {
                    prop_assert_eq!(Some(answer.effect), effect);
                    prop_assert_eq!(answer.key, key, "another's answer");
                }
                Some(Err(Refused::Unknown)) => prop_assert!(exposed.contains(&key), "{} is known", key),
                Some(Err(refused)) => {
                    prop_assert_eq!(effect, None, "{} took effect, and its caller was told {}", key, refused);
                    prop_assert!(!exposed.contains(&key), "{} may have taken effect, not {}", key, refused);
                    let never_ran = matches!(refused, Refused::QueueFull { .. } | Refused::Draining);
                    prop_assert!(!(never_ran && ran.contains(&key)), "{} was run, and is refused as {}", key, refused);
                }
                None => prop_assert!(plan.patience_ms.is_some(), "{} was never told", key),
            }
        }
    }

    #[test]
    fn a_poisoned_mutation_harms_no_other(settings in settings(), plans in vec(plan(true), 1..40)) {
        let patient: Vec<Plan> =
            plans.into_iter().map(|plan| Plan { deadline_ms: None, patience_ms: None, ..plan }).collect();
        let settings = LaneSettings { queue_max: NonZeroU16::new(1_000).unwrap(), ..settings };

        let (_, seen) = play(settings, Vec::new(), &patient);

        for (seen, plan) in seen.into_iter().zip(&patient) {
            match plan.poison {
                None => prop_assert!(matches!(seen, Some(Ok(_))), "{:?}", seen),
                Some(Poison::Fault) => {
                    // In company with a panic it may be in doubt as well.
                    prop_assert!(matches!(seen, Some(Err(Refused::Fault | Refused::Unknown))), "{:?}", seen);
                }
                Some(Poison::Panic) => prop_assert_eq!(seen, Some(Err(Refused::Unknown))),
            }
        }
    }

    #[test]
    fn a_lane_keeps_the_order_of_submission_when_nothing_fails(
        settings in settings(),
        plans in vec(plan(false), 1..40),
    ) {
        let settings = LaneSettings { queue_max: NonZeroU16::new(1_000).unwrap(), ..settings };
        let batch_max = usize::from(settings.batch_max.get());

        let (database, seen) = play(settings, Vec::new(), &plans);

        prop_assert!(seen.iter().all(|seen| matches!(seen, Some(Ok(_)))));
        let state = database.state();
        let mut last = BTreeMap::new();
        for run in &state.runs {
            prop_assert!(run.keys.len() <= batch_max);
            for key in &run.keys {
                let came = (plans[usize::try_from(*key).unwrap()].at_ms, *key);
                let before = last.insert(run.lane, came);
                prop_assert!(before < Some(came), "{:?} ran before {:?}", before, came);
            }
        }
    }
}
