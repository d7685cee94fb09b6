#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use auric_ids::{ClassId, ElementId};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::super::Condition;
use super::*;

struct World {
    elements: Vec<ElementId>,
    classes: Vec<ClassId>,
    synergies: BTreeMap<SynergyId, Synergy>,
}

impl World {
    fn new() -> Self {
        let elements: Vec<ElementId> = ["fire", "water", "wind", "light"].map(|id| id.parse().unwrap()).into();
        let classes: Vec<ClassId> = ["striker", "guardian", "support"].map(|id| id.parse().unwrap()).into();
        let synergy = |conditions, power_permille| Synergy { name: "S".to_owned(), conditions, power_permille };
        let of_class = |at: usize| Condition::Class(classes[at].clone(), 1);
        let of_element = |at: usize| Condition::Element(elements[at].clone(), 1);
        let synergies = [
            ("kindred", synergy(vec![Condition::SameElement(2)], 50)),
            ("one_element", synergy(vec![Condition::SameElement(3)], 180)),
            ("prism", synergy(vec![Condition::DistinctElements(3)], 120)),
            ("vanguard", synergy(vec![of_class(0), of_class(1), of_class(2)], 150)),
            ("twilight", synergy(vec![of_element(0), of_element(3)], 70)),
        ];
        let synergies = synergies.into_iter().map(|(id, synergy)| (id.parse().unwrap(), synergy)).collect();
        Self { elements, classes, synergies }
    }

    fn candidates<'a>(&'a self, ids: &'a [EspritId], spread: u64, rng: &mut SmallRng) -> Vec<Candidate<'a>> {
        let one = |id| {
            let element = &self.elements[rng.random_range(0..self.elements.len())];
            let class = &self.classes[rng.random_range(0..self.classes.len())];
            Candidate { id, traits: Traits { element, class }, power: 1_000 + rng.random_range(0..=spread) }
        };
        ids.iter().map(one).collect()
    }
}

fn ids(count: usize) -> Vec<EspritId> {
    (0..count).map(|number| format!("e{number}").parse().unwrap()).collect()
}

/// The best there is, by looking at every team.
fn brute_force(world: &World, candidates: &[Candidate<'_>], size: usize) -> u64 {
    let mut best = 0;
    let mut places: Vec<usize> = (0..size.min(candidates.len())).collect();
    loop {
        let team: Vec<_> = places.iter().map(|at| (candidates[*at].traits, candidates[*at].power)).collect();
        best = best.max(team_power(&world.synergies, &team).total);
        // The next combination in the order of places.
        let Some(turn) = (0..places.len()).rev().find(|at| places[*at] < candidates.len() - places.len() + at) else {
            return best;
        };
        places[turn] += 1;
        for at in turn + 1..places.len() {
            places[at] = places[at - 1] + 1;
        }
    }
}

#[test]
fn the_best_team_of_thirty_is_the_one_that_brute_force_finds() {
    // R-C3
    let world = World::new();
    let names = ids(30);
    for seed in 0..60 {
        let mut rng = SmallRng::seed_from_u64(seed);
        // From almost equal esprits, where synergies decide, to very different ones.
        let candidates = world.candidates(&names, [5, 200, 5_000][usize::try_from(seed % 3).unwrap()], &mut rng);
        for size in [1, 2, 3] {
            let best = optimize(&candidates, &world.synergies, size, NODES_MAX);
            assert_eq!(best.power.total, brute_force(&world, &candidates, size), "seed {seed}, {size} members");
            assert_eq!((best.members.len(), best.gap), (size, 0), "seed {seed}");
        }
    }
    for seed in 0..3 {
        let candidates = world.candidates(&names, 200, &mut SmallRng::seed_from_u64(seed));
        let best = optimize(&candidates, &world.synergies, TEAM_SIZE_MAX, NODES_MAX);
        let found = brute_force(&world, &candidates, TEAM_SIZE_MAX);
        assert!(best.power.total <= found && found <= best.power.total + best.gap, "seed {seed}");
        assert_eq!(best.gap, 0, "seed {seed}");
    }
}

#[test]
fn a_search_that_ends_early_says_how_much_better_a_team_can_be() {
    let world = World::new();
    let names = ids(30);
    for seed in 0..60 {
        let candidates = world.candidates(&names, 200, &mut SmallRng::seed_from_u64(seed));
        let truth = brute_force(&world, &candidates, 3);
        for nodes_max in [0, 1, 7, 50] {
            let best = optimize(&candidates, &world.synergies, 3, nodes_max);
            assert!(best.power.total <= truth, "seed {seed}, {nodes_max} nodes");
            assert!(truth <= best.power.total + best.gap, "seed {seed}, {nodes_max} nodes: {truth} is hidden");
        }
    }
}

#[test]
fn a_team_is_the_same_whatever_the_order_of_the_candidates() {
    let world = World::new();
    let names = ids(40);
    // Twins in strength: only the ids tell them apart.
    let mut candidates = world.candidates(&names, 1, &mut SmallRng::seed_from_u64(1));
    let first = optimize(&candidates, &world.synergies, 3, NODES_MAX);
    candidates.reverse();
    assert_eq!(optimize(&candidates, &world.synergies, 3, NODES_MAX), first);
}

#[test]
fn fewer_esprits_than_places_are_all_in_the_team() {
    let world = World::new();
    let names = ids(2);
    let candidates = world.candidates(&names, 10, &mut SmallRng::seed_from_u64(1));
    assert_eq!(optimize(&candidates, &world.synergies, 5, NODES_MAX).members.len(), 2);
    assert_eq!(optimize(&[], &world.synergies, 3, NODES_MAX), BestTeam::default());
}

#[test]
fn a_thousand_esprits_are_searched_to_the_end() {
    // Issue: 1,000 esprits at size 3 in less than 100 ms. A count of branches does not depend on the machine: each costs some microseconds.
    let world = World::new();
    let names = ids(1_000);
    for (seed, spread) in [(1, 5), (2, 200), (3, 5_000)] {
        let candidates = world.candidates(&names, spread, &mut SmallRng::seed_from_u64(seed));
        assert_eq!(optimize(&candidates, &world.synergies, 3, 10_000).gap, 0, "spread {spread}");
    }
}
