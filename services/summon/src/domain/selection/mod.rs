//! How one item of a tier is chosen once the tier was drawn.

mod featured;
mod path;
mod weighted;

pub use featured::Featured;
pub use path::Path;
pub use weighted::{Weighted, Weights};

use super::ppb::Ppb;

/// What a player's earlier hits of one tier mean for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Luck {
    /// Hits in a row that were not featured.
    pub losses: u16,
    /// Hits since the path began that were not its target.
    pub points: u16,
    /// The place of what the player's path leads to.
    pub target: Option<u16>,
}

/// How the next item of a tier is chosen. Drawing and the odds both ask this and nothing else.
///
/// An item is named by its place among the tier's items. It is the [`certain`](Self::certain) one; else a coin decides whether it is
/// featured, where there is one; then the weights of that side decide.
pub trait Selection {
    /// The item that needs no draw.
    fn certain(&self, luck: Luck) -> Option<usize>;

    /// The chance that it is featured; none where nothing is.
    fn featured(&self, luck: Luck) -> Option<Ppb>;

    /// The items of one side, or of the only side there is.
    fn side(&self, featured: bool) -> &Weights;

    /// Whether the item at `place` is featured; none where nothing is.
    fn is_featured(&self, place: usize) -> Option<bool>;

    /// What the item at `place` means for the next hit.
    fn after(&self, luck: Luck, place: usize) -> Luck;
}

/// One of the ways to choose.
#[derive(Clone, Debug)]
pub enum Choice {
    /// By weight alone.
    Weighted(Weighted),
    /// Featured items have a share of their own.
    Featured(Featured),
    /// The same, and misses lead to one of them.
    Path(Path),
}

impl Choice {
    /// Whether a player can name an item that misses lead to.
    #[must_use]
    pub const fn has_path(&self) -> bool {
        matches!(self, Self::Path(_))
    }

    /// The scheme itself.
    #[must_use]
    pub fn scheme(&self) -> &dyn Selection {
        match self {
            Self::Weighted(scheme) => scheme,
            Self::Featured(scheme) => scheme,
            Self::Path(scheme) => scheme,
        }
    }
}
