//! The working set of one batch: what was loaded, what was decided on it, and what is to be written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use auric_events::Noted;
use auric_ids::{AssetId, CallerId, HoldId, IdempotencyKey, PlayerId, Reason, TraceId};
use auric_time::Timestamp;

use super::draft::{Changes, Draft};
use super::{
    Assets, BalanceKey, Entry, EventRow, Fingerprint, Guard, Head, Hold, Method, Movement, MutationKey, Note, Outcome,
    Paid, PaidRows, Player, Row, Seal, Told,
};

/// What the store read after it had locked the players, or remembers of them and will test.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The database's clock, read after the locks were granted where there are any.
    pub now: Timestamp,
    /// Every player of the batch.
    pub players: Vec<(PlayerId, Player)>,
    /// Every balance that exists.
    pub balances: Vec<(BalanceKey, Row)>,
    /// Every key that was used before.
    pub records: Vec<Record>,
    /// Every hold that exists, and whose players are locked; with every hold of a locked player whose time is up.
    pub holds: Vec<HoldRow>,
    /// Every claim that was made, by the key that made it.
    pub claims: Vec<ClaimRow>,
    /// What was paid for, and told of it.
    pub paid: PaidRows,
}

/// A hold and the number of times that it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The hold.
    pub hold: Arc<Hold>,
    /// 1 as it was made, 2 as it ended.
    pub version: u64,
}

/// A claim that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Its guard.
    pub guard: Guard,
    /// The mutation that made it.
    pub key: MutationKey,
    /// What that was answered.
    pub outcome: Outcome,
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

/// What came into and went out of the game, for one asset and reason, on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Units that players got.
    pub issued_units: u64,
    /// Units that players lost.
    pub burned_units: u64,
}

/// Everything that a batch decided, each set in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Keys and their answers.
    pub records: Vec<Record>,
    /// Guards of new claims.
    pub claims: Vec<(Guard, MutationKey, Timestamp)>,
    /// Holds as they are to be, with the version that they are to get.
    pub holds: Vec<HoldRow>,
    /// Payments, events and retail tokens as they are to be.
    pub paid: PaidRows,
    /// New entries, in the order of players and numbers.
    pub entries: Vec<Entry>,
    /// Balances as they are to be, with the version that they are to get.
    pub balances: Vec<(BalanceKey, Row)>,
    /// Players who changed.
    pub players: Vec<(PlayerId, Player)>,
    /// What is to be added to the counters, by asset, reason and day.
    pub flows: BTreeMap<(AssetId, Reason, i32), Flow>,
    /// What happened, in the order in which it did, for others to follow.
    pub told: Vec<Noted<Told>>,
    /// The newest time of the batch.
    pub time: Timestamp,
}

/// The rules that a batch is decided by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The catalog in force.
    pub assets: Arc<Assets>,
    /// How entries are chained.
    pub seal: Seal,
}

/// The working set of one batch.
#[derive(Debug)]
pub struct Book {
    now: Timestamp,
    players: BTreeMap<PlayerId, Player>,
    balances: HashMap<BalanceKey, Row>,
    records: HashMap<MutationKey, Record>,
    holds: BTreeMap<HoldId, Held>,
    claims: HashMap<Guard, ClaimRow>,
    /// What was paid for.
    pub(super) paid: Paid,
    journal: Written,
}

/// What is new in the book.
#[derive(Debug, Default)]
struct Written {
    records: BTreeSet<MutationKey>,
    claims: BTreeSet<Guard>,
    balances: BTreeSet<BalanceKey>,
    entries: Vec<Entry>,
    flows: BTreeMap<(AssetId, Reason, i32), Flow>,
    told: Vec<Noted<Told>>,
}

/// A hold of the book.
#[derive(Debug)]
struct Held {
    row: HoldRow,
    is_new: bool,
}

/// Who and why, for the entries of one change.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Why.
    pub note: &'a Note,
    /// Who.
    pub caller: &'a CallerId,
    /// Under which key.
    pub key: &'a IdempotencyKey,
    /// In which trace.
    pub trace_id: &'a TraceId,
}

impl Opened {
    /// The players of whom a hold may have lapsed by the newest time that a mutation of this batch can be given.
    #[must_use]
    pub fn due_players(&self) -> Vec<PlayerId> {
        let newest = self.newest();
        let due = self.players.iter().filter(|(_, player)| player.next_expiry.is_some_and(|next| next <= newest));
        due.map(|(id, _)| id.clone()).collect()
    }

    /// The newest time that a mutation of this batch can be given: it is never dated before what its players have.
    #[must_use]
    pub fn newest(&self) -> Timestamp {
        self.players.iter().map(|(_, player)| player.head.time).fold(self.now, Timestamp::max)
    }
}

