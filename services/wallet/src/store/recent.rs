//! Balances of players of whom was written lately, so that the next batch about them need not read them again.
//!
//! A balance that has no pool and does not recharge changes only together with its player's head: each change is an entry, and the entry's hash is
//! chained into the head. So the head, which every batch reads behind the player's lock, tells whether what is remembered is what is stored: equal
//! heads are equal histories, whichever copy wrote last. Nothing is invalidated, and nothing is believed under another head. Where another hand wrote
//! past the ledger, and counted the version up that every balance is written over, the batch is refused by the database, all that it remembered is
//! dropped, and it is read anew; where only units were changed, the next change of that balance puts back what the ledger says.

use std::sync::{Mutex, MutexGuard, PoisonError};

use auric_ids::{AssetId, PlayerId};
use hashlink::LruCache;

use crate::domain::{BalanceKey, BatchKeys, Head, Journal, Player, Row};

/// Players that are remembered, of whom the one that was not touched for the longest time is forgotten first: some 20 MB.
const PLAYERS_MAX: usize = 65_536;

/// Balances of one player that are remembered.
const BALANCES_MAX: usize = 16;

/// What was written lately.
#[derive(Debug)]
pub struct Recent {
    players: Mutex<LruCache<PlayerId, Remembered>>,
}

/// Balances of one player, as they are under `head`.
#[derive(Clone, Debug)]
struct Remembered {
    head: Head,
    rows: Vec<(AssetId, Row)>,
}

/// What was remembered of the players of a journal, in their order.
#[derive(Debug)]
#[must_use = "what is not kept again stays forgotten"]
pub struct Forgotten(Vec<Option<Remembered>>);

/// What is known without a look, and what must be looked up.
#[derive(Debug)]
pub struct Known<'k> {
    /// Balances under the heads that were asked for.
    pub rows: Vec<(BalanceKey, Row)>,
    /// All others.
    pub rest: Vec<&'k (PlayerId, AssetId)>,
}

impl<'k> Known<'k> {
    /// Nothing is known: everything is looked up.
    pub fn nothing(keys: &'k BatchKeys) -> Self {
        Self { rows: Vec::new(), rest: keys.assets.iter().collect() }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self::of_at_most(PLAYERS_MAX)
    }
}

impl Recent {
    fn of_at_most(players_max: usize) -> Self {
        Self { players: Mutex::new(LruCache::new(players_max)) }
    }

