//! The changes of one mutation, not yet part of the book: dropping them undoes them.

use std::collections::{BTreeSet, HashMap};

use auric_ids::{AssetId, PlayerId};
use auric_money::Amount;
use auric_time::Timestamp;

use super::{
    Asset, AssetKind, Balance, BalanceKey, Book, Change, Hold, Movement, MovementKind, Payment, Recharging,
    RetailToken, Row, Rules, Settled,
};

/// The changes of one mutation, not yet part of the book.
#[derive(Debug)]
pub struct Draft<'a> {
    book: &'a Book,
    /// The rules that it is decided by.
    pub rules: &'a Rules,
    /// The time of the mutation.
    pub time: Timestamp,
    rows: HashMap<BalanceKey, Row>,
    movements: Vec<Movement>,
    holds: Vec<Hold>,
    payment: Option<Payment>,
    token: Option<RetailToken>,
}

/// What a finished draft changes.
#[derive(Debug)]
pub struct Changes {
    /// Rows as they are to be; their versions are the book's affair.
    pub rows: HashMap<BalanceKey, Row>,
    /// Movements, not yet numbered.
    pub movements: Vec<Movement>,
    /// Holds as they are to be.
    pub holds: Vec<Hold>,
    /// A payment as it is to be.
    pub payment: Option<Payment>,
    /// A retail token as it is to be.
    pub token: Option<RetailToken>,
    /// When.
    pub time: Timestamp,
}

impl<'a> Draft<'a> {
    pub(super) fn new(book: &'a Book, rules: &'a Rules, time: Timestamp) -> Self {
        let (rows, movements, holds) = (HashMap::new(), Vec::new(), Vec::new());
        Self { book, rules, time, rows, movements, holds, payment: None, token: None }
    }

