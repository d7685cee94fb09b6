//! The strongest team that can be made of a player's esprits.
//!
//! Synergies look only at element and class, and power is added up: of all esprits that share both, only the strongest few can be in the
//! best team. What is left is searched branch by branch, strongest first; a branch ends where even its most hopeful end is no better than
//! what was found. The search looks at a bounded number of branches: if it ends early, it says how much better a team could be at most.

use std::collections::BTreeMap;

use auric_ids::{EspritId, SynergyId};

use super::stats::permille_of;
use super::synergy::{Synergy, TeamPower, Traits, team_power};

/// Members that a team may have at most.
pub const TEAM_SIZE_MAX: usize = 5;

/// Branches that one search looks at.
pub const NODES_MAX: u64 = 200_000;

/// An esprit that could be in the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Which.
    pub id: &'a EspritId,
    /// What synergies look at.
    pub traits: Traits<'a>,
    /// How strong it is by itself.
    pub power: u64,
}

/// The best team that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BestTeam {
    /// Its members, the strongest first.
    pub members: Vec<EspritId>,
    /// What it is worth, and why.
    pub power: TeamPower,
    /// By how much another team may be better at most; 0 when none is.
    pub gap: u64,
}

/// Finds the strongest team of up to `size` of the candidates, looking at `nodes_max` branches at most.
///
/// # Shape
///
/// As many members as there are places and candidates: a member more is never worth less.
#[must_use]
pub fn optimize(
    candidates: &[Candidate<'_>],
    synergies: &BTreeMap<SynergyId, Synergy>,
    size: usize,
    nodes_max: u64,
) -> BestTeam {
    let pool = strongest_of_each_kind(candidates, size);
    let mut search = Search {
        size: size.min(pool.len()),
        pool,
        synergies,
        best: Vec::new(),
        best_total: 0,
        nodes: 0,
        nodes_max,
        open_total: 0,
    };
    search.climb();
    search.branch(&mut Vec::new(), 0);
    let members: Vec<&Candidate<'_>> = search.best.iter().filter_map(|at| search.pool.get(*at)).collect();
    let power = search.worth(&search.best);
    BestTeam {
        members: members.into_iter().map(|candidate| candidate.id.clone()).collect(),
        gap: search.open_total.saturating_sub(power.total),
        power,
    }
}

/// The candidates that can be in the best team, the strongest first; equally strong ones in the order of their ids.
fn strongest_of_each_kind<'a>(candidates: &[Candidate<'a>], size: usize) -> Vec<Candidate<'a>> {
    let mut sorted: Vec<Candidate<'a>> = candidates.to_vec();
    sorted.sort_by(|one, other| other.power.cmp(&one.power).then_with(|| one.id.cmp(other.id)));
    let mut taken: BTreeMap<Traits<'a>, usize> = BTreeMap::new();
    sorted.retain(|candidate| {
        let taken = taken.entry(candidate.traits).or_default();
        *taken = taken.saturating_add(1);
        *taken <= size
    });
    sorted
}

/// One search. A team is a list of places in the pool.
struct Search<'a> {
    size: usize,
    pool: Vec<Candidate<'a>>,
    synergies: &'a BTreeMap<SynergyId, Synergy>,
    best: Vec<usize>,
    best_total: u64,
    nodes: u64,
    nodes_max: u64,
    /// The most hopeful end of the branches that were not looked at.
    open_total: u64,
}

impl Search<'_> {
    fn worth(&self, team: &[usize]) -> TeamPower {
        let members: Vec<(Traits<'_>, u64)> =
            team.iter().filter_map(|at| self.pool.get(*at)).map(|one| (one.traits, one.power)).collect();
        team_power(self.synergies, &members)
    }

    /// Starts from the strongest, and changes one member at a time as long as that is better: a good team makes many branches end early.
    fn climb(&mut self) {
        let mut team: Vec<usize> = (0..self.size).collect();
        let mut total = self.worth(&team).total;
        loop {
            let mut better = None;
            for place in 0..team.len() {
                for at in 0..self.pool.len() {
                    if team.contains(&at) {
                        continue;
                    }
                    let mut other = team.clone();
                    if let Some(member) = other.get_mut(place) {
                        *member = at;
                    }
                    let found = self.worth(&other).total;
                    if found > total {
                        total = found;
                        better = Some(other);
                    }
                }
            }
            match better {
                Some(other) => team = other,
                None => break,
            }
        }
        team.sort_unstable();
        (self.best, self.best_total) = (team, total);
    }

    /// Looks at every team that begins with `team` and goes on with places from `from` on.
    fn branch(&mut self, team: &mut Vec<usize>, from: usize) {
        let missing = self.size.saturating_sub(team.len());
        if missing == 0 {
            let total = self.worth(team).total;
            if total > self.best_total {
                (self.best, self.best_total) = (team.clone(), total);
            }
            return;
        }
        for at in from..self.pool.len() {
            if self.pool.len().saturating_sub(at) < missing {
                return;
            }
            let hope = self.hope(team, at, missing);
            // The pool is sorted: what comes later hopes for no more.
            if hope <= self.best_total {
                return;
            }
            if self.nodes >= self.nodes_max {
                self.open_total = self.open_total.max(hope);
                return;
            }
            self.nodes = self.nodes.saturating_add(1);
            team.push(at);
            self.branch(team, at.saturating_add(1));
            team.pop();
        }
    }

    /// The most that a team can be worth which has `team` and `missing` more from the place `at` on.
    fn hope(&self, team: &[usize], at: usize, missing: usize) -> u64 {
        let power = |places: &mut dyn Iterator<Item = &Candidate<'_>>| -> u64 {
            places.map(|candidate| candidate.power).fold(0, u64::saturating_add)
        };
        let there = power(&mut team.iter().filter_map(|place| self.pool.get(*place)));
        let base = there.saturating_add(power(&mut self.pool.iter().skip(at).take(missing)));
        let traits: Vec<Traits<'_>> =
            team.iter().filter_map(|place| self.pool.get(*place)).map(|one| one.traits).collect();
        let possible = self.synergies.values().filter(|synergy| synergy.can_hold(&traits, missing));
        possible.map(|synergy| permille_of(base, synergy.power_permille)).fold(base, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
