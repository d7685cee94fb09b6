//! Keys that this copy met lately: one that it did not is taken for new, and is not looked up.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::domain::MutationKey;

/// Keys of one generation, in half a megabyte: some seconds at ten thousand mutations a second, minutes at a hundred.
const GENERATION: usize = 32_768;

/// The last one or two generations of keys, by their hashes. Two keys of one hash cost a look and no more.
#[derive(Debug, Default)]
pub struct Used {
    hasher: RandomState,
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Used {
    /// Notes that `key` may be in the store from now on.
    pub fn note(&mut self, key: &MutationKey) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hasher.hash_one(key));
    }

    /// Whether `key` was noted lately.
    pub fn has(&self, key: &MutationKey) -> bool {
        let hash = self.hasher.hash_one(key);
        self.young.contains(&hash) || self.old.contains(&hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> MutationKey {
        MutationKey { caller: "summon".parse().unwrap(), key: format!("k{number}").parse().unwrap() }
    }

    #[test]
    fn a_generation_at_least_is_remembered_and_two_at_most() {
        let mut used = Used::default();
        assert!(!used.has(&key(0)));
        for number in 0..GENERATION * 5 / 2 {
            used.note(&key(number));
        }
        let last = GENERATION * 5 / 2;
        assert!((last - GENERATION..last).all(|number| used.has(&key(number))));
        assert!((0..GENERATION).all(|number| !used.has(&key(number))));
        assert!(used.young.len() + used.old.len() <= 2 * GENERATION);
    }
}
