//! The shares of all pulls that tiers and items have in the long run.

use auric_ids::{RarityId, SpeciesId};

use super::decimal::Decimal;
use super::graph::Graph;
use super::luck::item_shares;
use super::settle::settle;
use super::walk::Scope;
use super::{Chance, OddsFault};
use crate::domain::banner::Banner;
use crate::domain::loot::{BoxLoot, Loot, Renews, TIERS_MAX, Tiers};
use crate::domain::ppb::Ppb;
use crate::domain::state::{How, State};

/// The odds in the long run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consolidated {
    /// Tiers, highest first.
    pub tiers: Vec<TierShare>,
    /// Items, tier by tier.
    pub items: Vec<ItemShare>,
    /// How many states were followed.
    pub states: usize,
}

/// A tier in the long run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierShare {
    /// Which.
    pub tier: RarityId,
    /// Its share of all pulls.
    pub rate: Decimal,
    /// Pulls from one hit to the next, on the average.
    pub mean_pulls: Decimal,
}

/// An item in the long run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemShare {
    /// Which.
    pub species: SpeciesId,
    /// Its tier.
    pub tier: RarityId,
    /// Whether it is featured; none where nothing is.
    pub featured: Option<bool>,
    /// Its share of all pulls.
    pub rate: Decimal,
}

/// Tells the odds in the long run of a player who always summons `count` at once; one who follows a path follows the path to `target`.
///
/// # Errors
///
/// [`OddsFault`] when there are too many states, or they do not settle.
pub fn consolidated(
    banner: &Banner,
    how: How,
    count: u32,
    target: Option<&SpeciesId>,
) -> Result<Consolidated, OddsFault> {
    match &banner.loot {
        Loot::Tiers(tiers) => of_tiers(tiers, how, count, target),
        Loot::Box(loot) => Ok(of_box(loot)),
    }
}

fn of_tiers(tiers: &Tiers, how: How, count: u32, target: Option<&SpeciesId>) -> Result<Consolidated, OddsFault> {
    let scope = Scope::forever(tiers, how, tiers.floor.filter(|floor| floor.pulls == count))?;
    let graph = Graph::explore(&scope, scope.start(tiers, &State::NO_PITY));
    let visits = settle(&graph)?;
    let (mut hits, mut pulls) = ([0_u128; TIERS_MAX], 0_u128);
    for (state, visits) in graph.states.iter().zip(visits) {
        let visits = u128::from(visits);
        pulls = pulls.wrapping_add(visits);
        for (hits, share) in hits.iter_mut().zip(scope.shares(*state)) {
            // At most 2^63 visits, 2^30 parts and 2^20 states: below 2^113.
            *hits = hits.wrapping_add(visits.wrapping_mul(u128::from(share.parts())));
        }
    }
    let billion = u128::from(Ppb::ONE.parts());
    let mut told = Consolidated { tiers: Vec::new(), items: Vec::new(), states: graph.len() };
    for (slot, hits) in tiers.slots.iter().zip(hits) {
        let rate = Decimal::ratio(hits, pulls.saturating_mul(billion));
        told.tiers.push(TierShare { tier: slot.tier.clone(), rate, mean_pulls: rate.inverse() });
        let target = target.and_then(|target| slot.items.iter().position(|item| item == target));
        let scheme = slot.choice.scheme();
        let target = target.filter(|_| slot.choice.has_path()).and_then(|target| u16::try_from(target).ok());
        for ((place, species), share) in slot.items.iter().enumerate().zip(item_shares(slot, target)?) {
            told.items.push(ItemShare {
                species: species.clone(),
                tier: slot.tier.clone(),
                featured: scheme.is_featured(place),
                rate: rate.times(share),
            });
        }
    }
    Ok(told)
}

/// Of a box that is renewed without a prize the others are drawn as often as they come before its last copy: `k` of `k + 1` on the
/// average, when there are `k` copies.
fn of_box(loot: &BoxLoot) -> Consolidated {
    let copies = |item: usize| u128::from(loot.items.get(item).map_or(0, |item| item.copies.get()));
    let drawn = |item: usize| match loot.renews {
        Renews::Empty => (copies(item), 1),
        Renews::Without(prize) if prize == item => (copies(item), 1),
        Renews::Without(prize) => (copies(item).saturating_mul(copies(prize)), copies(prize).saturating_add(1)),
    };
    let over_one = |(over, under): (u128, u128), all: u128| over.saturating_mul(all.checked_div(under).unwrap_or(1));
    let all = match loot.renews {
        Renews::Empty => 1,
        Renews::Without(prize) => copies(prize).saturating_add(1),
    };
    let total = (0..loot.items.len()).fold(0_u128, |sum, item| sum.saturating_add(over_one(drawn(item), all)));
    let rate = |item: usize| Chance { over: over_one(drawn(item), all), under: total };
    let items = loot.items.iter().enumerate().map(|(place, item)| ItemShare {
        species: item.species.clone(),
        tier: item.tier.clone(),
        featured: None,
        rate: rate(place).decimal(),
    });
    let tiers = loot.tiers().into_iter().map(|tier| {
        let places = (0..loot.items.len()).filter(|place| loot.items[*place].tier == *tier);
        let over = places.fold(0_u128, |sum, place| sum.saturating_add(rate(place).over));
        let rate = Chance { over, under: total }.decimal();
        TierShare { tier: tier.clone(), rate, mean_pulls: rate.inverse() }
    });
    Consolidated { tiers: tiers.collect(), items: items.collect(), states: 1 }
}
