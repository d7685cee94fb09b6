//! Featured items: a share of the tier's hits, and certainty after so many losses in a row.

use super::{Luck, Ppb, Selection, Weights};

/// Featured items with a share of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Featured {
    /// The chance that a hit is featured.
    pub share: Ppb,
    /// After how many losses in a row the next hit is featured for certain; none: never.
    pub guarantee_after: Option<u16>,
    /// The featured items, which come first.
    pub featured: Weights,
    /// The others; none only where every hit is featured.
    pub others: Option<Weights>,
}

impl Selection for Featured {
    fn certain(&self, _luck: Luck) -> Option<usize> {
        None
    }

    fn featured(&self, luck: Luck) -> Option<Ppb> {
        let is_guaranteed = self.guarantee_after.is_some_and(|losses| luck.losses >= losses);
        Some(if is_guaranteed || self.others.is_none() { Ppb::ONE } else { self.share })
    }

    fn side(&self, featured: bool) -> &Weights {
        match &self.others {
            Some(others) if !featured => others,
            _ => &self.featured,
        }
    }

    fn is_featured(&self, place: usize) -> Option<bool> {
        Some(self.featured.has(place))
    }

    fn after(&self, luck: Luck, place: usize) -> Luck {
        let losses = if self.featured.has(place) {
            0
        } else {
            // Beyond the guarantee a loss makes no difference, and is not counted.
            luck.losses.saturating_add(1).min(self.guarantee_after.unwrap_or(0))
        };
        Luck { losses, ..luck }
    }
}
