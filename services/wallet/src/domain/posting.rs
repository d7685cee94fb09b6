//! A posting: many legs over any players, applied whole or not at all.

use auric_keys::{Canon, Field};
use std::collections::{BTreeMap, HashMap};

use auric_ids::{AssetId, PlayerId, PoolId};
use auric_money::Amount;

use super::{
    Asset, AssetKind, Assets, BadField, BalanceKey, BoundFault, Change, Draft, MovementKind, Note, Rejection, Stop,
    Unstored, asset::no_pool,
};

/// The most legs of one posting.
pub const LEGS_MAX: usize = 1_000;

/// Legs to apply, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// 1 to [`LEGS_MAX`] legs.
    pub legs: Vec<Leg>,
    /// Why.
    pub note: Note,
    /// Where the audits of these players must stand, by their newest entry's number; a player who is not named may stand anywhere.
    pub expected_versions: BTreeMap<PlayerId, u64>,
}

/// One amount of one asset of one player, one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Whose.
    pub player: PlayerId,
    /// Of what.
    pub asset: AssetId,
    /// In which pool; `None` when the caller named none.
    pub pool: Option<PoolId>,
    /// Which way, and how.
    pub direction: Direction,
    /// How much.
    pub amount: Amount,
}

/// Which way a leg moves units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Adds to the available units.
    Credit(AtMaximum),
    /// Takes from the available units.
    Debit,
}

/// What a credit does when the balance would pass its maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtMaximum {
    /// The posting is refused.
    #[default]
    Refuse,
    /// As much as fits is added.
    Clamp,
    /// The balance may pass the catalog's maximum.
    Overfill,
}

impl Post {
    /// Whom it touches, with repetitions.
    pub fn players(&self) -> impl Iterator<Item = &PlayerId> {
        self.legs.iter().map(|leg| &leg.player).chain(self.expected_versions.keys())
    }

    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut legs = Canon::default();
        for leg in &self.legs {
            legs.text(leg.player.as_str()).text(leg.asset.as_str()).text(leg.pool.as_ref().map_or("", PoolId::as_str));
            legs.text(leg.direction.as_str()).units(leg.amount.units());
        }
        let mut fields = vec![("legs", legs)];
        fields.extend(self.note.canonical_fields());
        if !self.expected_versions.is_empty() {
            let mut versions = Canon::default();
            for (player, version) in &self.expected_versions {
                versions.text(player.as_str()).units(*version);
            }
            fields.push(("expected_versions", versions));
        }
        fields
    }
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Credit(AtMaximum::Refuse) => "credit",
            Self::Credit(AtMaximum::Clamp) => "credit_clamp",
            Self::Credit(AtMaximum::Overfill) => "credit_overfill",
            Self::Debit => "debit",
        }
    }
}

/// Applies `post` to `draft`.
///
/// Bounds are tested net, per player, asset and pool: what the posting itself adds can be taken by it. Debits of a credit asset that name
/// no pool empty the pools in the catalog's order, after the legs that name one.
///
/// # Errors
///
/// [`Rejection::StaleVersion`] for the first player whose audit is elsewhere; [`Rejection::OutOfBounds`] with every balance at fault;
/// [`Unstored::Invalid`] when a leg does not fit the catalog.
pub(super) fn post(draft: &mut Draft<'_>, kind: MovementKind, post: &Post) -> Result<(), Stop> {
    let groups = group(&draft.rules.assets, &post.legs)?;
    for (player, &expected) in &post.expected_versions {
        let found = draft.book().player(player).head.number;
        if found != expected {
            return Err(Stop::rejected(Rejection::StaleVersion { player: player.clone(), expected, found }));
        }
    }
    let mut faults = BTreeMap::new();
    let mut plan = Vec::new();
    for group in &groups {
        draft.settle(group.player, group.asset_id);
        group.plan(draft, &mut plan, &mut faults);
    }
    if !faults.is_empty() {
        return Err(Stop::rejected(Rejection::OutOfBounds { faults: faults.into_values().collect() }));
    }
    for Step { key, change, clamped_units } in plan {
        if draft.change(&key, kind, change, clamped_units).is_none() {
            // The plan has been tested net; a step that fails alone passes the bound of every balance on the way to a net that fits.
            let total = draft.balance(&key).total_units();
            let asked = change.available_units.unsigned_abs();
            let fault = BoundFault::above_maximum(&key, total, asked, Amount::MAX_UNITS);
            return Err(Stop::rejected(Rejection::OutOfBounds { faults: vec![fault] }));
        }
    }
    Ok(())
}

