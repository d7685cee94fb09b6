//! Balances and open holds of players of whom was written lately, so that the next batch about them need not read them again.
//!
//! A balance that has no pool and does not recharge changes only together with its player's head: each change is an entry, and the entry's hash is
//! chained into the head. So does a hold of one player: making and ending it are entries of the player. So the head, which every batch reads behind the
//! player's lock, tells whether what is remembered is what is stored: equal heads are equal histories, whichever copy wrote last. Nothing is
//! invalidated, and nothing is believed under another head. Where another hand wrote past the ledger, and counted the version up that every row is
//! written over, the batch is refused by the database, all that it remembered is dropped, and it is read anew; where only units were changed, the next
//! change of that balance puts back what the ledger says.

use std::iter::Peekable;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auric_ids::{AssetId, HoldId, PlayerId};
use hashlink::LruCache;

use crate::domain::{BalanceKey, BatchKeys, Head, HoldRow, Journal, Player, Row};

/// What is remembered at most, in weights, of which the players that were not touched for the longest time are forgotten first: some 20 MB.
const WEIGHT_MAX: usize = 65_536;

/// What a hold weighs, where a player with some balances weighs 1.
const HOLD_WEIGHT: usize = 4;

/// Balances of one player that are remembered, and open holds.
const BALANCES_MAX: usize = 16;
const HOLDS_MAX: usize = 64;

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
}

/// What one player has, as it is under `head`.
#[derive(Clone, Debug, Default)]
struct Remembered {
    head: Head,
    rows: Vec<(AssetId, Row)>,
    /// Open holds that have no other player.
    holds: Vec<HoldRow>,
}

/// What was remembered of the players of a journal, in their order.
#[derive(Debug)]
#[must_use = "what is not kept again stays forgotten"]
pub struct Forgotten(Vec<Option<Remembered>>);

/// What is known without a look, and what must be looked up.
#[derive(Debug)]
pub struct Known<K, W> {
    /// What is known under the heads that were asked for.
    pub rows: Vec<K>,
    /// All else.
    pub rest: Vec<W>,
}

/// The heads of players, as they were read behind their locks.
struct Heads<'p>(Vec<(&'p PlayerId, Head)>);

impl<'p> Heads<'p> {
    fn of(players: &'p [(PlayerId, Player)]) -> Self {
        let mut heads: Vec<_> = players.iter().map(|(id, player)| (id, player.loaded)).collect();
        heads.sort_unstable_by_key(|(id, _)| *id);
        Self(heads)
    }

    fn get(&self, player: &PlayerId) -> Option<Head> {
        self.0.binary_search_by_key(&player, |(id, _)| id).ok().map(|at| self.0[at].1)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self::of_at_most(WEIGHT_MAX)
    }
}

impl Recent {
    /// Remembers nothing: for those who hold no lock.
    pub fn of_nothing() -> Self {
        Self::of_at_most(0)
    }

    fn of_at_most(weight_max: usize) -> Self {
        let kept = Kept { players: LruCache::new_unbounded(), weight: 0 };
        Self { weight_max, kept: Mutex::new(kept) }
    }

