//! What was answered, counted: replays, and refusals by reason. What the lanes do is counted by themselves.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use auric_lanes::Refused;

use super::line::word;
use crate::domain::{Rejection, Verdict};

/// Counters since the start; they only grow.
#[derive(Debug, Default)]
pub struct Tally {
    applied: AtomicU64,
    replays: AtomicU64,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

/// What was answered since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Mutations that were applied, for the first time.
    pub applied: u64,
    /// First answers that were given again, refusals too.
    pub replays: u64,
    /// Mutations that were refused, for the first time, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts an answer.
    pub fn count(&self, answer: &Result<Verdict, Refused>) {
        let reason = match answer {
            Ok(Verdict::Answered { replayed: true, .. }) => {
                self.replays.fetch_add(1, Relaxed);
                return;
            }
            Ok(Verdict::Answered { outcome: Ok(_), .. }) => {
                self.applied.fetch_add(1, Relaxed);
                return;
            }
            Ok(Verdict::Answered { outcome: Err(rejection), .. }) => Rejection::reason(rejection),
            Ok(Verdict::Unstored(unstored)) => word(unstored),
            // The lanes count what they refuse.
            Err(_) => return,
        };
        if let Ok(mut refusals) = self.refusals.lock() {
            let count = refusals.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Reads the counters, one after another.
    pub fn read(&self) -> Answers {
        Answers {
            applied: self.applied.load(Relaxed),
            replays: self.replays.load(Relaxed),
            refusals: self.refusals.lock().map(|refusals| refusals.clone()).unwrap_or_default(),
        }
    }
}
