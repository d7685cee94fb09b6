//! What a batch may touch, from its mutations and the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auric_ids::{AssetId, HoldId, PlayerId, RetailTokenId};

use super::{Action, Assets, EventKey, Guard, Hold, HoldRow, Mutation, MutationKey, PaymentKey, PaymentRow, Post};

/// How a batch names a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldKey {
    /// The player that a request names, if one does.
    pub player: Option<PlayerId>,
    /// Whether all that is asked is to make it, so that it is new unless a request comes twice.
    pub is_made: bool,
}

/// What a batch may touch: the store locks the players and loads the rest, each in ascending order.
#[derive(Clone, Debug)]
pub struct BatchKeys {
    /// Players to lock.
    pub players: BTreeSet<PlayerId>,
    /// Balances to load, all pools of each.
    pub assets: BTreeSet<(PlayerId, AssetId)>,
    /// Keys to look up.
    pub mutations: BTreeSet<MutationKey>,
    /// Holds to load. All players of a hold are locked before it is decided on.
    pub holds: BTreeMap<HoldId, HoldKey>,
    /// Claims to look up.
    pub guards: BTreeSet<Guard>,
    /// Payments to load, with the retail token of each.
    pub payments: BTreeSet<PaymentKey>,
    /// Events to look up.
    pub events: BTreeSet<EventKey>,
    /// Retail tokens to load.
    pub tokens: BTreeSet<RetailTokenId>,
    catalog: Arc<Assets>,
}

impl BatchKeys {
    /// The keys of an empty batch, under `catalog`.
    #[must_use]
    pub fn new(catalog: &Arc<Assets>) -> Self {
        Self {
            players: BTreeSet::new(),
            assets: BTreeSet::new(),
            mutations: BTreeSet::new(),
            holds: BTreeMap::new(),
            guards: BTreeSet::new(),
            payments: BTreeSet::new(),
            events: BTreeSet::new(),
            tokens: BTreeSet::new(),
            catalog: Arc::clone(catalog),
        }
    }

    /// Adds what `mutation` may touch.
    pub fn add(&mut self, mutation: &Mutation) {
        self.mutations.insert(mutation.key.clone());
        for player in mutation.action.players() {
            self.lock(player);
        }
        match &mutation.action {
            Action::Post(post) | Action::Transfer(post) => {
                self.touch_legs(post);
            }
            Action::Claim(claim) => {
                self.touch_legs(&claim.post);
                self.guards.insert(claim.guard.clone());
            }
            Action::Reserve(reserve) => {
                for end in reserve.legs.iter().flat_map(|leg| leg.from.iter().chain(&leg.to)) {
                    self.touch(&end.player, &end.asset);
                }
                self.add_hold_of(&reserve.hold, reserve.players().next(), true);
            }
            Action::Commit(commit) => self.add_hold_of(&commit.hold, commit.player.as_ref(), false),
            Action::Release(release) => self.add_hold_of(&release.hold, release.player.as_ref(), false),
            Action::SpendStatPoints(spend) => {
                let Some(progression) = self.catalog.progression() else { return };
                let assets = [Some(&progression.stat_points), progression.stats.get(&spend.stat)];
                for asset in assets.map(Option::<&AssetId>::cloned).into_iter().flatten() {
                    self.touch(&spend.player, &asset);
                }
            }
            Action::RenewCredits(renew) => self.touch(&renew.player, &renew.asset),
            Action::RecordPayment(record) => {
                for gift in record.fact.gifts() {
                    self.touch(&record.player, &gift.asset);
                }
                self.payments.insert(record.payment.clone());
                self.events.insert(record.event_key());
            }
            Action::IssueRetailToken(issue) => self.payments.extend(issue.payment.clone()),
            Action::RedeemRetailToken(redeem) => drop(self.tokens.insert(redeem.token.clone())),
            Action::Void => {}
        }
    }

    /// Adds a player of whom nothing but what the clock did is asked.
    pub fn add_player(&mut self, player: &PlayerId) {
        self.lock(player);
    }

    /// Adds what a look at a balance needs.
    pub fn add_view(&mut self, player: &PlayerId, asset: &AssetId) {
        self.lock(player);
        self.touch(player, asset);
    }

    fn add_hold_of(&mut self, hold: &HoldId, player: Option<&PlayerId>, is_made: bool) {
        let first = HoldKey { player: player.cloned(), is_made };
        let named = self.holds.entry(hold.clone()).or_insert(first);
        named.is_made &= is_made;
        named.player = named.player.take().or_else(|| player.cloned());
    }

    /// Adds all that the ends of `holds` touch; tells whether their players were among those to lock before.
    pub fn add_holds(&mut self, holds: &[HoldRow]) -> bool {
        let named = self.players.len();
        for row in holds {
            self.add_hold(&row.hold);
        }
        self.players.len() == named
    }

    /// Adds all that the end of `hold` touches.
    pub fn add_hold(&mut self, hold: &Hold) {
        for key in hold.balances() {
            self.lock(&key.player);
            self.touch(&key.player, &key.asset);
        }
    }

    /// Adds the balances that a payment gave to, once it is loaded under its player's lock: an event of it may name none of them.
    pub fn add_payment(&mut self, row: &PaymentRow) {
        if self.players.contains(&row.payment.player) {
            for part in &row.payment.parts {
                self.touch(&row.payment.player, &part.asset);
            }
        }
    }

    /// Whether anything that was paid for is to be loaded.
    #[must_use]
    pub fn has_paid(&self) -> bool {
        !(self.payments.is_empty() && self.events.is_empty() && self.tokens.is_empty())
    }

    fn touch_legs(&mut self, post: &Post) {
        for leg in &post.legs {
            self.touch(&leg.player, &leg.asset);
        }
    }

    fn lock(&mut self, player: &PlayerId) {
        if !self.players.contains(player) {
            self.players.insert(player.clone());
        }
    }

    /// Adds a balance and all that its change may bring about, to the end of the chain: experience brings levels, levels raise a capacity.
    /// A recharging balance that was left out would count as never seen, and be filled.
    fn touch(&mut self, player: &PlayerId, asset: &AssetId) {
        let catalog = Arc::clone(&self.catalog);
        let mut reached = vec![asset];
        while let Some(asset) = reached.pop() {
            if self.assets.insert((player.clone(), asset.clone())) {
                reached.extend(catalog.related(asset));
            }
        }
    }
}
