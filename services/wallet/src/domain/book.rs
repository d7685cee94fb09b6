//! The working set of one batch: what was loaded under the locks, what was decided on it, and what is to be written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use auric_ids::{AssetId, PlayerId};
use auric_time::Timestamp;

use super::{
    Action, Assets, Balance, BalanceKey, Change, Entry, Fingerprint, Head, Method, Movement, MovementKind, Mutation,
    MutationKey, Outcome, Seal,
};

/// What a batch may touch: the store locks the players and loads the rest, each in ascending order.
#[derive(Clone, Debug, Default)]
pub struct BatchKeys {
    /// Players to lock.
    pub players: BTreeSet<PlayerId>,
    /// Balances to load, all pools of each.
    pub assets: BTreeSet<(PlayerId, AssetId)>,
    /// Keys to look up.
    pub mutations: BTreeSet<MutationKey>,
}

/// What the store read after it had locked the players.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The database's clock, read after the locks were granted.
    pub now: Timestamp,
    /// Every locked player.
    pub players: Vec<(PlayerId, Head)>,
    /// Every balance that exists.
    pub balances: Vec<(BalanceKey, Row)>,
    /// Every key that was used before.
    pub records: Vec<Record>,
}

/// A balance and the number of times that it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What is there.
    pub balance: Balance,
    /// 0 for a balance that was never written; the store writes only over the version that was loaded.
    pub version: u64,
}

/// A mutation that was answered: kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: MutationKey,
    /// What it asked for, in a word.
    pub method: Method,
    /// What it asked for, shortened.
    pub fingerprint: Fingerprint,
    /// What it was answered.
    pub outcome: Outcome,
    /// When it was answered.
    pub time: Timestamp,
}

/// One locked player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// The end of the audit as it was loaded.
    pub loaded: Head,
    /// The end of the audit now.
    pub head: Head,
}

/// Everything that a batch decided, in the order of writing: keys first, then the rest, each ascending.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Keys and their answers, in ascending order of the key.
    pub records: Vec<Record>,
    /// New entries; a player's in the order of their numbers.
    pub entries: Vec<Entry>,
    /// Balances as they are to be, in ascending order, with the version that they are to get.
    pub balances: Vec<(BalanceKey, Row)>,
    /// Players whose head moved, in ascending order.
    pub players: Vec<(PlayerId, Player)>,
}

impl Journal {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.entries.is_empty()
    }
}

/// The working set of one batch.
#[derive(Debug)]
pub struct Book {
    now: Timestamp,
    players: BTreeMap<PlayerId, Player>,
    balances: HashMap<BalanceKey, Row>,
    dirty: BTreeSet<BalanceKey>,
    records: HashMap<MutationKey, Record>,
    decided: BTreeSet<MutationKey>,
    entries: Vec<Entry>,
}

/// The changes of one mutation, not yet part of the book. Dropping it undoes them.
#[derive(Debug)]
pub struct Draft<'book> {
    book: &'book Book,
    changed: HashMap<BalanceKey, Balance>,
    movements: Vec<Movement>,
}

impl BatchKeys {
    /// Adds what `mutation` may touch.
    pub fn add(&mut self, mutation: &Mutation) {
        self.mutations.insert(mutation.key.clone());
        match &mutation.action {
            Action::Post(post) => {
                for leg in &post.legs {
                    if !self.players.contains(&leg.player) {
                        self.players.insert(leg.player.clone());
                    }
                    self.assets.insert((leg.player.clone(), leg.asset.clone()));
                }
            }
        }
    }
}

