//! Draws pulls: a tier, one of its items, and what that means for the player's pity.

use std::num::NonZeroU64;

use auric_ids::{RarityId, SpeciesId};

use super::banner::{Banner, CostOption};
use super::draws::Draws;
use super::loot::{Loot, Renews, Tiers};
use super::pity::{BoxPity, PathPity, Pity, TierPity};
use super::selection::{Choice, Luck};
use super::state::{How, State};

/// A billion: what a tier and a featured share are drawn out of.
pub(super) const BILLION: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("a constant that is not zero");

/// One pull, and all that its receipt needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its place in the summon, from 0.
    pub slot: u32,
    /// What was drawn.
    pub species: SpeciesId,
    /// Its tier.
    pub tier: RarityId,
    /// Whether it is featured; none where nothing of its tier is.
    pub featured: Option<bool>,
    /// The least tier that the summon's floor left to this pull, when it was due.
    pub floor: Option<RarityId>,
    /// The player's pity before it.
    pub before: Pity,
    /// The player's pity after it.
    pub after: Pity,
    /// The numbers that were drawn, in order: the tier's, then a featured share's, then an item's, each where one was needed.
    pub draws: Vec<u64>,
}

/// What one pull drew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn<'a> {
    /// The tier's place among the loot table's slots; of a box, the item's place.
    pub slot: usize,
    /// The item's place in its tier; of a box, again the item's place.
    pub place: usize,
    /// The tier.
    pub tier: &'a RarityId,
    /// The item.
    pub species: &'a SpeciesId,
    /// Whether it is featured; none where nothing of its tier is.
    pub featured: Option<bool>,
}

/// A player at a banner: draws pull after pull without building a [`Pity`] in between.
#[derive(Clone, Debug)]
pub struct Play<'a> {
    banner: &'a Banner,
    how: How,
    state: State,
    pulls: u64,
    spark_points: u64,
    /// Of a box: how many of each item are left.
    left: Vec<u32>,
    boxes: u64,
}

impl<'a> Play<'a> {
    /// Sets a player with `pity` before `banner`.
    #[must_use]
    pub fn new(banner: &'a Banner, how: How, pity: &Pity) -> Self {
        let mut state = State::default();
        let (mut left, mut boxes) = (Vec::new(), 0);
        match &banner.loot {
            Loot::Tiers(tiers) => state = opened(banner, tiers, pity),
            Loot::Box(loot) => {
                let kept = pity.boxes.get(&banner.id);
                boxes = kept.map_or(0, |kept| kept.finished);
                let taken = |species| kept.and_then(|kept| kept.taken.get(species)).copied().unwrap_or(0);
                left = loot.items.iter().map(|item| item.copies.get().saturating_sub(taken(&item.species))).collect();
                // A box that the catalog made smaller than what was taken from it is finished.
                if left.iter().all(|left| *left == 0) {
                    left = loot.full();
                }
            }
        }
        Self { banner, how, state, pulls: pity.pulls, spark_points: pity.spark_points, left, boxes }
    }

    /// What the next pull depends on.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Of a box, how many of each item are left.
    #[must_use]
    pub fn left(&self) -> &[u32] {
        &self.left
    }

    /// Draws one pull of at least the tier at `floor`.
    pub fn step(&mut self, floor: Option<usize>, draws: &mut impl Draws) -> Drawn<'a> {
        if self.how.advances && self.banner.group.spark.is_some() {
            self.spark_points = self.spark_points.saturating_add(1);
        }
        if self.how.resets {
            self.pulls = self.pulls.saturating_add(1);
        }
        match &self.banner.loot {
            Loot::Tiers(tiers) => self.draw_tier(tiers, floor, draws),
            Loot::Box(_) => self.draw_box(draws),
        }
    }

    fn draw_tier(&mut self, tiers: &'a Tiers, floor: Option<usize>, draws: &mut impl Draws) -> Drawn<'a> {
        let seen = if self.how.resets { self.state } else { State::NO_PITY };
        let mut rest = draws.below(BILLION);
        let mut hit = tiers.slots.len().saturating_sub(1);
        for (place, share) in seen.shares(&tiers.slots, seen.floor(tiers, floor)).enumerate() {
            let Some(beyond) = rest.checked_sub(u64::from(share.parts())) else {
                hit = place;
                break;
            };
            rest = beyond;
        }
        let slot = &tiers.slots[hit];
        let scheme = slot.choice.scheme();
        let luck = seen.lucks[hit];
        let place = scheme.certain(luck).unwrap_or_else(|| {
            let is_featured = match scheme.featured(luck) {
                None | Some(super::Ppb::ZERO) => false,
                Some(super::Ppb::ONE) => true,
                Some(share) => draws.below(BILLION) < u64::from(share.parts()),
            };
            let side = scheme.side(is_featured);
            side.place_of(draws.below(side.total()))
        });
        self.state = self.state.after(tiers, hit, place, self.how);
        Drawn { slot: hit, place, tier: &slot.tier, species: &slot.items[place], featured: scheme.is_featured(place) }
    }

    fn draw_box(&mut self, draws: &mut impl Draws) -> Drawn<'a> {
        let Loot::Box(loot) = &self.banner.loot else { unreachable!("only a box has something left") };
        let total = self.left.iter().fold(0_u64, |sum, left| sum.saturating_add(u64::from(*left)));
        let mut rest = draws.below(NonZeroU64::new(total).unwrap_or(NonZeroU64::MIN));
        let mut place = 0;
        for (index, left) in self.left.iter().enumerate() {
            let Some(beyond) = rest.checked_sub(u64::from(*left)) else {
                place = index;
                break;
            };
            rest = beyond;
        }
        self.left[place] = self.left[place].saturating_sub(1);
        let is_finished = match loot.renews {
            Renews::Empty => total <= 1,
            Renews::Without(item) => self.left[item] == 0,
        };
        if is_finished {
            self.left = loot.full();
            self.boxes = self.boxes.saturating_add(1);
        }
        let item = &loot.items[place];
        Drawn { slot: place, place, tier: &item.tier, species: &item.species, featured: None }
    }

    /// The player's pity now: `before`, with what this banner's pulls changed.
    #[must_use]
    pub fn pity(&self, before: &Pity) -> Pity {
        let mut pity = Pity { pulls: self.pulls, spark_points: self.spark_points, ..before.clone() };
        match &self.banner.loot {
            Loot::Tiers(tiers) => self.close(tiers, &mut pity),
            Loot::Box(loot) => {
                let taken = loot.items.iter().zip(&self.left).filter_map(|(item, left)| {
                    let taken = item.copies.get().saturating_sub(*left);
                    (taken > 0).then(|| (item.species.clone(), taken))
                });
                let kept = BoxPity { finished: self.boxes, taken: taken.collect() };
                put(&mut pity.boxes, &self.banner.id, kept);
            }
        }
        pity
    }

    fn close(&self, tiers: &Tiers, pity: &mut Pity) {
        if tiers.first.is_some() {
            pity.first_kept = self.state.first_kept;
        }
        for (index, slot) in tiers.slots.iter().enumerate() {
            let luck = self.state.lucks[index];
            put(&mut pity.tiers, &slot.tier, TierPity { count: self.state.counts[index], losses: luck.losses });
            if let Some(target) = luck.target {
                let path = PathPity { target: slot.items[usize::from(target)].clone(), points: luck.points };
                pity.paths.insert(self.banner.id.clone(), path);
            }
        }
    }
}

