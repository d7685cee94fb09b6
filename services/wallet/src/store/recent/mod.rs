//! Balances and open holds of players of whom was written lately, so that the next batch about them need not read them again.
//!
//! A balance that has no pool and does not recharge changes only together with its player's head: each change is an entry, and the entry's hash is
//! chained into the head. So does a hold of one player: making and ending it are entries of the player. So the head tells whether what is remembered is
//! what is stored: equal heads are equal histories, whichever copy wrote last. Nothing is invalidated, and nothing is believed under another head. Where
//! another hand wrote past the ledger, and counted the version up that every row is written over, the batch is refused by the database, all that it
//! remembered is dropped, and it is read anew; where only units were changed, the next change of that balance puts back what the ledger says.
//!
//! The heads are remembered too. A batch of whom all is remembered is decided on that before anything is locked, and its [commit](Assumed) finds out
//! whether the heads are still the same; any other is read. Its keys are taken for new, unless this copy met one of them lately: whoever inserts one that
//! was used finds out.

mod assumed;
#[cfg(test)]
mod tests;
mod used;

use std::iter::Peekable;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auric_db::{Contention, StoreError};
use auric_ids::{AssetId, PlayerId};
use auric_time::Timestamp;
use hashlink::LruCache;

use crate::domain::{BalanceKey, BatchKeys, Head, HoldKey, HoldRow, Journal, Opened, Player, Row};

pub use assumed::Assumed;
use used::Used;

/// What is remembered at most, in weights, of which the players that were not touched for the longest time are forgotten first: some 20 MB.
const WEIGHT_MAX: usize = 65_536;

/// What a hold weighs, where a player with some balances weighs 1.
const HOLD_WEIGHT: usize = 4;

/// Balances of one player that are remembered, and open holds.
const BALANCES_MAX: usize = 16;
const HOLDS_MAX: usize = 64;

/// Batches that lock and read, or look their keys up, after one that remembered what was no longer so: other copies write to the same players, or were
/// asked under the same keys.
const DOUBT: u32 = 64;

/// What was written lately.
#[derive(Debug)]
pub struct Recent {
    weight_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    players: LruCache<PlayerId, Remembered>,
    weight: usize,
    used: Used,
    /// Batches to come that lock and read before they decide.
    doubt: u32,
    /// Batches to come that look their keys up.
    doubt_of_keys: u32,
}

/// What one player has, as it is under `head`.
#[derive(Clone, Debug, Default)]
struct Remembered {
    head: Head,
    next_expiry: Option<Timestamp>,
    rows: Vec<(AssetId, Row)>,
    /// Open holds that have no other player.
    holds: Vec<HoldRow>,
}

/// What was remembered of the players of a journal, in their order.
#[derive(Debug)]
#[must_use = "what is not kept again stays forgotten"]
pub struct Forgotten(Vec<Option<Remembered>>);

impl Default for Recent {
    fn default() -> Self {
        Self::of_at_most(WEIGHT_MAX)
    }
}

impl Recent {
    fn of_at_most(weight_max: usize) -> Self {
        let players = LruCache::new_unbounded();
        let kept = Kept { players, weight: 0, used: Used::default(), doubt: 0, doubt_of_keys: 0 };
        Self { weight_max, kept: Mutex::new(kept) }
    }

    /// Tells what every player of `keys` is remembered to be, and the balances and holds that `keys` names; nothing where a look is needed, or in doubt.
    ///
    /// Adds to `keys` all that the end of those holds touches. Clock and claims are still to be read, and the keys that are not taken for new.
    pub fn all(&self, keys: &mut BatchKeys) -> Option<(Assumed, Opened)> {
        if keys.has_paid() {
            return None;
        }
        let mut kept = self.kept();
        let players = kept.players(keys)?;
        let (mut holds, mut absent) = (Vec::new(), Vec::new());
        for (id, HoldKey { player, is_made }) in &keys.holds {
            let remembered = player.as_ref().and_then(|player| kept.players.peek(player));
            match remembered.and_then(|it| it.holds.iter().find(|row| row.hold.id == *id)) {
                Some(row) => holds.push(row.clone()),
                None if *is_made => absent.push(id.clone()),
                None => return None,
            }
        }
        keys.add_holds(&holds);
        let mut balances = Vec::with_capacity(keys.assets.len());
        for (player, asset) in &keys.assets {
            let (_, row) = kept.players.peek(player)?.rows.iter().find(|(known, _)| known == asset)?;
            balances.push((BalanceKey::plain(player, asset), *row));
        }
        let heads = players.iter().map(|(id, player)| (id.clone(), player.loaded)).collect();
        let unread = if kept.are_new(keys) { keys.mutations.iter().cloned().collect() } else { Vec::new() };
        Some((Assumed { heads, absent, unread }, Opened { players, balances, holds, ..Opened::default() }))
    }

