//! Writes how attempts came out, many at once: while a transaction is in flight, what comes waits for the next.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::figures;
use crate::domain::FiringKey;
use crate::store::{SchedulerStore, Settled, bounded};

/// Batches that may wait: as many as calls can be in flight, and more.
const QUEUE_MAX: usize = 1_024;

/// Batches that one transaction takes.
const BATCHES_MAX: usize = 64;

/// The pause before what failed for a passing reason is tried again; it doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The way to the settler.
#[derive(Debug)]
pub struct Settler {
    queue: mpsc::Sender<Batch>,
    /// Nobody waits for what is not written any more.
    closing: CancellationToken,
}

#[derive(Debug)]
struct Batch {
    settled: Vec<Settled>,
    written: oneshot::Sender<BTreeSet<FiringKey>>,
}

impl Settler {
    /// Starts it, as one task.
    pub fn start(store: Arc<dyn SchedulerStore>, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let closing = CancellationToken::new();
        let end = closing.clone();
        tasks.spawn(async move { work(store.as_ref(), waiting, &end).await });
        Self { queue, closing }
    }

    /// Writes how attempts came out, and tells which of them were written: the others were no longer this copy's.
    pub async fn settle(&self, settled: Vec<Settled>) -> BTreeSet<FiringKey> {
        let (written, answer) = oneshot::channel();
        if self.queue.send(Batch { settled, written }).await.is_err() {
            return BTreeSet::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Ends it: what cannot be written now is left to those who take it over.
    pub fn close(&self) {
        self.closing.cancel();
    }
}

async fn work(store: &dyn SchedulerStore, mut waiting: mpsc::Receiver<Batch>, closing: &CancellationToken) {
    let mut batches = Vec::with_capacity(BATCHES_MAX);
    loop {
        let received = closing.run_until_cancelled(waiting.recv_many(&mut batches, BATCHES_MAX)).await;
        if received.unwrap_or(0) == 0 {
            return;
        }
        let all: Vec<Settled> = batches.iter().flat_map(|batch: &Batch| batch.settled.iter().cloned()).collect();
        let written = write(store, all, closing).await;
        for batch in batches.drain(..) {
            let mine = batch.settled.iter().map(|one| &one.key).filter(|key| written.contains(key)).cloned();
            // Who went away learns of it by the lease.
            drop(batch.written.send(mine.collect()));
        }
    }
}

/// Writes all that can be written. What the database refuses is cut in two until it is alone: it keeps no other one from being written.
async fn write(store: &dyn SchedulerStore, all: Vec<Settled>, closing: &CancellationToken) -> BTreeSet<FiringKey> {
    let mut written = BTreeSet::new();
    let mut parts = vec![all];
    while let Some(part) = parts.pop() {
        match persist(store, &part, closing).await {
            Ok(keys) => written.extend(keys),
            Err(error) if part.len() > 1 && !error.is_passing => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([one.to_vec(), other.to_vec()]);
            }
            Err(error) => {
                figures::count_fault("settle");
                let firings = part.len();
                tracing::error!(error = %error.error, firings, "how a firing came out cannot be written; its lease runs out, and it is tried again");
            }
        }
    }
    written
}

struct Failed {
    error: StoreError,
    is_passing: bool,
}

/// Tries again for as long as the reason may pass. A batch whose outcome is unknown is written again, and what is then not there is looked for.
async fn persist(
    store: &dyn SchedulerStore,
    part: &[Settled],
    closing: &CancellationToken,
) -> Result<Vec<FiringKey>, Failed> {
    let (mut pause, pause_max) = PAUSES;
    let mut is_unknown = false;
    loop {
        let error = match bounded(store.settle(part)).await {
            Ok(mut written) => {
                if is_unknown && written.len() < part.len() {
                    written.extend(look(store, part, &written).await);
                }
                return Ok(written);
            }
            Err(error) => error,
        };
        let is_passing = !matches!(error, StoreError::Fault(_) | StoreError::Corrupt(_));
        is_unknown |= error.is_unknown();
        if !is_passing || closing.is_cancelled() {
            return Err(Failed { error, is_passing });
        }
        figures::count_fault("settle");
        tracing::warn!(%error, firings = part.len(), "how firings came out is not written yet: {error}");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closing.cancelled() => {}
        }
        pause = pause.saturating_mul(2).min(pause_max);
    }
}

async fn look(store: &dyn SchedulerStore, part: &[Settled], written: &[FiringKey]) -> Vec<FiringKey> {
    let known: BTreeSet<&FiringKey> = written.iter().collect();
    let rest: Vec<(FiringKey, u64)> =
        part.iter().filter(|one| !known.contains(&one.key)).map(|one| (one.key.clone(), one.fence)).collect();
    bounded(store.were_settled(&rest)).await.unwrap_or_default()
}
