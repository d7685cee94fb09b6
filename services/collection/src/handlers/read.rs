//! Reads: they take no lock and no lane.

use auric_db::StoreError;
use auric_ids::{EspritId, OperationId, PlayerId};

use super::Handlers;
use crate::domain::{Esprit, Part};
use crate::store::{EspritsQuery, PartsQuery};

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

/// A page of a player's esprits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspritsPage {
    /// The page.
    pub page: Page<Esprit>,
    /// How many there are on all pages together.
    pub total: u64,
}

impl Handlers {
    /// Reads a page of a player's esprits, newest first.
    pub async fn esprits(&self, query: EspritsQuery) -> Result<EspritsPage, StoreError> {
        // One more than wanted tells whether there is more.
        let beyond = EspritsQuery { limit: query.limit.saturating_add(1), ..query };
        let (items, total) = self.store.esprits(&beyond).await?;
        Ok(EspritsPage { page: page(items, query.limit), total })
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

fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    Page { items, more }
}