/// The legs of one asset of one player.
struct Group<'post> {
    player: &'post PlayerId,
    asset_id: &'post AssetId,
    asset: &'post Asset,
    legs: Vec<&'post Leg>,
}

/// One change to make.
struct Step {
    key: BalanceKey,
    change: Change,
    clamped_units: u64,
}

/// What the legs that name one pool add up to. Sums of [`LEGS_MAX`] amounts fit `u64`; they saturate all the same.
#[derive(Default)]
struct Net {
    refuse_units: u64,
    clamp_units: u64,
    overfill_units: u64,
    debit_units: u64,
    /// The part of `clamp_units` that fits.
    granted_units: u64,
}

/// Sorts the legs by player and asset, in the order of their first appearance, and tests each against the catalog.
fn group<'post>(assets: &'post Assets, legs: &'post [Leg]) -> Result<Vec<Group<'post>>, Stop> {
    let mut groups: Vec<Group<'post>> = Vec::new();
    let mut places: HashMap<(&PlayerId, &AssetId), usize> = HashMap::new();
    let mut bad = Vec::new();
    for (index, leg) in legs.iter().enumerate() {
        let Some(asset) = assets.get(&leg.asset) else {
            bad.push(BadField::new(format!("legs[{index}].asset_id"), format!("{} is not in the catalog", leg.asset)));
            continue;
        };
        if let Some(fault) = misfit(index, leg, asset) {
            bad.push(fault);
            continue;
        }
        let place = *places.entry((&leg.player, &leg.asset)).or_insert_with(|| {
            groups.push(Group { player: &leg.player, asset_id: &leg.asset, asset, legs: Vec::new() });
            groups.len().saturating_sub(1)
        });
        if let Some(group) = groups.get_mut(place) {
            group.legs.push(leg);
        }
    }
    if bad.is_empty() { Ok(groups) } else { Err(Stop::Unstored(Unstored::Invalid(bad))) }
}

/// How a leg does not fit its asset.
fn misfit(index: usize, leg: &Leg, asset: &Asset) -> Option<BadField> {
    let fault = |field: &str, fault: String| Some(BadField::new(format!("legs[{index}].{field}"), fault));
    if asset.retired {
        return fault("asset_id", format!("{} is retired", leg.asset));
    }
    match (&asset.kind, &leg.pool, leg.direction) {
        (AssetKind::Points, _, Direction::Debit) => fault("direction", format!("{} only ever grows", leg.asset)),
        (AssetKind::Credit { pools }, Some(pool), _) if !pools.contains(pool) => {
            fault("pool_id", format!("{} has no pool {pool}", leg.asset))
        }
        (AssetKind::Credit { .. }, None, Direction::Credit(_)) => {
            fault("pool_id", format!("must say which pool of {} is credited", leg.asset))
        }
        (AssetKind::Credit { .. }, _, _) | (_, None, _) => None,
        (_, Some(_), _) => fault("pool_id", format!("{} has no pools", leg.asset)),
    }
}