impl Book {
    /// Opens the book on what was loaded.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        let players = opened.players.into_iter().map(|(id, head)| (id, Player { loaded: head, head })).collect();
        Self {
            now: opened.now,
            players,
            balances: opened.balances.into_iter().collect(),
            dirty: BTreeSet::new(),
            records: opened.records.into_iter().map(|record| (record.key.clone(), record)).collect(),
            decided: BTreeSet::new(),
            entries: Vec::new(),
        }
    }

    /// The answer that `key` got before this batch or in it.
    #[must_use]
    pub fn record(&self, key: &MutationKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// The time for a mutation that touches `players`: the database's clock, and never before a time that one of them was told.
    #[must_use]
    pub fn time_for<'a>(&self, players: impl Iterator<Item = &'a PlayerId>) -> Timestamp {
        let told = players.filter_map(|player| self.players.get(player)).map(|player| player.head.time);
        told.fold(self.now, Timestamp::max)
    }

    /// The balance as it stands now; zero when it was never written.
    #[must_use]
    pub fn balance(&self, key: &BalanceKey) -> Balance {
        self.balances.get(key).copied().unwrap_or_default().balance
    }

    /// Starts the changes of one mutation.
    #[must_use]
    pub fn draft(&self) -> Draft<'_> {
        Draft { book: self, changed: HashMap::new(), movements: Vec::new() }
    }

    /// Makes the changes of a mutation part of the book: numbers and chains its movements, one entry each.
    pub fn apply(&mut self, changes: Changes, of: &Mutation, time: Timestamp, rules: &Rules) -> Vec<Movement> {
        let Action::Post(post) = &of.action;
        let mut movements = changes.movements;
        for movement in &mut movements {
            let player = self.players.entry(movement.key.player.clone()).or_default();
            movement.number = player.head.number.saturating_add(1);
            let mut entry = Entry {
                movement: movement.clone(),
                reason: post.reason.clone(),
                context: post.context.clone(),
                caller: of.key.caller.clone(),
                idempotency_key: of.key.key.clone(),
                trace_id: of.trace_id.clone(),
                catalog_hash: rules.assets.hash,
                time,
                hash: [0; 32],
            };
            entry.hash = rules.seal.hash(&player.head.hash, &entry);
            player.head = Head { number: movement.number, hash: entry.hash, time };
            self.entries.push(entry);
        }
        for (key, balance) in changes.balances {
            let row = self.balances.entry(key.clone()).or_default();
            row.balance = balance;
            if self.dirty.insert(key) {
                row.version = row.version.saturating_add(1);
            }
        }
        movements
    }

    /// Keeps an answer under its key, for the twins in this batch and for the store.
    pub fn keep(&mut self, record: Record) {
        self.decided.insert(record.key.clone());
        self.records.insert(record.key.clone(), record);
    }

    /// Closes the book: what is to be written.
    #[must_use]
    pub fn into_journal(mut self) -> Journal {
        let records = self.decided.iter().filter_map(|key| self.records.remove(key)).collect();
        let balances = self.dirty.into_iter().filter_map(|key| self.balances.remove_entry(&key)).collect();
        let moved = |(_, player): &(PlayerId, Player)| player.head != player.loaded;
        let players = self.players.into_iter().filter(moved).collect();
        Journal { records, entries: self.entries, balances, players }
    }
}

/// What a finished draft changes.
#[derive(Debug)]
pub struct Changes {
    balances: HashMap<BalanceKey, Balance>,
    movements: Vec<Movement>,
}

/// The rules that a batch is decided by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The catalog in force.
    pub assets: std::sync::Arc<Assets>,
    /// How entries are chained.
    pub seal: Seal,
}

impl Draft<'_> {
    /// The balance with this draft's changes.
    #[must_use]
    pub fn balance(&self, key: &BalanceKey) -> Balance {
        self.changed.get(key).copied().unwrap_or_else(|| self.book.balance(key))
    }

    /// Moves units of one balance. `None`, and nothing is moved, when the balance cannot take it.
    #[must_use]
    pub fn change(&mut self, key: &BalanceKey, kind: MovementKind, change: Change, clamped_units: u64) -> Option<()> {
        let after = self.balance(key).after(change)?;
        self.changed.insert(key.clone(), after);
        // The number is given when the draft becomes part of the book.
        self.movements.push(Movement { key: key.clone(), number: 0, kind, change, after, clamped_units });
        Some(())
    }

    /// Ends the draft.
    #[must_use]
    pub fn finish(self) -> Changes {
        Changes { balances: self.changed, movements: self.movements }
    }
}