impl Book {
    /// Opens the book on what was loaded.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        Self {
            now: opened.now,
            players: opened.players.into_iter().collect(),
            balances: opened.balances.into_iter().collect(),
            records: opened.records.into_iter().map(|record| (record.key.clone(), record)).collect(),
            holds: opened.holds.into_iter().map(|row| (row.hold.id.clone(), Held { row, is_new: false })).collect(),
            claims: opened.claims.into_iter().map(|claim| (claim.guard.clone(), claim)).collect(),
            paid: Paid::new(opened.paid),
            journal: Written::default(),
        }
    }

    /// The answer that `key` got before this batch or in it.
    #[must_use]
    pub fn record(&self, key: &MutationKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// The claim that was made of `guard`.
    #[must_use]
    pub fn claim(&self, guard: &Guard) -> Option<&ClaimRow> {
        self.claims.get(guard)
    }

    /// The hold of that name.
    #[must_use]
    pub fn hold(&self, id: &HoldId) -> Option<&Hold> {
        self.holds.get(id).map(|held| &*held.row.hold)
    }

    /// A locked player.
    #[must_use]
    pub fn player(&self, id: &PlayerId) -> Player {
        self.players.get(id).copied().unwrap_or_default()
    }

    /// The row as it stands now; empty when it was never written.
    #[must_use]
    pub fn row(&self, key: &BalanceKey) -> Row {
        self.balances.get(key).copied().unwrap_or_default()
    }

    /// The time for a mutation that touches `players`: the database's clock, and never before a time that one of them was told.
    #[must_use]
    pub fn time_for<'a>(&self, players: impl Iterator<Item = &'a PlayerId>) -> Timestamp {
        let told = players.filter_map(|player| self.players.get(player)).map(|player| player.head.time);
        told.fold(self.now, Timestamp::max)
    }

    /// Starts the changes of one mutation.
    #[must_use]
    pub fn draft<'a>(&'a self, rules: &'a Rules, time: Timestamp) -> Draft<'a> {
        Draft::new(self, rules, time)
    }

    /// The holds of `player` whose time is up.
    #[must_use]
    pub fn due_holds(&self, player: &PlayerId, time: Timestamp) -> Vec<HoldId> {
        let expired = self.players.get(player).and_then(|player| player.next_expiry).is_some_and(|next| next <= time);
        if !expired {
            return Vec::new();
        }
        let of_player = |row: &&HoldRow| row.hold.balances().any(|key| key.player == *player);
        let due = self.holds.values().map(|held| &held.row).filter(|row| row.hold.is_due(time)).filter(of_player);
        due.map(|row| row.hold.id.clone()).collect()
    }

    /// Notes that nothing of the player lapses before the first open hold that is at hand, or before what was noted when it was loaded.
    ///
    /// Not every hold is at hand: the store loads them all as soon as one may be due, and until then what it noted is still the bound.
    pub fn reckon_next_expiry(&mut self, id: &PlayerId, time: Timestamp) {
        let of_player = |row: &&HoldRow| row.hold.is_open() && row.hold.balances().any(|key| key.player == *id);
        let at_hand = self.holds.values().map(|held| &held.row).filter(of_player).filter_map(|row| row.hold.expires_at);
        if let Some(player) = self.players.get_mut(id) {
            player.next_expiry = at_hand.chain(player.loaded_expiry.filter(|loaded| *loaded > time)).min();
        }
    }

    /// Makes the changes of a mutation part of the book: numbers and chains its movements, one entry each.
    pub fn apply(&mut self, changes: Changes, origin: Origin<'_>, rules: &Rules) -> Vec<Movement> {
        let Changes { rows, mut movements, holds, payment, token, time } = changes;
        for movement in &mut movements {
            let player = self.players.entry(movement.key.player.clone()).or_default();
            movement.number = player.head.number.saturating_add(1);
            let mut entry = Entry {
                movement: movement.clone(),
                note: origin.note.clone(),
                caller: origin.caller.clone(),
                idempotency_key: origin.key.clone(),
                trace_id: origin.trace_id.clone(),
                catalog_hash: rules.assets.hash,
                time,
                hash: [0; 32],
            };
            entry.hash = rules.seal.hash(&player.head.hash, &entry);
            player.head = Head { number: movement.number, hash: entry.hash, time };
            self.journal.count(&entry);
            self.journal.told.push(Noted(entry.player().clone(), movement.number, Told::Entry));
            self.journal.entries.push(entry);
        }
        for (key, row) in rows {
            let mut new = self.journal.entries.iter().rev().take(movements.len());
            let newest = new.find(|entry| entry.movement.key == key).map(Entry::newest);
            let stored = self.balances.entry(key.clone()).or_default();
            let first = self.journal.balances.insert(key);
            let version = stored.version.saturating_add(u64::from(first));
            *stored = Row { version, newest: newest.or(stored.newest), ..row };
        }
        for hold in holds {
            self.put_hold(hold);
        }
        if let Some(payment) = payment {
            self.paid.put_payment(payment);
        }
        if let Some(token) = token {
            self.paid.put_token(token);
        }
        movements
    }

    /// Keeps a hold as it is to be.
    pub fn put_hold(&mut self, hold: Hold) {
        let id = hold.id.clone();
        if let Some(expires_at) = hold.expires_at.filter(|_| hold.is_open()) {
            for key in hold.balances() {
                if let Some(player) = self.players.get_mut(&key.player) {
                    player.next_expiry = Some(player.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
                }
            }
        }
        let before = self.holds.get(&id);
        let stood = before.map(|held| &*held.row.hold);
        self.journal.told.extend(Told::of_hold(stood, &hold, |player| self.player(player).head.number));
        let version = before.map_or(1, |held| held.row.version.saturating_add(u64::from(!held.is_new)));
        self.holds.insert(id, Held { row: HoldRow { hold: Arc::new(hold), version }, is_new: true });
    }

    /// Keeps a claim, for the twins in this batch and for the store.
    pub fn keep_claim(&mut self, claim: ClaimRow) {
        self.journal.claims.insert(claim.guard.clone());
        self.claims.insert(claim.guard.clone(), claim);
    }

    /// Keeps what a provider told.
    pub fn keep_event(&mut self, event: EventRow) {
        let number = self.player(&event.player).head.number;
        self.journal.told.push(Told::of_payment(&event.key, &event.player, number));
        self.paid.put_event(event);
    }

    /// Keeps an answer under its key, for the twins in this batch and for the store.
    pub fn keep(&mut self, record: Record) {
        self.journal.records.insert(record.key.clone());
        self.records.insert(record.key.clone(), record);
    }

    /// Whether each of the changed balances that [follow](Row::follows_head) their player's head has a head that moved on.
    fn heads_follow(&self, changed: &BTreeSet<BalanceKey>) -> bool {
        changed.iter().filter(|key| self.row(key).follows_head(key)).all(|key| self.player(&key.player).has_moved())
    }

    /// Whether each of the changed holds has players whose heads moved on; a tombstone has none.
    fn players_of_holds_moved(&self) -> bool {
        let changed = self.holds.values().filter(|held| held.is_new).map(|held| &held.row.hold);
        changed.flat_map(|hold| hold.balances()).all(|key| self.player(&key.player).has_moved())
    }

    /// Closes the book: what is to be written.
    #[must_use]
    pub fn into_journal(mut self) -> Journal {
        let mut written = std::mem::take(&mut self.journal);
        // Two batches that add to the same players, of balances that they do not share, meet here first: in one order neither waits for the other's wait.
        written.entries.sort_by(|one, other| one.player().cmp(other.player()));
        let changed = |player: &Player| player.has_moved() || player.expires_otherwise();
        debug_assert!(self.heads_follow(&written.balances), "a balance changed and its player's head did not");
        debug_assert!(self.players_of_holds_moved(), "a hold changed and its player's head did not");
        let claims = written.claims.iter().filter_map(|guard| self.claims.remove(guard));
        Journal {
            claims: claims.map(|claim| (claim.guard, claim.key, self.now)).collect(),
            records: written.records.iter().filter_map(|key| self.records.remove(key)).collect(),
            holds: self.holds.into_values().filter(|held| held.is_new).map(|held| held.row).collect(),
            paid: self.paid.into_rows(),
            entries: written.entries,
            balances: written.balances.into_iter().filter_map(|key| self.balances.remove_entry(&key)).collect(),
            players: self.players.into_iter().filter(|(_, player)| changed(player)).collect(),
            flows: written.flows,
            told: written.told,
            time: self.now,
        }
    }
}

impl Written {
    /// Adds an entry to the counters: what is set aside is still the player's, what is promised is not yet.
    fn count(&mut self, entry: &Entry) {
        let change = entry.movement.change;
        let net = change.available_units.saturating_add(change.held_units);
        if net == 0 {
            return;
        }
        let key = (entry.movement.key.asset.clone(), entry.note.reason.clone(), entry.time.day());
        let flow = self.flows.entry(key).or_default();
        let units = if net > 0 { &mut flow.issued_units } else { &mut flow.burned_units };
        *units = units.saturating_add(net.unsigned_abs());
    }
}

impl Journal {
    /// The head of a player as it was loaded; an empty one when nothing of the player changes.
    #[must_use]
    pub fn loaded_head(&self, player: &PlayerId) -> Head {
        // In ascending order.
        let found = self.players.binary_search_by(|(id, _)| id.cmp(player));
        found.map_or_else(|_| Head::default(), |at| self.players[at].1.loaded)
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.entries.is_empty() && self.holds.is_empty() && self.players.is_empty()
    }
}
