//! The newest state tags, read by one statement for all who ask at the same time.
//!
//! What a reader is shown must not be older than what was acknowledged before it came, so its tag is read by a statement that begins after that: who
//! comes while statements are under way waits for the next, and never takes what one of those finds. Bounded: [`UNDER_WAY_MAX`] statements at a time,
//! [`PLAYERS_MAX`] readers each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auric_db::StoreError;
use auric_ids::PlayerId;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::store::{CollectionStore, Stamp};

/// Statements at a time: while one is answered, another is read.
const UNDER_WAY_MAX: usize = 1;

/// Readers that one statement answers.
const PLAYERS_MAX: usize = 256;

/// Who waits for a tag.
#[derive(Debug, Default)]
struct Waiting {
    readers: Vec<(PlayerId, oneshot::Sender<Option<Stamp>>)>,
    under_way: usize,
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
            let begins = waiting.under_way < UNDER_WAY_MAX;
            waiting.under_way = waiting.under_way.saturating_add(usize::from(begins));
            begins
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
        while let Some(readers) = self.next() {
            let mut players: Vec<PlayerId> = readers.iter().map(|(player, _)| player.clone()).collect();
            players.sort_unstable();
            players.dedup();
            match self.store.stamps(&players).await {
                Ok(found) => {
                    let found: HashMap<PlayerId, Stamp> = found.into_iter().collect();
                    for (player, told) in readers {
                        // Who went away needs no answer.
                        let _ = told.send(found.get(&player).copied());
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a read of many state tags failed: {} readers read their own", readers.len());
                }
            }
        }
    }

    /// Takes those who wait; nothing, and this turn is over, when there is nobody.
    fn next(&self) -> Option<Vec<(PlayerId, oneshot::Sender<Option<Stamp>>)>> {
        let mut waiting = self.waiting();
        if waiting.readers.is_empty() {
            waiting.under_way = waiting.under_way.saturating_sub(1);
            return None;
        }
        let count = waiting.readers.len().min(PLAYERS_MAX);
        Some(waiting.readers.drain(..count).collect())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