    /// Tells which of the balances that `keys` names are known of `players`, whose heads were read behind their locks.
    pub fn balances<'k>(
        &self,
        players: &[(PlayerId, Player)],
        keys: &'k BatchKeys,
    ) -> Known<(BalanceKey, Row), &'k (PlayerId, AssetId)> {
        let mut known = Known { rows: Vec::with_capacity(keys.assets.len()), rest: Vec::new() };
        let (heads, mut kept) = (Heads::of(players), self.kept());
        for wanted in &keys.assets {
            let (player, asset) = wanted;
            let remembered = kept.under(player, &heads);
            match remembered.and_then(|it| it.rows.iter().find(|(known, _)| known == asset)) {
                Some((_, row)) => known.rows.push((BalanceKey::plain(player, asset), *row)),
                None => known.rest.push(wanted),
            }
        }
        known
    }

    /// Tells which of the holds that `keys` names are known to be open, of players whose heads were read behind their locks.
    pub fn holds<'k>(&self, players: &[(PlayerId, Player)], keys: &'k BatchKeys) -> Known<HoldRow, &'k HoldId> {
        let mut known = Known { rows: Vec::new(), rest: Vec::new() };
        if keys.holds.is_empty() {
            return known;
        }
        let (heads, mut kept) = (Heads::of(players), self.kept());
        for (id, player) in &keys.holds {
            let remembered = player.as_ref().and_then(|player| kept.under(player, &heads));
            match remembered.and_then(|it| it.holds.iter().find(|row| row.hold.id == *id)) {
                Some(row) => known.rows.push(row.clone()),
                None => known.rest.push(id),
            }
        }
        known
    }

    /// Forgets every player that `journal` changes, until it is known what became of it; returns what was remembered.
    pub fn forget(&self, journal: &Journal) -> Forgotten {
        let mut kept = self.kept();
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
            let mut now = Remembered { head: player.head, ..before };
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
    /// What is remembered of `player` under the head that was read.
    fn under(&mut self, player: &PlayerId, heads: &Heads<'_>) -> Option<&Remembered> {
        let head = heads.get(player)?;
        self.players.get(player).filter(|it| it.head == head)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use auric_catalog::CatalogHash;
    use auric_money::Amount;
    use auric_time::Timestamp;

    use super::*;
    use crate::domain::{Assets, Balance, Context, HeldPart, Hold, HoldLeg, HoldState, Note, Posted};

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
        recent.keep(forgotten, journal.clone());
    }

    /// What is known of `asset` for each of `players`, in their order; nothing where it must be looked up.
    fn units(recent: &Recent, players: &[(PlayerId, Player)], asset: &str) -> Vec<Option<u64>> {
        let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
        let mut keys = BatchKeys::new(&Arc::new(no_assets));
        for (id, _) in players {
            keys.add_view(id, &asset.parse().unwrap());
        }
        let known = recent.balances(players, &keys);
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

    fn hold(name: &str, id: &str, state: HoldState, version: u64) -> HoldRow {
        let key = BalanceKey::plain(&name.parse().unwrap(), &"lumees".parse().unwrap());
        let leg = HoldLeg {
            amount: Amount::new(5).unwrap(),
            from: vec![HeldPart { key, units: 5, generation: 0 }],
            to: None,
        };
        let hold = Hold {
            id: id.parse().unwrap(),
            caller: "summon".parse().unwrap(),
            made_under: "k".parse().unwrap(),
            legs: vec![leg],
            whole: false,
            expires_at: None,
            note: Note { reason: "summon.pull".parse().unwrap(), context: Context::new() },
            asked: [0; 32],
            reserved: Posted::default(),
            state,
        };
        HoldRow { hold, version }
    }

    /// Whether the hold is known of `player` under the head of that number.
    fn knows(recent: &Recent, id: &str, name: &str, number: u64) -> bool {
        let no_assets = Assets::new(CatalogHash::from_bytes([0; 32]), BTreeMap::new(), None);
        let mut keys = BatchKeys::new(&Arc::new(no_assets));
        keys.holds.insert(id.parse().unwrap(), Some(name.parse().unwrap()));
        let known = recent.holds(&[player(name, number, number)], &keys);
        assert_eq!(known.rows.len() + known.rest.len(), 1);
        !known.rows.is_empty()
    }

    fn of_holds(players: Vec<(PlayerId, Player)>, holds: Vec<HoldRow>) -> Journal {
        Journal { holds, players, ..Journal::default() }
    }

    #[test]
    fn an_open_hold_is_known_until_it_ends_and_under_its_players_head_alone() {
        let recent = Recent::default();
        let made = vec![hold("b", "h1", HoldState::Held, 1), hold("a", "h2", HoldState::Held, 1)];
        written(&recent, &of_holds(vec![player("a", 0, 1), player("b", 0, 1)], made));
        assert!(knows(&recent, "h1", "b", 1) && knows(&recent, "h2", "a", 1));
        assert!(!knows(&recent, "h1", "a", 1) && !knows(&recent, "h3", "b", 1));
        assert!(!knows(&recent, "h1", "b", 2), "another copy wrote since");
        // What this copy writes on top of what it knows keeps the hold; its end does not.
        written(&recent, &journal(vec![player("b", 1, 2)], vec![balance("b", "lumees", 10)]));
        assert!(knows(&recent, "h1", "b", 2));
        let ended = HoldState::Released { answer: Posted::default() };
        written(&recent, &of_holds(vec![player("b", 2, 3)], vec![hold("b", "h1", ended, 2)]));
        assert!(!knows(&recent, "h1", "b", 3));
        assert_eq!(units(&recent, &[player("b", 3, 3)], "lumees"), [Some(10)]);
    }

    #[test]
    fn holds_weigh_more_than_their_players() {
        let recent = Recent::of_at_most(2 + HOLD_WEIGHT);
        written(&recent, &journal(vec![player("a", 0, 1)], vec![balance("a", "lumees", 10)]));
        written(&recent, &of_holds(vec![player("b", 0, 1)], vec![hold("b", "h1", HoldState::Held, 1)]));
        assert_eq!(units(&recent, &[player("a", 1, 1)], "lumees"), [Some(10)], "both have room");
        written(&recent, &of_holds(vec![player("c", 0, 1)], vec![hold("c", "h2", HoldState::Held, 1)]));
        assert!(!knows(&recent, "h1", "b", 1) && knows(&recent, "h2", "c", 1));
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
