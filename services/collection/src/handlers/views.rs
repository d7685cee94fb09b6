//! What players have, kept in memory for as long as it is the newest.
//!
//! Every change of a player draws a new state tag in its own transaction. A read fetches the tag by primary key, and takes what is kept only if it
//! was read under the same tag: there is nothing to invalidate, and no copy shows what was true before a change that any copy has acknowledged.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use auric_db::StoreError;
use auric_ids::PlayerId;
use bytes::Bytes;

use super::figures;
use super::stamps::Stamps;
use crate::domain::{Catalog, Listed, Portrait, Query, Rules, View};
use crate::store::{CollectionStore, Stamp};

/// Rows that are kept, of all players together, unless told otherwise: some 60 MB, and as much again where all of them are shown in lists.
pub const VIEWS_ROWS_MAX: usize = 200_000;

/// Pages of one player that are kept encoded.
const PAGES_MAX: usize = 32;

/// Turns in which rows are read.
const TURNS: u64 = 256;

/// Views that were read, the oldest given up first.
#[derive(Debug)]
pub struct Views {
    rows_max: usize,
    /// Who misses reads in turn: players who share a turn wait for each other, which costs time and no more.
    turns: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

/// A view with the answers that were made of it: they say the same for as long as it is the newest.
#[derive(Debug)]
pub struct CachedView {
    /// What the player has.
    pub view: View,
    pages: Mutex<VecDeque<Page>>,
}

/// A page of esprits, encoded.
#[derive(Debug)]
struct Page {
    query: Query,
    esprits: usize,
    encoded: Bytes,
}

impl CachedView {
    fn new(portrait: Arc<Portrait>, catalog: Arc<Catalog>) -> Self {
        Self { view: View::new(portrait, catalog), pages: Mutex::default() }
    }

    /// The answer to `query`, made by `encode` of what is listed where it is not kept. As many esprits are kept encoded as there are, the last ones
    /// that were asked for.
    pub fn page(&self, query: &Query, encode: impl FnOnce(&View, Listed<'_>) -> Bytes) -> Bytes {
        if let Some(page) = self.pages().iter().find(|page| page.query == *query) {
            return page.encoded.clone();
        }
        let listed = self.view.list(query);
        let esprits = listed.esprits.len();
        let encoded = encode(&self.view, listed);
        let mut pages = self.pages();
        pages.push_back(Page { query: query.clone(), esprits, encoded: encoded.clone() });
        let mut kept: usize = pages.iter().map(|page| page.esprits).sum();
        while kept > self.view.portrait.esprits.len() || pages.len() > PAGES_MAX {
            kept = kept.saturating_sub(pages.pop_front().map_or(0, |page| page.esprits));
        }
        encoded
    }

    fn pages(&self) -> MutexGuard<'_, VecDeque<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Kept {
    views: HashMap<PlayerId, (u64, Arc<CachedView>)>,
    /// Who was kept when; an entry whose number is no longer the player's says nothing.
    order: VecDeque<(u64, PlayerId)>,
    last: u64,
    rows: usize,
}

impl Default for Views {
    fn default() -> Self {
        Self::of_at_most(VIEWS_ROWS_MAX)
    }
}

impl Views {
    /// Keeps at most so many rows.
    pub fn of_at_most(rows_max: usize) -> Self {
        let turns = (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect();
        Self { rows_max, turns, hasher: RandomState::new(), kept: Mutex::default() }
    }

    /// Reads what `player` has now, under the catalog in force.
    ///
    /// Of those who miss at the same time one reads the rows; the others wait, and take them if they are of the tag that each has read for itself.
    pub async fn of(
        &self,
        store: &dyn CollectionStore,
        stamps: &Stamps,
        rules: &ArcSwap<Rules>,
        player: &PlayerId,
    ) -> Result<Arc<CachedView>, StoreError> {
        let stamp = stamps.of(player).await?;
        let catalog = Arc::clone(&rules.load().catalog);
        let Some(stamp) = stamp else { return Ok(Arc::new(CachedView::new(Arc::default(), catalog))) };
        if let Some(seen) = self.under(player, &stamp, &catalog) {
            figures::count_view(true);
            return Ok(seen);
        }
        let _turn = self.turns[self.turn_of(player)].lock().await;
        let kept = self.under(player, &stamp, &catalog);
        figures::count_view(kept.is_some());
        if let Some(seen) = kept {
            return Ok(seen);
        }
        let portrait = Arc::new(store.portrait(player).await?);
        let seen = Arc::new(CachedView::new(portrait, catalog));
        self.kept().keep(player.clone(), Arc::clone(&seen), self.rows_max);
        Ok(seen)
    }

    /// What is kept of `player`, if it was read under that tag. Rows stay good when the catalog changes, and nothing that was made of them does.
    fn under(&self, player: &PlayerId, stamp: &Stamp, catalog: &Arc<Catalog>) -> Option<Arc<CachedView>> {
        let mut kept = self.kept();
        let (_, seen) = kept.views.get_mut(player)?;
        if seen.view.portrait.tag != stamp.tag {
            return None;
        }
        if !Arc::ptr_eq(&seen.view.catalog, catalog) {
            *seen = Arc::new(CachedView::new(Arc::clone(&seen.view.portrait), Arc::clone(catalog)));
        }
        Some(Arc::clone(seen))
    }

    fn turn_of(&self, player: &PlayerId) -> usize {
        let hash = self.hasher.hash_one(player);
        usize::try_from(hash % TURNS).unwrap_or_default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, player: PlayerId, seen: Arc<CachedView>, rows_max: usize) {
        self.last = self.last.wrapping_add(1);
        self.rows = self.rows.saturating_add(seen.view.portrait.rows());
        self.order.push_back((self.last, player.clone()));
        if let Some((_, before)) = self.views.insert(player, (self.last, seen)) {
            self.rows = self.rows.saturating_sub(before.view.portrait.rows());
        }
        while self.rows > rows_max || self.order.len() > rows_max {
            let Some((number, oldest)) = self.order.pop_front() else { return };
            if self.views.get(&oldest).is_some_and(|(kept, _)| *kept == number)
                && let Some((_, gone)) = self.views.remove(&oldest)
            {
                self.rows = self.rows.saturating_sub(gone.view.portrait.rows());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        const ROWS_MAX: usize = 2_000;
        let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
        let catalog = Arc::new(crate::catalog::load(&game).unwrap().catalog);
        let nothing = Arc::new(CachedView::new(Arc::default(), catalog));
        let mut kept = Kept::default();
        for number in 0..ROWS_MAX * 3 {
            // Few players again and again, and many once.
            let player = if number % 2 == 0 { number % 20 } else { number };
            kept.keep(format!("p{player}").parse().unwrap(), Arc::clone(&nothing), ROWS_MAX);
            assert!(kept.rows <= ROWS_MAX && kept.order.len() <= ROWS_MAX);
        }
        assert_eq!(kept.rows, kept.views.len());
        kept.keep("p".parse().unwrap(), nothing, 0);
        assert_eq!((kept.rows, kept.views.len(), kept.order.len()), (0, 0, 0));
    }
}
