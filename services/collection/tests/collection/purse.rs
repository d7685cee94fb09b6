//! A wallet in few words: what it promises and what it is told are there to be seen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auric_collection::domain::Plan;
use auric_ids::{OperationId, PlayerId};
use auric_twophase::{Operation, Participant, Unfinished, Vote};
use tokio::sync::Semaphore;

/// A wallet that says yes, unless it was told what to say next.
#[derive(Debug)]
pub struct Purse {
    next: Mutex<VecDeque<Vote>>,
    told: Mutex<Vec<(OperationId, bool)>>,
    plans: Mutex<Vec<Plan>>,
    asked: Semaphore,
    answers: Semaphore,
}

impl Purse {
    /// One that answers at once.
    pub fn open() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS)
    }

    /// One that answers only when it is let.
    pub fn gated() -> Arc<Self> {
        Self::with(0)
    }

    fn with(answers: usize) -> Arc<Self> {
        Arc::new(Self {
            next: Mutex::default(),
            told: Mutex::default(),
            plans: Mutex::default(),
            asked: Semaphore::new(0),
            answers: Semaphore::new(answers),
        })
    }

    pub fn say(&self, vote: Vote) {
        self.next.lock().unwrap().push_back(vote);
    }

    /// Waits until it was asked once more.
    pub async fn was_asked(&self) {
        self.asked.acquire().await.unwrap().forget();
    }

    /// Lets it answer once.
    pub fn let_answer(&self) {
        self.answers.add_permits(1);
    }

    /// Which operations it was told to end, and whether by a commit; each once.
    pub fn told(&self) -> Vec<(OperationId, bool)> {
        let mut told = self.told.lock().unwrap().clone();
        told.dedup();
        told
    }

    /// What it was asked for, in order.
    pub fn plans(&self) -> Vec<Plan> {
        self.plans.lock().unwrap().clone()
    }
}

#[async_trait]
impl Participant for Purse {
    fn name(&self) -> &'static str {
        "wallet"
    }

    async fn prepare(&self, operation: &Operation) -> Vote {
        self.plans.lock().unwrap().push(serde_json::from_str(&operation.plan).unwrap());
        self.asked.add_permits(1);
        self.answers.acquire().await.unwrap().forget();
        self.next.lock().unwrap().pop_front().unwrap_or(Vote::Yes)
    }

    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished> {
        self.told.lock().unwrap().push((operation.id.clone(), operation.state.is_commit()));
        Ok(())
    }

    async fn orphans(&self, _age_min: Duration) -> Result<Vec<(PlayerId, OperationId)>, Unfinished> {
        Ok(Vec::new())
    }
}