    /// The book beneath.
    pub const fn book(&self) -> &'a Book {
        self.book
    }

    /// The row with this draft's changes.
    #[must_use]
    pub fn row(&self, key: &BalanceKey) -> Row {
        self.rows.get(key).copied().unwrap_or_else(|| self.book.row(key))
    }

    /// The balance with this draft's changes.
    #[must_use]
    pub fn balance(&self, key: &BalanceKey) -> Balance {
        self.row(key).balance
    }

    /// The bound that a credit of `asset` is tested against.
    #[must_use]
    pub fn limit(&self, player: &PlayerId, asset: &Asset) -> u64 {
        match &asset.kind {
            AssetKind::Recharging(recharging) => self.capacity(player, recharging),
            _ => asset.limit(),
        }
    }

    /// The capacity in force, from the points that were spent on it: derived, so that no catalog change can miss it.
    fn capacity(&self, player: &PlayerId, recharging: &Recharging) -> u64 {
        let points = recharging.raised_by.as_ref().map_or(0, |(points, _)| {
            let key = BalanceKey::plain(player, points);
            self.balance(&key).available_units()
        });
        recharging.capacity_units(points)
    }

    /// Brings a recharging balance up to now under the terms that it was settled under, and then under those in force.
    ///
    /// What the clock gave back is a movement of its own. A player who was never seen is full. Other kinds of assets are left alone.
    pub fn settle(&mut self, player: &PlayerId, id: &AssetId) {
        let Some(AssetKind::Recharging(recharging)) = self.rules.assets.get(id).map(|asset| &asset.kind) else {
            return;
        };
        let key = BalanceKey::plain(player, id);
        let row = self.row(&key);
        let capacity = self.capacity(player, recharging);
        let (gained, at) = match row.settled {
            Some(settled) => settled.gain(row.balance, self.time),
            None => (capacity.saturating_sub(row.balance.total_units()), self.time),
        };
        if gained > 0 {
            self.put(&key, MovementKind::Regenerated, Change::credit(gained), 0);
        }
        let row = self.row(&key);
        let settled = Some(Settled::under(recharging, capacity, at));
        self.rows.insert(key, Row { settled, ..row });
    }

    /// Moves units of one balance. `None`, and nothing is moved, when the balance cannot take it.
    ///
    /// What is added to the available units pays first what is owed. A recharging balance must have been settled.
    #[must_use]
    pub fn change(&mut self, key: &BalanceKey, kind: MovementKind, change: Change, clamped_units: u64) -> Option<()> {
        let row = self.row(key);
        let change = change.paying(row.balance.owed_units());
        let after = row.balance.after(change)?;
        self.rows.insert(key.clone(), Row { balance: after, ..row });
        // The number is given when the draft becomes part of the book.
        self.movements.push(Movement { key: key.clone(), number: 0, kind, change, after, clamped_units });
        Some(())
    }

    /// As [`change`](Self::change), where the bounds were tested.
    fn put(&mut self, key: &BalanceKey, kind: MovementKind, change: Change, clamped_units: u64) {
        let changed = self.change(key, kind, change, clamped_units);
        debug_assert!(changed.is_some(), "the bounds were tested");
    }

    /// Starts a new generation of a credit pool: what is held of the older ones stays good for a commit, and for nothing else.
    pub fn renew(&mut self, key: &BalanceKey) {
        let row = self.row(key);
        self.rows.insert(key.clone(), Row { generation: row.generation.saturating_add(1), ..row });
    }

    /// Notes that a payment set the pool for `period`, unless it was set for a newer one.
    pub fn reach_period(&mut self, key: &BalanceKey, period: u64) {
        let row = self.row(key);
        self.rows.insert(key.clone(), Row { period: row.period.max(period), ..row });
    }

    /// Keeps a payment as it is to be.
    pub fn put_payment(&mut self, payment: Payment) {
        self.payment = Some(payment);
    }

    /// Keeps a retail token as it is to be.
    pub fn put_token(&mut self, token: RetailToken) {
        self.token = Some(token);
    }

    /// Keeps a hold as it is to be.
    pub fn put_hold(&mut self, hold: Hold) {
        self.holds.push(hold);
    }

    /// Ends the draft: grants what new levels bring, and lets capacities follow the points that they are derived from.
    #[must_use]
    pub fn finish(mut self) -> Changes {
        let rules = self.rules;
        if let Some(progression) = rules.assets.progression() {
            for player in self.players_with(&progression.xp) {
                self.level_up(&player);
            }
        }
        let changed: BTreeSet<(PlayerId, AssetId)> =
            self.movements.iter().map(|movement| (movement.key.player.clone(), movement.key.asset.clone())).collect();
        for (player, points) in changed {
            for (raised, _) in rules.assets.raised_by(&points) {
                self.settle(&player, raised);
            }
        }
        let Self { rows, movements, holds, payment, token, time, .. } = self;
        Changes { rows, movements, holds, payment, token, time }
    }

    fn players_with(&self, asset: &AssetId) -> BTreeSet<PlayerId> {
        let moved = self.movements.iter().filter(|movement| movement.key.asset == *asset);
        moved.map(|movement| movement.key.player.clone()).collect()
    }

    /// Grants each level that the player's experience is good for and that was never gained before.
    fn level_up(&mut self, player: &PlayerId) {
        let Some(progression) = self.rules.assets.progression() else { return };
        let of = |asset: &AssetId| BalanceKey::plain(player, asset);
        let xp = self.balance(&of(&progression.xp)).available_units();
        let levels = of(&progression.levels_gained);
        let gained = progression.levels_at(xp).saturating_sub(self.balance(&levels).available_units());
        if gained == 0 {
            return;
        }
        self.put(&levels, MovementKind::Leveled, Change::credit(gained), 0);
        // A level is never refused: what a full balance cannot take is noted as clamped.
        let points = of(&progression.stat_points);
        let asked = gained.saturating_mul(progression.stat_points_per_level);
        let before = self.balance(&points);
        let free = Amount::MAX_UNITS.saturating_sub(before.total_units()).saturating_add(before.owed_units());
        let granted = asked.min(free);
        if asked > 0 {
            self.put(&points, MovementKind::Leveled, Change::credit(granted), asked.saturating_sub(granted));
        }
    }
}