impl Group<'_> {
    /// Tests the bounds, and plans each leg: a balance's credits before its debits, each in the order of the legs.
    fn plan(&self, draft: &Draft<'_>, plan: &mut Vec<Step>, faults: &mut BTreeMap<BalanceKey, BoundFault>) {
        let pools = self.asset.pools();
        let mut nets: Vec<(BalanceKey, Net)> = pools.iter().map(|pool| (self.key(pool), Net::default())).collect();
        let mut unpooled_units: u64 = 0;
        for leg in &self.legs {
            let net = nets.iter_mut().find(|(key, _)| self.names(leg, &key.pool)).map(|(_, net)| net);
            match net {
                Some(net) => net.add(leg),
                None => unpooled_units = unpooled_units.saturating_add(leg.amount.units()),
            }
        }
        let mut fits = true;
        let limit = draft.limit(self.player, self.asset);
        for (key, net) in &mut nets {
            if let Some(fault) = net.test(draft, key, limit) {
                faults.insert(key.clone(), fault);
                fits = false;
            }
        }
        let rest: u64 = nets.iter().map(|(key, net)| net.available_units(draft, key)).fold(0, u64::saturating_add);
        if unpooled_units > rest {
            let key = self.key(&no_pool());
            faults.insert(key.clone(), BoundFault::insufficient(&key, rest, unpooled_units));
            fits = false;
        }
        if fits {
            self.steps(draft, &mut nets, plan);
        }
    }

    fn steps(&self, draft: &Draft<'_>, nets: &mut [(BalanceKey, Net)], plan: &mut Vec<Step>) {
        let mut rest: Vec<_> = nets.iter().map(|(key, net)| (key.clone(), net.available_units(draft, key))).collect();
        for leg in &self.legs {
            let Direction::Credit(at_maximum) = leg.direction else { continue };
            let Some((key, net)) = nets.iter_mut().find(|(key, _)| self.names(leg, &key.pool)) else { continue };
            let asked = leg.amount.units();
            let units = if at_maximum == AtMaximum::Clamp { net.grant(asked) } else { asked };
            let clamped_units = asked.saturating_sub(units);
            plan.push(Step { key: key.clone(), change: Change::credit(units), clamped_units });
        }
        for leg in &self.legs {
            if leg.direction != Direction::Debit {
                continue;
            }
            let mut asked = leg.amount.units();
            for (key, rest) in &mut rest {
                let named = self.names(leg, &key.pool);
                let units = if named { asked } else { asked.min(*rest) };
                if units == 0 || (leg.pool.is_some() && !named) {
                    continue;
                }
                if !named {
                    *rest = rest.saturating_sub(units);
                }
                asked = asked.saturating_sub(units);
                plan.push(Step { key: key.clone(), change: Change::debit(units), clamped_units: 0 });
            }
        }
    }

    /// Whether `leg` says that it is about `pool`. Only a debit of a credit asset says nothing.
    fn names(&self, leg: &Leg, pool: &PoolId) -> bool {
        match (&self.asset.kind, &leg.pool) {
            (AssetKind::Credit { .. }, named) => named.as_ref() == Some(pool),
            (_, _) => true,
        }
    }

    fn key(&self, pool: &PoolId) -> BalanceKey {
        BalanceKey { player: self.player.clone(), asset: self.asset_id.clone(), pool: pool.clone() }
    }
}

impl Net {
    fn add(&mut self, leg: &Leg) {
        let sum = match leg.direction {
            Direction::Credit(AtMaximum::Refuse) => &mut self.refuse_units,
            Direction::Credit(AtMaximum::Clamp) => &mut self.clamp_units,
            Direction::Credit(AtMaximum::Overfill) => &mut self.overfill_units,
            Direction::Debit => &mut self.debit_units,
        };
        *sum = sum.saturating_add(leg.amount.units());
    }

    /// Tests the sums against the balance, and grants to the clamped credits what fits.
    fn test(&mut self, draft: &Draft<'_>, key: &BalanceKey, limit_units: u64) -> Option<BoundFault> {
        let before = draft.balance(key);
        // What is owed is paid first, and by no credit twice.
        let paid = before.owed_units().min(self.refuse_units.saturating_add(self.overfill_units));
        let fixed = self.refuse_units.saturating_add(self.overfill_units).saturating_sub(paid);
        let owed = before.owed_units().saturating_sub(paid);
        let credited = before.total_units().saturating_add(fixed);
        // The debits make room first, even where they take more than there is before the clamped credits come.
        let room = limit_units.saturating_add(self.debit_units).saturating_sub(credited);
        self.granted_units = self.clamp_units.min(room.saturating_add(owed));
        let total = credited.saturating_sub(self.debit_units);

        let credits = fixed.saturating_add(self.granted_units.saturating_sub(owed));
        let available = before.available_units().saturating_add(credits);
        if available < self.debit_units {
            return Some(BoundFault::insufficient(key, available, self.debit_units));
        }
        let limit = if self.refuse_units > 0 { limit_units } else { Amount::MAX_UNITS };
        let grows = fixed > self.debit_units;
        (grows && total > limit).then(|| {
            BoundFault::above_maximum(key, before.total_units(), fixed.saturating_sub(self.debit_units), limit)
        })
    }

    /// What is left for debits that name no pool.
    fn available_units(&self, draft: &Draft<'_>, key: &BalanceKey) -> u64 {
        let before = draft.balance(key);
        let credits = self.refuse_units.saturating_add(self.overfill_units).saturating_add(self.granted_units);
        let credits = credits.saturating_sub(before.owed_units());
        before.available_units().saturating_add(credits).saturating_sub(self.debit_units)
    }

    /// Takes up to `asked_units` of what was granted.
    fn grant(&mut self, asked_units: u64) -> u64 {
        let units = asked_units.min(self.granted_units);
        self.granted_units = self.granted_units.saturating_sub(units);
        units
    }
}