/// Keeps `value` under `key`, and nothing when it is nothing.
fn put<K: Ord + Clone, V: Default + PartialEq>(map: &mut std::collections::BTreeMap<K, V>, key: &K, value: V) {
    if let Some(kept) = map.get_mut(key) {
        if value == V::default() {
            map.remove(key);
        } else {
            *kept = value;
        }
    } else if value != V::default() {
        map.insert(key.clone(), value);
    }
}

fn opened(banner: &Banner, tiers: &Tiers, pity: &Pity) -> State {
    let mut state = State::default();
    if let Some(first) = tiers.first {
        let pulls = u32::try_from(pity.pulls).unwrap_or(u32::MAX);
        let is_over = pity.first_kept || pulls >= first.pulls;
        (state.pulls, state.first_kept) = if is_over { (first.pulls, true) } else { (pulls, false) };
    }
    let path = pity.paths.get(&banner.id);
    for (index, slot) in tiers.slots.iter().enumerate() {
        let kept = pity.tiers.get(&slot.tier).copied().unwrap_or_default();
        // A count without a scheme is of a catalog that had one: it is kept, and counts for nothing.
        state.counts[index] = kept.count;
        state.lucks[index] = Luck { losses: kept.losses, ..Luck::default() };
        if let (Choice::Path(choice), Some(path)) = (&slot.choice, path) {
            let target = choice.targets(&slot.items).iter().position(|item| *item == path.target);
            let target = target.and_then(|target| u16::try_from(target).ok());
            state.lucks[index] = Luck { points: target.map_or(0, |_| path.points), target, losses: kept.losses };
        }
    }
    state
}

/// Notes what was drawn.
struct Noted<'a, D> {
    draws: &'a mut D,
    drawn: Vec<u64>,
}

impl<D: Draws> Draws for Noted<'_, D> {
    fn begin(&mut self, slot: u32) {
        self.draws.begin(slot);
    }

    fn below(&mut self, bound: NonZeroU64) -> u64 {
        let drawn = self.draws.below(bound);
        self.drawn.push(drawn);
        drawn
    }
}

/// Draws one pull, paid by `cost`.
pub fn pull(banner: &Banner, cost: &CostOption, pity: &Pity, draws: &mut impl Draws) -> Option<Pulled> {
    pulls(banner, cost, 1, pity, draws).pop()
}

/// Draws the pulls of one summon, paid by `cost`: among as many as the banner's floor says one has its tier or a higher one.
///
/// # Shape
///
/// `count` pulls in order; the pity before each is that after the one before.
pub fn pulls(banner: &Banner, cost: &CostOption, count: u32, pity: &Pity, draws: &mut impl Draws) -> Vec<Pulled> {
    let mut play = Play::new(banner, cost.how(), pity);
    let mut before = pity.clone();
    let promise = match &banner.loot {
        Loot::Tiers(tiers) => tiers.floor.filter(|floor| floor.pulls == count).map(|floor| (floor, tiers)),
        Loot::Box(_) => None,
    };
    let mut is_kept = false;
    let mut pulled = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for slot in 0..count {
        let due = promise.filter(|(floor, _)| !is_kept && slot.saturating_add(1) == floor.pulls);
        draws.begin(slot);
        let mut noted = Noted { draws: &mut *draws, drawn: Vec::with_capacity(3) };
        let drawn = play.step(due.map(|(floor, _)| floor.slot), &mut noted);
        is_kept |= promise.is_some_and(|(floor, _)| drawn.slot <= floor.slot);
        let after = play.pity(&before);
        pulled.push(Pulled {
            slot,
            species: drawn.species.clone(),
            tier: drawn.tier.clone(),
            featured: drawn.featured,
            floor: due.map(|(floor, tiers)| tiers.slots[floor.slot].tier.clone()),
            before: std::mem::replace(&mut before, after.clone()),
            after,
            draws: noted.drawn,
        });
    }
    pulled
}
