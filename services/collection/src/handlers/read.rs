//! Reads: they take no lock and no lane.

use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId};
use futures::{Stream, stream};

use super::{CachedView, Handlers};
use crate::domain::{Esprit, Part, Portrait};
use crate::store::{PartsQuery, Stamp};

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

/// How often a watch looks again: other copies do not tell.
const WATCH_EVERY: Duration = Duration::from_millis(200);

impl Handlers {
    /// Reads what a player has now, whichever copy changed it last, under the catalog in force.
    pub async fn view(&self, player: &PlayerId) -> Result<Arc<CachedView>, StoreError> {
        self.views.of(self.store.as_ref(), &self.stamps, &self.rules, player).await
    }

    /// The same without what the catalog adds.
    pub async fn portrait(&self, player: &PlayerId) -> Result<Arc<Portrait>, StoreError> {
        Ok(Arc::clone(&self.view(player).await?.view.portrait))
    }

    /// Tells of every state of a player's collection behind `after`, until the collection closes.
    pub fn watch(self: Arc<Self>, player: PlayerId, after: u64) -> impl Stream<Item = Result<Stamp, StoreError>> {
        stream::try_unfold((self, player, after), |(handlers, player, after)| async move {
            loop {
                if let Some(stamp) = handlers.store.stamp(&player).await?.filter(|stamp| stamp.version > after) {
                    return Ok(Some((stamp, (handlers, player, stamp.version))));
                }
                if handlers.closing.run_until_cancelled(tokio::time::sleep(WATCH_EVERY)).await.is_none() {
                    return Ok(None);
                }
            }
        })
    }

    /// Reads one esprit of a player, dissolved or not.
    pub async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError> {
        self.store.esprit(player, id).await
    }

    /// Reads the part in an operation.
    pub async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError> {
        self.store.part(operation).await
    }

    /// Reads a page of parts, in the order of operations.
    pub async fn parts(&self, query: PartsQuery) -> Result<Page<Part>, StoreError> {
        let beyond = PartsQuery { limit: query.limit.saturating_add(1), ..query };
        Ok(page(self.store.parts(&beyond).await?, query.limit))
    }
}

/// Cuts off the one that tells whether there are more.
pub fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    Page { items, more }
}
