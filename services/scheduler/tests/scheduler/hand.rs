//! A target that remembers what it was told, and does what a law wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use auric_ids::HandlerId;
use auric_scheduler::domain::FiringKey;
use auric_scheduler::{Ran, RunEnd, Target, ToRun};
use tokio::sync::watch;

/// How a firing is to come out, by its job and attempt.
type Mood = Box<dyn Fn(&ToRun) -> RunEnd + Send>;

/// A target that remembers.
pub struct Hand {
    told: Mutex<BTreeMap<FiringKey, Told>>,
    /// Every attempt, in the order in which they came.
    order: Mutex<Vec<FiringKey>>,
    mood: Mutex<Mood>,
    /// While it is closed, calls do not come back.
    gate: watch::Sender<bool>,
    /// Firings that are being done now, and the most that there ever were of one job.
    now: Mutex<Now>,
    calls: watch::Sender<usize>,
}

/// What it was told of one firing.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The attempts, in the order in which they came.
    pub attempts: Vec<u32>,
    /// What it was told to do, each time.
    pub payloads: BTreeSet<Vec<u8>>,
}

#[derive(Default)]
struct Now {
    by_job: BTreeMap<String, usize>,
    most_of_a_job: usize,
    calls: usize,
    most_calls: usize,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hand")
    }
}

impl Default for Hand {
    fn default() -> Self {
        Self {
            told: Mutex::default(),
            order: Mutex::default(),
            mood: Mutex::new(Box::new(|_| RunEnd::Done)),
            gate: watch::Sender::new(true),
            now: Mutex::default(),
            calls: watch::Sender::new(0),
        }
    }
}

impl Hand {
    /// From now on firings come out like that.
    pub fn be(&self, mood: impl Fn(&ToRun) -> RunEnd + Send + 'static) {
        *self.mood.lock().unwrap() = Box::new(mood);
    }

    /// Lets calls come back, or not.
    pub fn open(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// What it was told, by firing.
    pub fn told(&self) -> BTreeMap<FiringKey, Told> {
        self.told.lock().unwrap().clone()
    }

    /// Every attempt, in the order in which they came.
    pub fn order(&self) -> Vec<FiringKey> {
        self.order.lock().unwrap().clone()
    }

    /// The most firings of one job that it ever did at once.
    pub fn most_of_a_job(&self) -> usize {
        self.now.lock().unwrap().most_of_a_job
    }

    /// The most calls that it ever had at once.
    pub fn most_calls(&self) -> usize {
        self.now.lock().unwrap().most_calls
    }

    /// Waits until it has so many calls that did not come back.
    pub async fn wait_for_calls(&self, calls: usize) {
        self.calls.subscribe().wait_for(|now| *now >= calls).await.unwrap();
    }

    fn begin(&self, firings: &[ToRun]) {
        let mut now = self.now.lock().unwrap();
        now.calls += 1;
        now.most_calls = now.most_calls.max(now.calls);
        for firing in firings {
            let of_job = now.by_job.entry(firing.key.job.to_string()).or_default();
            *of_job += 1;
            let of_job = *of_job;
            now.most_of_a_job = now.most_of_a_job.max(of_job);
        }
        self.calls.send_replace(now.calls);
    }
}

/// Takes back what a call counts for, also when it is given up.
struct Busy<'a>(&'a Hand, &'a [ToRun]);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut now = self.0.now.lock().unwrap();
        now.calls -= 1;
        for firing in self.1 {
            *now.by_job.get_mut(firing.key.job.as_str()).unwrap() -= 1;
        }
        self.0.calls.send_replace(now.calls);
    }
}

#[async_trait]
impl Target for Hand {
    async fn run(&self, handler: &HandlerId, firings: &[ToRun], _deadline: Duration) -> Result<Vec<Ran>, String> {
        assert!(!firings.is_empty() && handler.as_str() == "deed");
        self.begin(firings);
        let _busy = Busy(self, firings);
        {
            self.order.lock().unwrap().extend(firings.iter().map(|firing| firing.key.clone()));
            let mut told = self.told.lock().unwrap();
            for firing in firings {
                let of = told.entry(firing.key.clone()).or_default();
                of.attempts.push(firing.attempt);
                of.payloads.insert(firing.spec.payload.clone());
            }
        }
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        let mood = self.mood.lock().unwrap();
        let ran = |firing: &ToRun| Ran { key: firing.key.to_string(), end: mood(firing), message: "said".to_owned() };
        Ok(firings.iter().map(ran).collect())
    }
}