    /// Forgets those of `players`, as they were read behind their locks, who are remembered under another head: another copy was here, and the next
    /// batches look before they decide.
    pub fn meet(&self, players: &[(PlayerId, Player)]) {
        let mut kept = self.kept();
        for (id, player) in players {
            if kept.players.peek(id).is_some_and(|remembered| remembered.head != player.loaded) {
                kept.remove(id);
                kept.doubt = DOUBT;
            }
        }
    }

    /// Drops what a batch was decided on that could not be written, so that it is run again behind the locks; so are the next batches, where heads had
    /// moved, and the keys of the next batches are looked up, where something was there already.
    pub fn refuted(&self, assumed: &Assumed, why: &StoreError) {
        let mut kept = self.kept();
        for (player, _) in &assumed.heads {
            kept.remove(player);
        }
        match why {
            StoreError::Contended(Contention::Version, _) => kept.doubt = DOUBT,
            StoreError::Contended(Contention::Duplicate, _) => kept.doubt_of_keys = DOUBT,
            _ => {}
        }
    }

    /// Forgets every player that `journal` changes, until it is known what became of it; returns what was remembered.
    pub fn forget(&self, journal: &Journal) -> Forgotten {
        let mut kept = self.kept();
        journal.records.iter().for_each(|record| kept.used.note(&record.key));
        Forgotten(journal.players.iter().map(|(id, _)| kept.remove(id)).collect())
    }

    /// Remembers what `journal` made of the players that were forgotten for it, now that it is durable.
    pub fn keep(&self, forgotten: Forgotten, journal: Journal) {
        let mut rows = journal.balances.into_iter().filter(|(key, row)| row.follows_head(key)).peekable();
        let mut holds: Vec<(PlayerId, HoldRow)> =
            journal.holds.into_iter().filter_map(|row| Some((row.hold.only_player()?.clone(), row))).collect();
        holds.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut holds = holds.into_iter().peekable();
        let mut kept = self.kept();
        // All three are in ascending order of players.
        for ((id, player), before) in journal.players.into_iter().zip(forgotten.0) {
            let before = before.filter(|before| before.head == player.loaded).unwrap_or_default();
            let mut now = Remembered { head: player.head, next_expiry: player.next_expiry, ..before };
            for (key, row) in up_to(&mut rows, |(key, _)| key.player <= id) {
                if key.player == id {
                    now.rows.retain(|(asset, _)| *asset != key.asset);
                    now.rows.push((key.asset, row));
                }
            }
            for (_, row) in up_to(&mut holds, |(player, _)| *player <= id).filter(|(player, _)| *player == id) {
                now.holds.retain(|known| known.hold.id != row.hold.id);
                if row.hold.is_open() {
                    now.holds.push(row);
                }
            }
            kept.insert(id, now, self.weight_max);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Each entry is whole after every statement that changes it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes items as long as they are `wanted`, and no more.
fn up_to<I: Iterator>(items: &mut Peekable<I>, wanted: impl Fn(&I::Item) -> bool) -> impl Iterator<Item = I::Item> {
    std::iter::from_fn(move || items.next_if(|item| wanted(item)))
}

impl Kept {
    /// Everyone whom `keys` names, as remembered; nothing when somebody is not, or in doubt.
    fn players(&mut self, keys: &BatchKeys) -> Option<Vec<(PlayerId, Player)>> {
        if self.doubt > 0 {
            self.doubt = self.doubt.saturating_sub(1);
            return None;
        }
        let of = |id: &PlayerId| {
            let Remembered { head, next_expiry, .. } = self.players.get(id)?;
            let player = Player { loaded: *head, head: *head, next_expiry: *next_expiry, loaded_expiry: *next_expiry };
            Some((id.clone(), player))
        };
        keys.players.iter().map(of).collect()
    }

    /// Whether nothing tells that one of those keys was used.
    fn are_new(&mut self, keys: &BatchKeys) -> bool {
        if self.doubt_of_keys > 0 {
            self.doubt_of_keys = self.doubt_of_keys.saturating_sub(1);
            return false;
        }
        keys.mutations.iter().all(|key| !self.used.has(key))
    }

    fn insert(&mut self, player: PlayerId, remembered: Remembered, weight_max: usize) {
        let too_many = remembered.rows.len() > BALANCES_MAX || remembered.holds.len() > HOLDS_MAX;
        if too_many || (remembered.rows.is_empty() && remembered.holds.is_empty()) {
            return;
        }
        self.weight = self.weight.saturating_add(remembered.weight());
        if let Some(before) = self.players.insert(player, remembered) {
            self.weight = self.weight.saturating_sub(before.weight());
        }
        while self.weight > weight_max {
            let Some((_, oldest)) = self.players.remove_lru() else { return };
            self.weight = self.weight.saturating_sub(oldest.weight());
        }
    }

    fn remove(&mut self, player: &PlayerId) -> Option<Remembered> {
        let remembered = self.players.remove(player)?;
        self.weight = self.weight.saturating_sub(remembered.weight());
        Some(remembered)
    }
}

impl Remembered {
    fn weight(&self) -> usize {
        self.holds.len().saturating_mul(HOLD_WEIGHT).saturating_add(1)
    }
}