    /// Tells which of the balances that `keys` names are known of `players`, whose heads were read behind their locks.
    pub fn of<'k>(&self, players: &[(PlayerId, Player)], keys: &'k BatchKeys) -> Known<'k> {
        let mut known = Known { rows: Vec::with_capacity(keys.assets.len()), rest: Vec::new() };
        let mut heads: Vec<(&PlayerId, Head)> = players.iter().map(|(id, player)| (id, player.loaded)).collect();
        heads.sort_unstable_by_key(|(id, _)| *id);
        let mut remembered = self.players();
        for wanted in &keys.assets {
            let (player, asset) = wanted;
            let head = heads.binary_search_by_key(&player, |(id, _)| id).ok().map(|at| heads[at].1);
            let of_player = head.and_then(|head| remembered.get(player).filter(|it| it.head == head));
            match of_player.and_then(|it| it.rows.iter().find(|(known, _)| known == asset)) {
                Some((_, row)) => known.rows.push((BalanceKey::plain(player, asset), *row)),
                None => known.rest.push(wanted),
            }
        }
        known
    }

    /// Forgets every player that `journal` changes, until it is known what became of it; returns what was remembered.
    pub fn forget(&self, journal: &Journal) -> Forgotten {
        let mut remembered = self.players();
        Forgotten(journal.players.iter().map(|(id, _)| remembered.remove(id)).collect())
    }

    /// Remembers what `journal` made of the players that were forgotten for it, now that it is durable.
    pub fn keep(&self, forgotten: Forgotten, journal: &Journal) {
        let mut changed = journal.balances.iter().filter(|(key, row)| row.follows_head(key)).peekable();
        let mut remembered = self.players();
        // Both are in ascending order of players.
        for ((id, player), before) in journal.players.iter().zip(forgotten.0) {
            let mut rows = before.filter(|before| before.head == player.loaded).map_or_else(Vec::new, |it| it.rows);
            while let Some((key, row)) = changed.next_if(|(key, _)| key.player <= *id) {
                if key.player == *id {
                    rows.retain(|(asset, _)| *asset != key.asset);
                    rows.push((key.asset.clone(), *row));
                }
            }
            if rows.len() <= BALANCES_MAX && !rows.is_empty() {
                remembered.insert(id.clone(), Remembered { head: player.head, rows });
            }
        }
    }

    fn players(&self) -> MutexGuard<'_, LruCache<PlayerId, Remembered>> {
        // Each entry is whole after every statement that changes it.
        self.players.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use auric_catalog::CatalogHash;
    use auric_time::Timestamp;

    use super::*;
    use crate::domain::{Assets, Balance};

    fn head(number: u64) -> Head {
        let byte = u8::try_from(number).unwrap();
        Head { number, hash: [byte; 32], time: Timestamp::EPOCH }
    }

    fn player(name: &str, loaded: u64, now: u64) -> (PlayerId, Player) {
        (name.parse().unwrap(), Player { loaded: head(loaded), head: head(now), ..Player::default() })
    }

    fn balance(name: &str, asset: &str, units: u64) -> (BalanceKey, Row) {
        let key = BalanceKey::plain(&name.parse().unwrap(), &asset.parse().unwrap());
        (key, Row { balance: Balance::from_parts([units, 0, 0, 0]).unwrap(), version: 1, ..Row::default() })
    }

    fn journal(players: Vec<(PlayerId, Player)>, balances: Vec<(BalanceKey, Row)>) -> Journal {
        Journal { balances, players, ..Journal::default() }
    }

    fn written(recent: &Recent, journal: &Journal) {
        let forgotten = recent.forget(journal);
        recent.keep(forgotten, journal);
    }

    /// What is known of `asset` for each of `players`, in their order; nothing where it must be looked up.
    fn units(recent: &Recent, players: &[(PlayerId, Player)], asset: &str) -> Vec<Option<u64>> {
        let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
        let mut keys = BatchKeys::new(&Arc::new(no_assets));
        for (id, _) in players {
            keys.add_view(id, &asset.parse().unwrap());
        }
        let known = recent.of(players, &keys);
        let of = |id: &PlayerId| known.rows.iter().find(|(key, _)| key.player == *id);
        let found: Vec<_> =
            players.iter().map(|(id, _)| of(id).map(|(_, row)| row.balance.available_units())).collect();
        assert_eq!(known.rest.len(), found.iter().filter(|units| units.is_none()).count());
        found
    }

    #[test]
    fn what_was_written_is_known_under_the_head_that_was_written_with_it() {
        let recent = Recent::default();
        let both = vec![balance("a", "lumees", 10), balance("b", "lumees", 20), balance("b", "shards", 3)];
        written(&recent, &journal(vec![player("a", 0, 1), player("b", 0, 2)], both));
        let now = [player("a", 1, 1), player("b", 2, 2)];
        assert_eq!(units(&recent, &now, "lumees"), [Some(10), Some(20)]);
        assert_eq!(units(&recent, &now, "shards"), [None, Some(3)]);
        assert_eq!(units(&recent, &now, "aether"), [None, None]);
    }

    #[test]
    fn under_another_head_nothing_is_known() {
        let recent = Recent::default();
        written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
        // Another copy wrote since.
        assert_eq!(units(&recent, &[player("a", 2, 2)], "lumees"), [None]);
        // What this copy writes on top of that does not make the rest known again.
        written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 7)]));
        let now = [player("a", 3, 3)];
        assert_eq!((units(&recent, &now, "lumees"), units(&recent, &now, "shards")), (vec![None], vec![Some(7)]));
    }

    #[test]
    fn what_is_written_on_top_of_what_is_known_keeps_the_rest() {
        let recent = Recent::default();
        written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
        written(&recent, &journal(vec![player("a", 1, 2)], vec![balance("a", "shards", 7)]));
        written(&recent, &journal(vec![player("a", 2, 3)], vec![balance("a", "shards", 8)]));
        let now = [player("a", 3, 3)];
        assert_eq!((units(&recent, &now, "lumees"), units(&recent, &now, "shards")), (vec![Some(10)], vec![Some(8)]));
    }

    #[test]
    fn a_write_that_came_to_nothing_leaves_nothing_known() {
        let recent = Recent::default();
        written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
        let failed = recent.forget(&journal(vec![player("a", 1, 2)], vec![balance("a", "lumees", 11)]));
        drop(failed);
        assert_eq!(units(&recent, &[player("a", 1, 1)], "lumees"), [None]);
        assert_eq!(units(&recent, &[player("a", 2, 2)], "lumees"), [None]);
    }

    #[test]
    fn what_can_change_without_an_entry_is_not_remembered() {
        let recent = Recent::default();
        let (plain, row) = balance("a", "credit", 10);
        let pooled = BalanceKey { pool: "bulk".parse().unwrap(), ..plain.clone() };
        for (key, row) in
            [(pooled, row), (plain.clone(), Row { generation: 1, ..row }), (plain, Row { period: 1, ..row })]
        {
            written(&recent, &journal(vec![player("a", 0, 1)], vec![(key, row)]));
            assert_eq!(units(&recent, &[player("a", 1, 1)], "credit"), [None]);
        }
    }

    #[test]
    fn no_more_players_are_remembered_than_may_be() {
        let recent = Recent::of_at_most(2);
        for name in ["a", "b", "c"] {
            written(&recent, &journal(vec![player(name, 0, 1)], vec![balance(name, "lumees", 10)]));
        }
        let now = ["a", "b", "c"].map(|name| player(name, 1, 1));
        assert_eq!(units(&recent, &now, "lumees"), [None, Some(10), Some(10)]);
    }
}
