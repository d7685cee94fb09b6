//! The newest state tags, read by one statement for all who ask at the same time.
//!
//! What a reader is shown must not be older than what was acknowledged before it came, so its tag is read by a statement that begins after that: who
//! comes while a statement is under way waits for the next, and never takes what that one finds. Bounded: one statement at a time, [`READERS_MAX`]
//! readers each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auric_db::StoreError;
use auric_ids::PlayerId;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::store::{CollectionStore, Stamp};

/// Readers that one statement answers.
const READERS_MAX: usize = 256;

/// Turns of other tasks that a statement waits for at most.
const TURNS_MAX: usize = 16;

/// How long readers wait for a statement that others wait for too, before each reads its own: its connection may have died in silence.
const STATEMENT_MAX: Duration = Duration::from_secs(1);

/// Who waits for a tag.
#[derive(Debug, Default)]
struct Waiting {
    readers: Vec<(PlayerId, oneshot::Sender<Option<Stamp>>)>,
    is_under_way: bool,
}

/// The newest state tags.
#[derive(Clone, Debug)]
pub struct Stamps {
    store: Arc<dyn CollectionStore>,
    tasks: TaskTracker,
    waiting: Arc<Mutex<Waiting>>,
}

impl Stamps {
    /// Reads from `store`, in tasks of `tasks`.
    pub fn new(store: Arc<dyn CollectionStore>, tasks: TaskTracker) -> Self {
        Self { store, tasks, waiting: Arc::default() }
    }

    /// Reads the tag that `player` has now; nothing for one who was never seen.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError> {
        let (told, hears) = oneshot::channel();
        let begins = {
            let mut waiting = self.waiting();
            waiting.readers.push((player.clone(), told));
            !std::mem::replace(&mut waiting.is_under_way, true)
        };
        if begins {
            self.tasks.spawn(self.clone().read_on());
        }
        match hears.await {
            Ok(stamp) => Ok(stamp),
            // The statement for all failed: one's own says why, or does not.
            Err(_) => self.store.stamp(player).await,
        }
    }

    /// Reads for all who wait, and again, until nobody does.
    async fn read_on(self) {
        let turn = Turn(&self);
        loop {
            self.gather().await;
            let Some(readers) = self.next() else {
                // It is over already; whoever came since has begun the next.
                std::mem::forget(turn);
                return;
            };
            let mut players: Vec<PlayerId> = readers.iter().map(|(player, _)| player.clone()).collect();
            players.sort_unstable();
            players.dedup();
            match tokio::time::timeout(STATEMENT_MAX, self.store.stamps(&players)).await {
                Ok(Ok(found)) => {
                    let found: HashMap<PlayerId, Stamp> = found.into_iter().collect();
                    for (player, told) in readers {
                        // Who went away needs no answer.
                        let _ = told.send(found.get(&player).copied());
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a read of many state tags failed: {} readers read their own", readers.len());
                }
                Err(_) => {
                    let waited = STATEMENT_MAX.as_secs();
                    tracing::warn!(
                        "a read of many state tags takes over {waited} s: {} readers read their own",
                        readers.len()
                    );
                }
            }
        }
    }

    /// Lets those come along whose requests have arrived and only wait for their turn to be read: for as long as more of them do, and not for ever.
    async fn gather(&self) {
        let mut seen = 0;
        for _ in 0..TURNS_MAX {
            tokio::task::yield_now().await;
            let waiting = self.waiting().readers.len();
            if waiting == seen || waiting >= READERS_MAX {
                return;
            }
            seen = waiting;
        }
    }

    /// Takes those who wait; nothing, and the next reader begins anew, when there is nobody.
    fn next(&self) -> Option<Vec<(PlayerId, oneshot::Sender<Option<Stamp>>)>> {
        let mut waiting = self.waiting();
        if waiting.readers.is_empty() {
            waiting.is_under_way = false;
            return None;
        }
        let count = waiting.readers.len().min(READERS_MAX);
        Some(waiting.readers.drain(..count).collect())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reading for all. Where it breaks off, those who wait read their own, and the next reader begins anew.
struct Turn<'s>(&'s Stamps);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.waiting() = Waiting::default();
    }
}
