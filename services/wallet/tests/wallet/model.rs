//! The wallet as its specification says it: slow, plain, and without a line of the engine.
//!
//! Maps and whole copies: a mutation runs on a copy, and a refused one leaves the original. Time is walked interval by interval. What the
//! engine's data types carry in and out is shared with it, what it computes is not.

mod holds;
mod payments;
mod posting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auric_ids::{AssetId, HoldId, PlayerId, PoolId};
use auric_time::Timestamp;
use auric_wallet::domain::{
    Action, AssetKind, Assets, Commit, Guard, Mutation, MutationKey, Recharging, Release, RenewCredits, SpendStatPoints,
};

pub use holds::ModelHold;

/// The most units of any balance.
const MOST: i128 = (1 << 53) - 1;

/// One balance.
pub type Place = (PlayerId, AssetId, PoolId);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub available: i128,
    pub held: i128,
    pub room: i128,
    pub owed: i128,
}

/// The terms that a recharging balance runs under.
#[derive(Clone, Copy, Debug)]
struct Terms {
    since: i64,
    units: i128,
    interval: i64,
    capacity: i128,
}

/// What a mutation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It did something new.
    Applied,
    /// The hold verb was applied before, under that key: the same answer.
    LikeBefore(MutationKey),
    /// A rule said no.
    Refused(&'static str),
    /// The key was answered before: that answer.
    Replayed,
    /// Not decided.
    Unstored(&'static str),
}

type Done = Result<Reply, Reply>;

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub accounts: BTreeMap<Place, Account>,
    pub holds: BTreeMap<HoldId, ModelHold>,
    /// The number of entries of each player.
    pub entries: BTreeMap<PlayerId, u64>,
    generations: BTreeMap<Place, u64>,
    periods: BTreeMap<Place, u64>,
    /// By provider and object, and by provider and event.
    payments: BTreeMap<(String, String), payments::ModelPayment>,
    events: BTreeMap<(String, String), payments::ModelEvent>,
    terms: BTreeMap<(PlayerId, AssetId), Terms>,
    told: BTreeMap<PlayerId, i64>,
    answers: BTreeMap<MutationKey, Action>,
    claims: BTreeSet<Guard>,
    /// The points, experience among them, that the running mutation moved.
    moved: BTreeSet<(PlayerId, AssetId)>,
    now: i64,
    catalog: Option<Arc<Assets>>,
}

impl Model {
    /// Decides `mutation` when the clock says `clock`, under `catalog`.
    pub fn apply(&mut self, mutation: &Mutation, catalog: &Arc<Assets>, clock: Timestamp) -> Reply {
        self.catalog = Some(Arc::clone(catalog));
        if let Some(first) = self.answers.get(&mutation.key) {
            let voids = matches!(first, Action::Void) || matches!(mutation.action, Action::Void);
            let same = voids || meaning(first) == meaning(&mutation.action);
            return if same { Reply::Replayed } else { Reply::Unstored("KEY_REUSED") };
        }
        let players = self.players_of(&mutation.action);
        self.begin(&players, clock);
        let mut next = self.clone();
        let reply = match next.act(mutation) {
            Ok(reply) => {
                *self = next;
                reply
            }
            Err(reply) => reply,
        };
        if !matches!(reply, Reply::Unstored(_)) {
            self.answers.insert(mutation.key.clone(), mutation.action.clone());
        }
        reply
    }

    /// What a player sees of an asset: available, held, room and owed of every pool.
    pub fn view(&self, catalog: &Arc<Assets>, clock: Timestamp, player: &PlayerId, asset: &AssetId) -> Vec<Account> {
        let mut seen = self.clone();
        seen.catalog = Some(Arc::clone(catalog));
        seen.begin(&BTreeSet::from([player.clone()]), clock);
        seen.settle(player, asset);
        let pools = catalog.get(asset).unwrap().pools();
        pools.iter().map(|pool| seen.account(&place(player, asset, pool))).collect()
    }

    /// A player's time never goes back, and what lapsed by now is given back before anything else happens.
    fn begin(&mut self, players: &BTreeSet<PlayerId>, clock: Timestamp) {
        self.now = players.iter().filter_map(|player| self.told.get(player)).copied().fold(clock.micros(), i64::max);
        for player in players {
            self.lapse(player);
        }
    }

