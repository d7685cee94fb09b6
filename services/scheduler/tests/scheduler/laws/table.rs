//! What becomes of a firing in each state by each verb, as a table: whoever holds an old lease, or none, changes nothing.

use std::sync::Arc;
use std::time::Duration;

use auric_scheduler::Handlers;
use auric_scheduler::domain::{Action, Answer, End, FiringKey, Life, Verdict};
use auric_scheduler::store::{LeaseAsk, SchedulerStore, Settled};

use crate::asks::{answer, ask, hardly_ever, job, made, pause, send, triggered};
use crate::hand::Hand;
use crate::harness::{Place, eventually, firings, on_every_store};

on_every_store!(every_verb_does_in_every_state_what_the_table_says);

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MICROS: i64 = 3_600_000_000;

/// States that a firing can be brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Leased,
    RanOut,
    RetriedSoon,
    RetriedLater,
    Done,
    Dead,
    Discarded,
}

/// What is tried on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// By who has the last lease, or had it.
    SettleDone,
    SettleRetry,
    SettleDead,
    Extend,
    GiveBack,
    /// By who has a lease that never was.
    SettleStale,
    /// By an operator.
    Replay,
    Discard,
    Delete,
    Pause,
}

const STATES: [State; 8] = [
    State::Pending,
    State::Leased,
    State::RanOut,
    State::RetriedSoon,
    State::RetriedLater,
    State::Done,
    State::Dead,
    State::Discarded,
];

const VERBS: [Verb; 10] = [
    Verb::SettleDone,
    Verb::SettleRetry,
    Verb::SettleDead,
    Verb::Extend,
    Verb::GiveBack,
    Verb::SettleStale,
    Verb::Replay,
    Verb::Discard,
    Verb::Delete,
    Verb::Pause,
];

/// What it is afterwards.
#[expect(clippy::match_same_arms, reason = "what has an effect stands before what has none")]
const fn expected(state: State, verb: Verb) -> Life {
    match (state, verb) {
        // The last lease is good for as long as nobody took another.
        (State::Leased | State::RanOut, Verb::SettleDone) => Life::Done,
        (State::Leased | State::RanOut, Verb::SettleRetry) => Life::Retrying,
        (State::Leased | State::RanOut, Verb::SettleDead) => Life::Dead,
        (State::Leased | State::RanOut, Verb::GiveBack) => Life::Pending,
        (State::Dead, Verb::Replay) => Life::Pending,
        (State::Dead, Verb::Discard) => Life::Discarded,
        (State::Pending, Verb::Delete) => Life::Skipped,
        (State::Pending, _) => Life::Pending,
        (State::Leased | State::RanOut, _) => Life::Running,
        (State::RetriedSoon | State::RetriedLater, _) => Life::Retrying,
        (State::Done, _) => Life::Done,
        (State::Dead, _) => Life::Dead,
        (State::Discarded, _) => Life::Discarded,
    }
}

/// Whether the verb says that it had its effect.
const fn takes(state: State, verb: Verb) -> bool {
    match verb {
        Verb::SettleDone | Verb::SettleRetry | Verb::SettleDead | Verb::Extend => {
            matches!(state, State::Leased | State::RanOut)
        }
        Verb::SettleStale => false,
        Verb::Replay | Verb::Discard => matches!(state, State::Dead),
        Verb::GiveBack | Verb::Delete | Verb::Pause => true,
    }
}

async fn every_verb_does_in_every_state_what_the_table_says(place: Place) {
    let copy = place.idle_copy(&Arc::new(Hand::default())).await;
    let store = place.store().await;
    for state in STATES {
        for verb in VERBS {
            let name = format!("{state:?}-{verb:?}");
            made(&copy, &name, hardly_ever()).await;
            let key = triggered(&copy, &name).await;
            let fence = bring(&store, &copy, &key, state).await;
            let has_taken = act(&store, &copy, &key, fence, verb).await;
            assert_eq!(has_taken, takes(state, verb), "{name}");
            let found = firings(&copy, &name).await.remove(&key).unwrap();
            assert_eq!(found.life, expected(state, verb), "{name}");
            // Nothing is left that the next round would lease.
            place.sql("DELETE FROM firings").await;
        }
    }
    copy.close().await;
    place.assert_whole().await;
}

fn settled(key: &FiringKey, fence: u64, end: End) -> [Settled; 1] {
    [Settled { key: key.clone(), fence, end, message: String::new() }]
}

/// Brings a pending firing into a state, and tells the fence of its last lease.
async fn bring(store: &Arc<dyn SchedulerStore>, copy: &Handlers, key: &FiringKey, state: State) -> u64 {
    if state == State::Pending {
        return 1;
    }
    let lease = if state == State::RanOut { Duration::ZERO } else { HOUR };
    let ask = LeaseAsk { copy: "law".to_owned(), lease, limit: 10, since: None, busy: Vec::new() };
    let look = || async { store.lease(&ask).await.unwrap().into_iter().find(|leased| leased.key == *key) };
    let fence = eventually("it is leased", look).await.fence;
    let end = match state {
        State::RetriedSoon => End::Retry { after_micros: HOUR_MICROS / 200 },
        State::RetriedLater => End::Retry { after_micros: HOUR_MICROS },
        State::Done => End::Done,
        State::Dead | State::Discarded => End::Dead("PERMANENT"),
        State::Pending | State::Leased | State::RanOut => return fence,
    };
    assert_eq!(store.settle(&settled(key, fence, end)).await.unwrap().len(), 1);
    if state == State::Discarded {
        answer(copy, Action::Discard(key.clone())).await;
    }
    fence
}

async fn act(store: &Arc<dyn SchedulerStore>, copy: &Handlers, key: &FiringKey, fence: u64, verb: Verb) -> bool {
    let held = [(key.clone(), fence)];
    let settle = |fence, end| async move { !store.settle(&settled(key, fence, end)).await.unwrap().is_empty() };
    let change = |action| async {
        match send(copy, ask(action)).await {
            Verdict::Answered { outcome, .. } => outcome.is_ok(),
            Verdict::Refused(refusal) => panic!("{refusal:?}"),
        }
    };
    match verb {
        Verb::SettleDone => settle(fence, End::Done).await,
        Verb::SettleRetry => settle(fence, End::Retry { after_micros: HOUR_MICROS }).await,
        Verb::SettleDead => settle(fence, End::Dead("PERMANENT")).await,
        Verb::SettleStale => settle(fence + 7, End::Done).await,
        Verb::Extend => !store.extend(&held, HOUR).await.unwrap().is_empty(),
        Verb::GiveBack => {
            store.give_back(&held, false).await.unwrap();
            true
        }
        Verb::Replay => change(Action::Replay(key.clone())).await,
        Verb::Discard => change(Action::Discard(key.clone())).await,
        Verb::Delete => {
            let deleted = answer(copy, Action::Delete { job: job(key.job.as_str()), expected: None }).await;
            matches!(deleted, Answer::Job(_))
        }
        Verb::Pause => matches!(answer(copy, pause(key.job.as_str(), true)).await, Answer::Job(_)),
    }
}
