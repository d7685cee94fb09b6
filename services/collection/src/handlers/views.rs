//! What players have, kept in memory for as long as it is the newest.
//!
//! Every change of a player draws a new state tag in its own transaction. A read fetches the tag by primary key, and takes what is kept only if it
//! was read under the same tag: there is nothing to invalidate, and no copy shows what was true before a change that any copy has acknowledged.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use auric_db::StoreError;
use auric_ids::PlayerId;

use super::figures;
use super::stamps::Stamps;
use crate::domain::Portrait;
use crate::store::{CollectionStore, Stamp};

/// Rows that are kept, of all players together, unless told otherwise: some 60 MB.
pub const VIEWS_ROWS_MAX: usize = 200_000;

/// Turns in which rows are read.
const TURNS: u64 = 256;

/// Portraits that were read, the oldest given up first.
#[derive(Debug)]
pub struct Views {
    rows_max: usize,
    /// Who misses reads in turn: players who share a turn wait for each other, which costs time and no more.
    turns: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    portraits: HashMap<PlayerId, (u64, Arc<Portrait>)>,
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

    /// Reads what `player` has now.
    ///
    /// Of those who miss at the same time one reads the rows; the others wait, and take them if they are of the tag that each has read for itself.
    pub async fn of(
        &self,
        store: &dyn CollectionStore,
        stamps: &Stamps,
        player: &PlayerId,
    ) -> Result<Arc<Portrait>, StoreError> {
        let Some(stamp) = stamps.of(player).await? else { return Ok(Arc::default()) };
        if let Some(portrait) = self.under(player, &stamp) {
            figures::count_view(true);
            return Ok(portrait);
        }
        let _turn = self.turns[self.turn_of(player)].lock().await;
        let kept = self.under(player, &stamp);
        figures::count_view(kept.is_some());
        if let Some(portrait) = kept {
            return Ok(portrait);
        }
        let portrait = Arc::new(store.portrait(player).await?);
        self.kept().keep(player.clone(), Arc::clone(&portrait), self.rows_max);
        Ok(portrait)
    }

    /// What is kept of `player`, if it was read under that tag.
    fn under(&self, player: &PlayerId, stamp: &Stamp) -> Option<Arc<Portrait>> {
        let kept = self.kept().portraits.get(player).map(|(_, portrait)| Arc::clone(portrait));
        kept.filter(|portrait| portrait.tag == stamp.tag)
    }

    fn turn_of(&self, player: &PlayerId) -> usize {
        let hash = self.hasher.hash_one(player);
        usize::try_from(hash % TURNS).unwrap_or_default()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, player: PlayerId, portrait: Arc<Portrait>, rows_max: usize) {
        self.last = self.last.wrapping_add(1);
        self.rows = self.rows.saturating_add(portrait.rows());
        self.order.push_back((self.last, player.clone()));
        if let Some((_, before)) = self.portraits.insert(player, (self.last, portrait)) {
            self.rows = self.rows.saturating_sub(before.rows());
        }
        while self.rows > rows_max || self.order.len() > rows_max {
            let Some((number, oldest)) = self.order.pop_front() else { return };
            if self.portraits.get(&oldest).is_some_and(|(kept, _)| *kept == number)
                && let Some((_, gone)) = self.portraits.remove(&oldest)
            {
                self.rows = self.rows.saturating_sub(gone.rows());
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
        let mut kept = Kept::default();
        for number in 0..ROWS_MAX * 3 {
            // Few players again and again, and many once.
            let player = if number % 2 == 0 { number % 20 } else { number };
            kept.keep(format!("p{player}").parse().unwrap(), Arc::default(), ROWS_MAX);
            assert!(kept.rows <= ROWS_MAX && kept.order.len() <= ROWS_MAX);
        }
        assert_eq!(kept.rows, kept.portraits.len());
        kept.keep("p".parse().unwrap(), Arc::default(), 0);
        assert_eq!((kept.rows, kept.portraits.len(), kept.order.len()), (0, 0, 0));
    }
}
