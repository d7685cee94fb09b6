//! Items with weights.

use std::num::{NonZeroU32, NonZeroU64};

use super::{Luck, Ppb, Selection};

/// A run of items, each with a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The place of the first among the tier's items.
    first: usize,
    /// For each item the sum of the weights up to and including its own: ascending, never empty.
    sums: Vec<u64>,
    total: NonZeroU64,
}

/// Items by weight alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// All of them.
    pub items: Weights,
}

impl Weights {
    /// Takes the weights of the items from place `first` on; none when there are none.
    #[must_use]
    pub fn new(first: usize, weights: &[NonZeroU32]) -> Option<Self> {
        let mut sum: u64 = 0;
        let sums: Vec<u64> = weights
            .iter()
            .map(|weight| {
                sum = sum.saturating_add(u64::from(weight.get()));
                sum
            })
            .collect();
        Some(Self { first, sums, total: NonZeroU64::new(sum)? })
    }

    /// All weights together: the bound of the draw.
    #[must_use]
    pub const fn total(&self) -> NonZeroU64 {
        self.total
    }

    /// The place of the item that `drawn` falls on.
    #[must_use]
    pub fn place_of(&self, drawn: u64) -> usize {
        let before = self.sums.partition_point(|sum| *sum <= drawn);
        self.first.saturating_add(before.min(self.sums.len().saturating_sub(1)))
    }

    /// The places and weights, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let before = std::iter::once(&0).chain(&self.sums);
        let weights = self.sums.iter().zip(before).map(|(sum, before)| sum.saturating_sub(*before));
        weights.enumerate().map(|(place, weight)| (self.first.saturating_add(place), weight))
    }

    /// Whether `place` is among them.
    #[must_use]
    pub const fn has(&self, place: usize) -> bool {
        place >= self.first && place.saturating_sub(self.first) < self.sums.len()
    }
}

impl Selection for Weighted {
    fn certain(&self, _luck: Luck) -> Option<usize> {
        None
    }

    fn featured(&self, _luck: Luck) -> Option<Ppb> {
        None
    }

    fn side(&self, _featured: bool) -> &Weights {
        &self.items
    }

    fn is_featured(&self, _place: usize) -> Option<bool> {
        None
    }

    fn after(&self, luck: Luck, _place: usize) -> Luck {
        luck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_total_falls_on_the_item_whose_part_it_is_in() {
        let weights: Vec<NonZeroU32> = [2, 1, 3].map(|weight| NonZeroU32::new(weight).unwrap()).to_vec();
        let weights = Weights::new(4, &weights).unwrap();
        let places: Vec<usize> = (0..6).map(|drawn| weights.place_of(drawn)).collect();
        assert_eq!(places, [4, 4, 5, 6, 6, 6]);
        assert_eq!(weights.iter().collect::<Vec<_>>(), [(4, 2), (5, 1), (6, 3)]);
        assert_eq!([3, 4, 6, 7].map(|place| weights.has(place)), [false, true, true, false]);
    }
}