    fn players_of(&self, action: &Action) -> BTreeSet<PlayerId> {
        let mut players: BTreeSet<PlayerId> = action.players().into_iter().cloned().collect();
        if let Action::Commit(Commit { hold, .. }) | Action::Release(Release { hold, .. }) = action
            && let Some(hold) = self.holds.get(hold)
        {
            players.extend(hold.players());
        }
        players
    }

    fn act(&mut self, mutation: &Mutation) -> Done {
        let done = match &mutation.action {
            Action::Post(post) | Action::Transfer(post) => self.post(post).map(|()| Reply::Applied),
            Action::Claim(claim) => {
                if !self.claims.insert(claim.guard.clone()) {
                    return Err(Reply::Refused("CLAIM_MADE"));
                }
                self.post(&claim.post).map(|()| Reply::Applied)
            }
            Action::Reserve(reserve) => self.reserve(reserve, &mutation.key),
            Action::Commit(commit) => self.commit(commit, &mutation.key),
            Action::Release(release) => self.release(release, &mutation.key),
            Action::SpendStatPoints(spend) => self.spend(spend).map(|()| Reply::Applied),
            Action::RenewCredits(renew) => self.renew(renew).map(|()| Reply::Applied),
            Action::RecordPayment(record) => self.record(record, &mutation.key),
            Action::IssueRetailToken(_) | Action::RedeemRetailToken(_) => panic!("no balance depends on {mutation:?}"),
            Action::Void => Err(Reply::Refused("MUTATION_VOIDED")),
        };
        self.end();
        done
    }

    /// Levels, and the capacities that follow from points.
    fn end(&mut self) {
        let catalog = self.catalog();
        if let Some(levels) = catalog.progression() {
            let players: Vec<PlayerId> =
                self.moved.iter().filter(|(_, asset)| *asset == levels.xp).map(|(player, _)| player.clone()).collect();
            for player in players {
                let xp = self.only(&player, &levels.xp).available;
                let reached =
                    levels.thresholds.iter().filter(|threshold| i128::from(**threshold) <= xp).count() as i128;
                let new = reached - self.only(&player, &levels.levels_gained).available;
                if new > 0 {
                    let granted = new * i128::from(levels.stat_points_per_level);
                    self.add(&place(&player, &levels.levels_gained, &no_pool()), new, 0, 0);
                    self.add(&place(&player, &levels.stat_points, &no_pool()), granted, 0, 0);
                }
            }
        }
        for (player, points) in std::mem::take(&mut self.moved) {
            let raised: Vec<AssetId> = catalog.raised_by(&points).map(|(id, _)| id.clone()).collect();
            for asset in &raised {
                self.settle(&player, asset);
            }
        }
    }

    fn spend(&mut self, spend: &SpendStatPoints) -> Result<(), Reply> {
        let catalog = self.catalog();
        let levels = catalog.progression().ok_or(Reply::Unstored("INVALID"))?;
        let spent = levels.stats.get(&spend.stat).ok_or(Reply::Unstored("INVALID"))?;
        let points = i128::from(spend.points.units());
        let token = place(&spend.player, &levels.stat_points, &no_pool());
        if self.account(&token).available < points {
            return Err(Reply::Refused("OUT_OF_BOUNDS"));
        }
        self.add(&token, -points, 0, 0);
        self.add(&place(&spend.player, spent, &no_pool()), points, 0, 0);
        Ok(())
    }

    fn renew(&mut self, renew: &RenewCredits) -> Result<(), Reply> {
        let catalog = self.catalog();
        let asset = catalog.get(&renew.asset).filter(|asset| !asset.retired).ok_or(Reply::Unstored("INVALID"))?;
        let AssetKind::Credit { pools } = &asset.kind else { return Err(Reply::Unstored("INVALID")) };
        if !pools.contains(&renew.pool) {
            return Err(Reply::Unstored("INVALID"));
        }
        let at = place(&renew.player, &renew.asset, &renew.pool);
        let account = self.account(&at);
        if i128::from(renew.units) + account.held + account.room > self.limit(&renew.player, &renew.asset) {
            return Err(Reply::Refused("OUT_OF_BOUNDS"));
        }
        *self.generations.entry(at.clone()).or_default() += 1;
        if account.available > 0 {
            self.add(&at, -account.available, 0, 0);
        }
        self.add(&at, i128::from(renew.units), 0, 0);
        Ok(())
    }

