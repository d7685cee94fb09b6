//! How often each state is visited in the long run.

use super::OddsFault;
use super::decimal::{Q63, Q63_ONE, part};
use super::graph::Graph;

/// The most edges that are followed before it is given up.
const WORK_MAX: usize = 1 << 30;

/// The first sweeps change much, whatever comes later.
const FIRST_SWEEPS: usize = 2;

/// After so many sweeps a chain that has not settled is taken for one that goes in circles.
const PLAIN_SWEEPS: usize = 60;

/// What two sweeps may still differ by, in parts of 2^-43 of all visits: 10^-13.
const STILL_BITS: u32 = 43;

/// Finds how often each state of `graph` is visited, in proportion, by a walk without end from its first state.
///
/// One unit of mass is carried along the states in their order, again and again, until a sweep visits them as the one before did: what
/// flows into a state is then what flows out. Rounding moves less than 2^-63 along each edge.
///
/// What still changes may change to and fro: then a mean of two sweeps, weighted by how much it shrinks, is far closer than either. Every
/// third sweep is followed by such a mean, and every one in a walk that goes in circles; it never leads away.
///
/// # Errors
///
/// [`OddsFault::Unsettled`] when that takes too long.
pub(super) fn settle(graph: &Graph) -> Result<Vec<Q63>, OddsFault> {
    let states = graph.len();
    let mut waiting = vec![0_u64; states];
    let mut visits = vec![0_u64; states];
    if let Some(first) = waiting.first_mut() {
        *first = Q63_ONE;
    }
    let rounding = u128::try_from(states).unwrap_or(u128::MAX).saturating_mul(2);
    let mut before = u128::MAX;
    let sweeps_max = WORK_MAX.checked_div(graph.edges()).unwrap_or(1);
    let mut kept = Vec::new();
    for sweep in 0..sweeps_max {
        let is_mixed = sweep > PLAIN_SWEEPS || (sweep >= FIRST_SWEEPS && sweep.is_multiple_of(3));
        if is_mixed {
            kept.clone_from(&waiting);
        }
        let (change, visited) = carry(graph, &mut waiting, &mut visits);
        let still = (visited >> STILL_BITS).max(rounding);
        if is_mixed {
            mix(&mut waiting, &kept, change, before);
        }
        // What is left to come, if each sweep changes as much less as this one did.
        let shrunk = before.saturating_sub(change);
        let to_come = change.saturating_mul(change).checked_div(shrunk).unwrap_or(u128::MAX);
        if change == 0 || (change <= still && to_come <= still) {
            return Ok(visits);
        }
        before = change;
    }
    Err(OddsFault::Unsettled { states })
}

/// Mixes what waits now with what waited before the sweep, so that what changes to and fro by `change` after `before` is gone.
fn mix(waiting: &mut [Q63], kept: &[Q63], change: u128, before: u128) {
    // Of a change that shrinks by r and turns around, 1 / (1 + r) is what waits now; at least one half.
    let (over, under) = (before >> 40, (before >> 40).saturating_add(change >> 40));
    let weight = over.saturating_mul(u128::from(Q63_ONE)).checked_div(under);
    let weight = weight.and_then(|weight| u64::try_from(weight).ok()).unwrap_or(0).max(Q63_ONE / 2);
    for (mass, kept) in waiting.iter_mut().zip(kept) {
        *mass = if *mass > *kept {
            kept.wrapping_add(part(mass.wrapping_sub(*kept), weight))
        } else {
            kept.wrapping_sub(part(kept.wrapping_sub(*mass), weight))
        };
    }
}

/// Carries the masses once along all states, and gives by how much the visits differ from the last time, and how many there were.
fn carry(graph: &Graph, waiting: &mut [Q63], visits: &mut [Q63]) -> (u128, u128) {
    let (mut change, mut all) = (0_u128, 0_u128);
    for state in 0..waiting.len() {
        let mass = std::mem::take(&mut waiting[state]);
        let visited = std::mem::replace(&mut visits[state], mass);
        change = change.wrapping_add(u128::from(mass.abs_diff(visited)));
        all = all.wrapping_add(u128::from(mass));
        if mass == 0 {
            continue;
        }
        let Some(((last, _), others)) = graph.ways(state).split_last() else { continue };
        let mut left = mass;
        for (to, chance) in others {
            let moved = part(mass, *chance);
            left = left.wrapping_sub(moved);
            add(waiting, *to, moved);
        }
        add(waiting, *last, left);
    }
    (change, all)
}

fn add(waiting: &mut [Q63], to: u32, mass: Q63) {
    if let Some(there) = usize::try_from(to).ok().and_then(|to| waiting.get_mut(to)) {
        *there = there.wrapping_add(mass);
    }
}
