//! How many pulls it takes until a hit.

use auric_ids::{RarityId, SpeciesId};

use super::OddsFault;
use super::decimal::{Decimal, Q63, Q63_ONE, part, told};
use super::graph::{END, Graph};
use super::luck::{Lucks, Wanted};
use super::walk::{Scope, Target};
use crate::domain::loot::{BoxLoot, Renews, Tiers};
use crate::domain::selection::Luck;
use crate::domain::state::{How, State};

/// The most points of a curve.
pub const CURVE_MAX: usize = 1_000;

/// The most edges that are followed before it is given up.
const WORK_MAX: usize = 1 << 26;

/// For so many pulls the chance must stay the same before it is taken to stay so for ever.
const STEADY: usize = 64;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An item of the tier.
    Tier(RarityId),
    /// An item of the tier or a higher one.
    AtLeast(RarityId),
    /// A featured item of the tier.
    Featured(RarityId),
    /// One item.
    Item(SpeciesId),
}

/// How many pulls it takes until a hit, the one that hits included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// On the average.
    pub mean: Decimal,
    /// Within so many pulls it has come with a chance of one half.
    pub p50: u64,
    /// Of nine tenths.
    pub p90: u64,
    /// Of 99 hundredths.
    pub p99: u64,
    /// It cannot take longer; none when it can take for ever.
    pub worst: Option<u64>,
    /// The chance that it has come within 1, 2, … pulls; at most [`CURVE_MAX`], and as many as it takes to be certain.
    pub curve: Vec<Decimal>,
}

/// Follows the pulls of a player with `state` until the wish comes true.
pub(super) fn until(tiers: &Tiers, how: How, state: &State, wish: &Wish) -> Result<Until, OddsFault> {
    let slot = tiers.slots.iter().position(|slot| match wish {
        Wish::Tier(tier) | Wish::AtLeast(tier) | Wish::Featured(tier) => slot.tier == *tier,
        Wish::Item(species) => slot.items.contains(species),
    });
    let slot = slot.ok_or(OddsFault::NoSuchItem)?;
    let wanted = match wish {
        Wish::Tier(_) | Wish::AtLeast(_) => Wanted::Nothing,
        Wish::Featured(_) => Wanted::Featured,
        Wish::Item(species) => {
            Wanted::Item(tiers.slots[slot].items.iter().position(|item| item == species).unwrap_or(0))
        }
    };
    let luck = if how.resets { state.lucks[slot] } else { Luck::default() };
    let lucks = Lucks::explore(&tiers.slots[slot], luck, wanted);
    let target = match wish {
        Wish::Tier(_) => Target::Tier { slot, or_higher: false },
        Wish::AtLeast(_) => Target::Tier { slot, or_higher: true },
        Wish::Featured(_) | Wish::Item(_) => Target::Lucky { slot, lucks: &lucks },
    };
    let scope = Scope::until(tiers, how, target)?;
    let graph = Graph::explore(&scope, scope.start(tiers, state));
    let has_end = (0..graph.len()).any(|state| graph.ways(state).iter().any(|(to, _)| *to == END));
    if !has_end {
        return Err(OddsFault::NoSuchItem);
    }
    let worst = longest(&graph);
    Walk::new(&graph).run(scope.rest(), worst)
}

/// The longest walk to the end, in pulls; none when there is a circle.
fn longest(graph: &Graph) -> Option<u64> {
    let states = graph.len();
    let inside = |to: u32| usize::try_from(to).ok().filter(|to| *to < states);
    let mut incoming = vec![0_u32; states];
    for state in 0..states {
        for to in graph.ways(state).iter().filter_map(|(to, _)| inside(*to)) {
            incoming[to] = incoming[to].saturating_add(1);
        }
    }
    // The first state is where every walk begins: without a circle nothing leads back to it.
    let mut ready: Vec<usize> = (0..states).filter(|state| incoming[*state] == 0).collect();
    let mut pulls = vec![1_u64; states];
    let mut passed = 0_usize;
    while let Some(state) = ready.pop() {
        passed = passed.saturating_add(1);
        for to in graph.ways(state).iter().filter_map(|(to, _)| inside(*to)) {
            pulls[to] = pulls[to].max(pulls[state].saturating_add(1));
            incoming[to] = incoming[to].saturating_sub(1);
            if incoming[to] == 0 {
                ready.push(to);
            }
        }
    }
    (passed == states).then(|| pulls.into_iter().max().unwrap_or(1))
}

struct Walk<'a> {
    graph: &'a Graph,
    /// Where the player can be, and how likely that is without a hit so far.
    masses: Vec<Q63>,
    next: Vec<Q63>,
    active: Vec<usize>,
    left: Q63,
    work: usize,
}