    /// Lets the clock give back what it owes, one interval after the other, and then takes up the terms in force.
    fn settle(&mut self, player: &PlayerId, asset: &AssetId) {
        let catalog = self.catalog();
        let Some(AssetKind::Recharging(recharging)) = catalog.get(asset).map(|asset| &asset.kind) else { return };
        let at = place(player, asset, &no_pool());
        let account = self.account(&at);
        // What comes back pays first what is owed.
        let total = account.available + account.held + account.room - account.owed;
        let capacity = self.capacity(player, recharging);
        let (mut gained, mut since) = (0, self.now);
        match self.terms.get(&(player.clone(), asset.clone())) {
            None => gained = capacity - total,
            Some(terms) => {
                since = terms.since;
                while total + gained < terms.capacity && since + terms.interval <= self.now {
                    since += terms.interval;
                    gained = (gained + terms.units).min(terms.capacity - total);
                }
                if total + gained >= terms.capacity {
                    since = since.max(self.now);
                }
            }
        }
        if gained > 0 {
            self.add(&at, gained, 0, 0);
        }
        let terms = Terms {
            since,
            units: i128::from(recharging.regen_units),
            interval: i64::try_from(recharging.interval_micros).unwrap(),
            capacity,
        };
        self.terms.insert((player.clone(), asset.clone()), terms);
    }

    fn capacity(&self, player: &PlayerId, recharging: &Recharging) -> i128 {
        let raise = recharging.raised_by.as_ref();
        let raised = raise.map_or(0, |(points, each)| self.only(player, points).available * i128::from(*each));
        (i128::from(recharging.base_units) + raised).min(MOST)
    }

    fn limit(&self, player: &PlayerId, asset: &AssetId) -> i128 {
        let catalog = self.catalog();
        let asset = catalog.get(asset).unwrap();
        match &asset.kind {
            AssetKind::Recharging(recharging) => self.capacity(player, recharging),
            _ => asset.maximum.map_or(MOST, i128::from),
        }
    }

    /// Changes one balance, which is one entry.
    fn add(&mut self, at: &Place, available: i128, held: i128, room: i128) {
        let paid = self.account(at).owed.min(available).max(0);
        self.change(at, [available - paid, held, room, -paid]);
    }

    /// The same, where nothing is paid: available, held, room, owed.
    fn change(&mut self, at: &Place, parts: [i128; 4]) {
        let account = self.accounts.entry(at.clone()).or_default();
        account.available += parts[0];
        account.held += parts[1];
        account.room += parts[2];
        account.owed += parts[3];
        let Account { available, held, room, owed } = *account;
        assert!(available >= 0 && held >= 0 && room >= 0 && owed >= 0, "{at:?} would be {account:?}");
        assert!(available == 0 || owed == 0, "who owes has nothing: {at:?} would be {account:?}");
        *self.entries.entry(at.0.clone()).or_default() += 1;
        self.told.insert(at.0.clone(), self.now);
        self.moved.insert((at.0.clone(), at.1.clone()));
    }

    pub fn account(&self, at: &Place) -> Account {
        self.accounts.get(at).copied().unwrap_or_default()
    }

    fn only(&self, player: &PlayerId, asset: &AssetId) -> Account {
        self.account(&place(player, asset, &no_pool()))
    }

    fn catalog(&self) -> Arc<Assets> {
        Arc::clone(self.catalog.as_ref().unwrap())
    }
}

/// A request without what is only there for the lane.
fn meaning(action: &Action) -> Action {
    match action.clone() {
        Action::Commit(commit) => Action::Commit(Commit { player: None, ..commit }),
        Action::Release(release) => Action::Release(Release { player: None, ..release }),
        other => other,
    }
}

fn place(player: &PlayerId, asset: &AssetId, pool: &PoolId) -> Place {
    (player.clone(), asset.clone(), pool.clone())
}

fn no_pool() -> PoolId {
    "".parse().unwrap()
}
