//! A database in memory that fails by script, and counts what took effect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use auric_lanes::{BatchError, Batcher, Cause, LaneId, LaneSettings, Lanes};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::sync::Semaphore;

/// The lanes of the tests.
pub type TestLanes = Lanes<Mutation, Answer>;

/// A keyed work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    pub key: u32,
    pub poison: Option<Poison>,
}

/// What is wrong with a mutation: every run that holds it fails, and nothing of the run is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    Fault,
    Panic,
}

/// What a mutation is told: its own key back, and the number of its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub key: u32,
    pub effect: usize,
}

/// What one run meets. A run beyond the end of the script meets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Fine,
    Contended,
    LostBeforeEffect,
    LostAfterEffect,
    Unavailable,
    Fault,
    PanicAfterEffect,
    AnswersTooFew,
    /// Takes effect, and is never heard of again.
    HangsAfterEffect,
    /// Waits until the test opens the gate.
    Gate,
    /// Never ends, unless it is dropped.
    Hangs,
}

/// One run, as the database saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub lane: u16,
    pub keys: Vec<u32>,
    pub step: Step,
}

/// What the database holds.
#[derive(Default)]
pub struct State {
    pub script: VecDeque<Step>,
    pub runs: Vec<Run>,
    /// The mutations that took effect, in order.
    pub effects: Vec<u32>,
    by_key: BTreeMap<u32, Answer>,
    open_lanes: BTreeSet<u16>,
}

/// Shared by the lanes and the test.
#[derive(Clone)]
pub struct FakeDatabase {
    state: Arc<Mutex<State>>,
    gate: Arc<Semaphore>,
    run_time: Duration,
}

/// Closes a lane's transaction, also when the run is dropped or panics.
struct Transaction<'a> {
    database: &'a FakeDatabase,
    lane: u16,
}

impl FakeDatabase {
    /// Each run takes `run_time` of the test's clock.
    pub fn new(script: impl IntoIterator<Item = Step>, run_time: Duration) -> Self {
        let state = State { script: script.into_iter().collect(), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), gate: Arc::new(Semaphore::new(0)), run_time }
    }

    pub fn scripted(script: impl IntoIterator<Item = Step>) -> Self {
        Self::new(script, Duration::from_millis(5))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The keys of each run so far.
    pub fn batches(&self) -> Vec<Vec<u32>> {
        self.state().runs.iter().map(|run| run.keys.clone()).collect()
    }

    pub fn effects(&self) -> Vec<u32> {
        self.state().effects.clone()
    }

    /// Lets one run that waits at the gate, or the next that comes to it, go on.
    pub fn open_gate(&self) {
        self.gate.add_permits(1);
    }

    /// Returns when so many runs have begun.
    pub async fn runs_begun(&self, count: usize) {
        for _ in 0..10_000 {
            if self.state().runs.len() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("no {count} runs begin: {:?}", self.state().runs);
    }

    fn begin(&self, lane: LaneId, batch: &[Mutation]) -> (Transaction<'_>, Step) {
        let lane = lane.number();
        let mut state = self.state();
        assert!(!batch.is_empty(), "a run without works");
        assert!(state.open_lanes.insert(lane), "two transactions at a time in lane {lane}");
        let step = state.script.pop_front().unwrap_or(Step::Fine);
        state.runs.push(Run { lane, keys: batch.iter().map(|mutation| mutation.key).collect(), step });
        (Transaction { database: self, lane }, step)
    }

    fn commit(&self, batch: &[Mutation]) -> Vec<Answer> {
        let mut state = self.state();
        let mut apply = |mutation: &Mutation| {
            if let Some(answer) = state.by_key.get(&mutation.key) {
                return *answer;
            }
            let answer = Answer { key: mutation.key, effect: state.effects.len() };
            state.effects.push(mutation.key);
            state.by_key.insert(mutation.key, answer);
            answer
        };
        batch.iter().map(&mut apply).collect()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.database.state().open_lanes.remove(&self.lane);
    }
}

#[async_trait]
impl Batcher for FakeDatabase {
    type Work = Mutation;
    type Answer = Answer;

    async fn run(&self, lane: LaneId, batch: &[Mutation]) -> Result<Vec<Answer>, BatchError> {
        let (_transaction, step) = self.begin(lane, batch);
        tokio::time::sleep(self.run_time).await;
        let holds = |poison| batch.iter().any(|mutation| mutation.poison == Some(poison));
        assert!(!holds(Poison::Panic), "a poisoned mutation");
        if holds(Poison::Fault) {
            return Err(BatchError::Fault(cause("division by zero")));
        }

        match step {
            Step::Fine => Ok(self.commit(batch)),
            Step::Contended => Err(BatchError::Contended(cause("deadlock detected"))),
            Step::LostBeforeEffect => Err(BatchError::Lost(cause("connection reset"))),
            Step::LostAfterEffect => {
                self.commit(batch);
                Err(BatchError::Lost(cause("connection reset at commit")))
            }
            Step::Unavailable => Err(BatchError::Unavailable(cause("pool timed out"))),
            Step::Fault => Err(BatchError::Fault(cause("disk full"))),
            Step::PanicAfterEffect => {
                self.commit(batch);
                panic!("a bug after the commit");
            }
            Step::AnswersTooFew => Ok(self.commit(batch).split_off(1)),
            Step::HangsAfterEffect => {
                self.commit(batch);
                std::future::pending().await
            }
            Step::Gate => {
                self.gate.acquire().await.unwrap().forget();
                Ok(self.commit(batch))
            }
            Step::Hangs => std::future::pending().await,
        }
    }
}

pub fn start(database: &FakeDatabase, settings: LaneSettings) -> TestLanes {
    Lanes::start(database.clone(), settings, &mut SmallRng::seed_from_u64(7))
}

pub fn mutation(key: u32) -> Mutation {
    Mutation { key, poison: None }
}

fn cause(text: &str) -> Cause {
    text.into()
}