/// The quantiles that are told, as what is left when they are reached.
const QUANTILES: [Q63; 3] = [Q63_ONE / 2, Q63_ONE / 10, Q63_ONE / 100];

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut masses = vec![0; graph.len()];
        masses[0] = Q63_ONE;
        Self { graph, masses, next: vec![0; graph.len()], active: vec![0], left: Q63_ONE, work: 0 }
    }

    fn run(mut self, rest: usize, worst: Option<u64>) -> Result<Until, OddsFault> {
        let (mut sum, mut curve, mut quantiles) = (0_u128, Vec::new(), [None; 3]);
        let (mut hazard, mut steady, mut pulls) = (0_u64, 0_usize, 0_u64);
        while self.left > 0 {
            sum = sum.saturating_add(u128::from(self.left));
            let before = self.left;
            self.step();
            pulls = pulls.saturating_add(1);
            note(&mut quantiles, self.left, pulls);
            if curve.len() < CURVE_MAX {
                curve.push(told(u128::from(Q63_ONE.saturating_sub(self.left))));
            }
            let now = ratio(before.saturating_sub(self.left), before);
            let is_same = now > 0 && now.abs_diff(hazard) <= (now >> 36).max(1);
            (hazard, steady) = (now, if is_same { steady.saturating_add(1) } else { 0 });
            let is_past = usize::try_from(pulls).is_ok_and(|pulls| pulls > rest) && steady >= STEADY;
            // What is left then is no more than rounding holds back.
            let held_back = u64::try_from(self.active.len()).unwrap_or(u64::MAX).saturating_mul(1 << 7).max(1 << 10);
            let is_gone = self.left < held_back && quantiles.iter().all(Option::is_some);
            if (is_past && curve.len() >= CURVE_MAX.min(rest)) || is_gone {
                break;
            }
            if self.work > WORK_MAX {
                return Err(OddsFault::Unsettled { states: self.graph.len() });
            }
        }
        if self.left > 0 && hazard > 0 {
            // From here on every pull hits with the same chance: the rest is a geometric series.
            let tail = u128::from(self.left).saturating_mul(u128::from(Q63_ONE)).checked_div(u128::from(hazard));
            sum = sum.saturating_add(tail.unwrap_or(0));
            for (reached, until) in quantiles.iter_mut().zip(QUANTILES) {
                reached.get_or_insert_with(|| pulls.saturating_add(steps(self.left, hazard, until)));
            }
        }
        let [p50, p90, p99] = quantiles.map(|reached| reached.unwrap_or(pulls));
        Ok(Until { mean: told(sum), p50, p90, p99, worst, curve })
    }

    fn step(&mut self) {
        let mut found = Vec::with_capacity(self.active.len().saturating_add(1));
        for state in std::mem::take(&mut self.active) {
            let mass = std::mem::take(&mut self.masses[state]);
            let ways = self.graph.ways(state);
            self.work = self.work.wrapping_add(ways.len());
            let Some(((last, _), others)) = ways.split_last() else { continue };
            let mut rest = mass;
            let mut give = |to: u32, mass: Q63| match usize::try_from(to).ok().filter(|_| to != END && mass > 0) {
                Some(to) => {
                    if self.next[to] == 0 {
                        found.push(to);
                    }
                    self.next[to] = self.next[to].wrapping_add(mass);
                }
                None if mass > 0 => self.left = self.left.saturating_sub(mass),
                None => {}
            };
            for (to, chance) in others {
                let moved = part(mass, *chance);
                rest = rest.wrapping_sub(moved);
                give(*to, moved);
            }
            give(*last, rest);
        }
        self.active = found;
        std::mem::swap(&mut self.masses, &mut self.next);
    }
}

fn note(quantiles: &mut [Option<u64>; 3], left: Q63, pulls: u64) {
    for (reached, until) in quantiles.iter_mut().zip(QUANTILES) {
        if left <= until {
            reached.get_or_insert(pulls);
        }
    }
}

fn ratio(over: Q63, under: Q63) -> Q63 {
    let scaled = u128::from(over).saturating_mul(u128::from(Q63_ONE));
    scaled.checked_div(u128::from(under)).and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(0)
}

/// How many pulls with the chance `hazard` bring `left` down to `until`.
fn steps(left: Q63, hazard: Q63, until: Q63) -> u64 {
    // powers[i] is what 2^i pulls leave of one.
    let mut powers = vec![Q63_ONE.saturating_sub(hazard)];
    while let Some(power) = powers.last().copied().filter(|power| part(left, *power) > until && powers.len() < 63) {
        powers.push(part(power, power));
    }
    let (mut pulls, mut left) = (0_u64, left);
    for (bit, power) in powers.iter().enumerate().rev() {
        let after = part(left, *power);
        if after > until {
            left = after;
            pulls |= 1 << bit;
        }
    }
    pulls.saturating_add(1)
}

/// How many pulls it takes until one of `hits` among the items that are left in a box; none where it can end before.
pub(super) fn until_in_box(loot: &BoxLoot, left: &[u32], hits: &[usize]) -> Option<Until> {
    let count = |items: &mut dyn Iterator<Item = u64>| items.fold(0_u64, u64::saturating_add);
    let total = count(&mut left.iter().map(|left| u64::from(*left)));
    let good = count(&mut hits.iter().filter_map(|hit| left.get(*hit)).map(|left| u64::from(*left)));
    let ends_early = matches!(loot.renews, Renews::Without(item) if !hits.contains(&item));
    if good == 0 || ends_early {
        return None;
    }
    let (mut remaining, mut sum, mut curve, mut quantiles) = (Q63_ONE, 0_u128, Vec::new(), [None; 3]);
    let worst = total.saturating_sub(good).saturating_add(1);
    for pull in 1..=worst {
        sum = sum.saturating_add(u128::from(remaining));
        let bad = total.saturating_sub(good).saturating_sub(pull.saturating_sub(1));
        let of = total.saturating_sub(pull.saturating_sub(1));
        let next = u128::from(remaining).saturating_mul(u128::from(bad)).checked_div(u128::from(of)).unwrap_or(0);
        remaining = u64::try_from(next).unwrap_or(0);
        note(&mut quantiles, remaining, pull);
        if curve.len() < CURVE_MAX {
            curve.push(told(u128::from(Q63_ONE.saturating_sub(remaining))));
        }
    }
    let [p50, p90, p99] = quantiles.map(|reached| reached.unwrap_or(worst));
    Some(Until { mean: told(sum), p50, p90, p99, worst: Some(worst), curve })
}
