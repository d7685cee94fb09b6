//! A path: the player names a featured item, and after so many other hits it is the next.

use auric_ids::SpeciesId;

use super::{Featured, Luck, Ppb, Selection, Weights};

/// Featured items, one of which the player can make certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The items as they are without a path.
    pub featured: Featured,
    /// After how many hits that were not the target it is certain; at least 1.
    pub points: u16,
}

impl Path {
    /// What a path can lead to, out of all `items` of the tier.
    #[must_use]
    pub fn targets<'a>(&self, items: &'a [SpeciesId]) -> &'a [SpeciesId] {
        &items[..self.featured.featured.iter().count().min(items.len())]
    }
}

impl Selection for Path {
    fn certain(&self, luck: Luck) -> Option<usize> {
        luck.target.filter(|_| luck.points >= self.points).map(usize::from)
    }

    fn featured(&self, luck: Luck) -> Option<Ppb> {
        self.featured.featured(luck)
    }

    fn side(&self, featured: bool) -> &Weights {
        self.featured.side(featured)
    }

    fn is_featured(&self, place: usize) -> Option<bool> {
        self.featured.is_featured(place)
    }

    fn after(&self, luck: Luck, place: usize) -> Luck {
        let points = match luck.target {
            Some(target) if usize::from(target) != place => luck.points.saturating_add(1).min(self.points),
            _ => 0,
        };
        Luck { points, ..self.featured.after(luck, place) }
    }
}
