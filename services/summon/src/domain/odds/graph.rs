//! States and the chances between them.

use super::decimal::{Q63, Q63_ONE};
use super::walk::{Scope, Way};

/// Where an edge leads that ends the walk.
pub(super) const END: u32 = u32::MAX;

/// States and the chances between them; of one state they are 2^63 together, the largest last.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The numbers of the states in their scope, in the order in which they were found.
    pub states: Vec<usize>,
    starts: Vec<usize>,
    edges: Vec<(u32, Q63)>,
}

impl Graph {
    /// Finds all that can follow the state with the number `start`.
    pub fn explore(scope: &Scope<'_>, start: usize) -> Self {
        let mut ids = vec![END; scope.states()];
        let mut graph = Self::default();
        ids[start] = 0;
        graph.states.push(start);
        let mut ways: Vec<(u32, Q63)> = Vec::new();
        let mut next = 0;
        while let Some(state) = graph.states.get(next).copied() {
            ways.clear();
            scope.ways(state, |way, chance| {
                let to = match way {
                    Way::End => END,
                    Way::To(to) => {
                        let id = &mut ids[to];
                        if *id == END {
                            *id = u32::try_from(graph.states.len()).unwrap_or(END);
                            graph.states.push(to);
                        }
                        *id
                    }
                };
                join(&mut ways, to, chance);
            });
            graph.put(&mut ways);
            next = next.wrapping_add(1);
        }
        graph
    }

    /// Adds a state's ways: the largest comes last, and takes what rounding left over.
    pub fn put(&mut self, ways: &mut [(u32, Q63)]) {
        if let Some(largest) = (0..ways.len()).max_by_key(|way| ways[*way].1) {
            let last = ways.len().saturating_sub(1);
            ways.swap(largest, last);
            let others = ways[..last].iter().fold(0_u64, |sum, (_, chance)| sum.wrapping_add(*chance));
            ways[last].1 = Q63_ONE.saturating_sub(others);
        }
        self.starts.push(self.edges.len());
        self.edges.extend_from_slice(ways);
    }

    /// How many states there are.
    pub const fn len(&self) -> usize {
        self.starts.len()
    }

    /// The ways out of a state.
    pub fn ways(&self, state: usize) -> &[(u32, Q63)] {
        let end = self.starts.get(state.saturating_add(1)).copied().unwrap_or(self.edges.len());
        &self.edges[self.starts[state]..end]
    }

    /// How many edges there are.
    pub const fn edges(&self) -> usize {
        self.edges.len()
    }
}

/// Adds a way, to one that leads to the same place if there is one.
pub(super) fn join(ways: &mut Vec<(u32, Q63)>, to: u32, chance: Q63) {
    match ways.iter_mut().find(|(other, _)| *other == to) {
        Some((_, sum)) => *sum = sum.wrapping_add(chance),
        None => ways.push((to, chance)),
    }
}
