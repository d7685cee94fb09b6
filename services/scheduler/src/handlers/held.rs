//! The leases of this copy, and their heartbeat.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::{Handlers, figures};
use crate::domain::FiringKey;
use crate::store::{Leased, bounded};

/// Leases that are extended by one statement.
const EXTEND_MAX: usize = 2_000;

/// What this copy has to itself.
#[derive(Debug, Default)]
pub struct Held(Mutex<HashMap<FiringKey, Hold>>);

#[derive(Clone, Copy, Debug)]
struct Hold {
    fence: u64,
    /// The last sign of life.
    since: Instant,
}

impl Held {
    /// Adds what was leased.
    pub fn add(&self, leased: &[Leased]) {
        let since = Instant::now();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in leased {
            held.insert(one.key.clone(), Hold { fence: one.fence, since });
        }
    }

    /// Removes what is settled, or was given back.
    pub fn remove<'a>(&self, gone: impl IntoIterator<Item = &'a (FiringKey, u64)>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, fence) in gone {
            if held.get(key).is_some_and(|hold| hold.fence == *fence) {
                held.remove(key);
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Those whose last sign of life is before `before`.
    fn older_than(&self, before: Instant) -> Vec<(FiringKey, u64)> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = held.iter().filter(|(_, hold)| hold.since < before);
        old.map(|(key, hold)| (key.clone(), hold.fence)).collect()
    }

    fn touch(&self, keys: &HashSet<FiringKey>) {
        let since = Instant::now();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(hold) = held.get_mut(key) {
                hold.since = since;
            }
        }
    }
}

impl Handlers {
    /// Extends the leases of what takes long, at a third of their time, for as long as anything is held.
    pub(super) async fn keep_leases(self: Arc<Self>) {
        let third = self.pace.lease / 3;
        let mut beat = tokio::time::interval(third / 2);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.cut.run_until_cancelled(beat.tick()).await.is_some() {
            if self.closing.is_cancelled() && self.held.len() == 0 {
                return;
            }
            let before = Instant::now().checked_sub(third / 2).unwrap_or_else(Instant::now);
            for part in self.held.older_than(before).chunks(EXTEND_MAX) {
                self.extend(part).await;
            }
        }
    }

    async fn extend(&self, part: &[(FiringKey, u64)]) {
        match bounded(self.store.extend(part, self.pace.lease)).await {
            Ok(kept) => {
                let kept: HashSet<FiringKey> = kept.into_iter().collect();
                self.held.touch(&kept);
                let lost: Vec<(FiringKey, u64)> = part.iter().filter(|(key, _)| !kept.contains(key)).cloned().collect();
                // What was settled meanwhile is not lost; it is removed all the same.
                self.held.remove(&lost);
            }
            Err(error) => {
                figures::count_fault("heartbeat");
                tracing::warn!(%error, leases = part.len(), "leases could not be extended, the next beat tries again: {error}");
            }
        }
    }
}
