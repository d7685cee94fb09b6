//! The odds that players are told, computed from the same schemes that draw: exact for the next pull, and in the long run.
//!
//! *Next*: the chance of every tier and item in one player's next pull, in integers. *Consolidated*: the shares of all pulls that tiers and
//! items have in the long run, pity included, for a player who pays with the same option and pulls from the same banner; the first pulls'
//! promise, which comes once, is no part of it. *Until*: how many pulls it takes to a hit, from a player's present counters.
//!
//! Long-run figures are computed in binary fixed point of 63 bits; every state's share is off by less than 2^-62 for each edge into it, and
//! the sums by less than 10^-12. Tests compare them with exact rational numbers.

mod consolidated;
mod decimal;
mod diff;
mod graph;
mod luck;
mod next;
mod settle;
mod until;
mod walk;

use thiserror::Error;

pub use consolidated::{Consolidated, ItemShare, TierShare, consolidated};
pub use decimal::Decimal;
pub use diff::{Difference, diff};
pub use next::{ItemOdds, Next, TierOdds, next};
pub use until::{CURVE_MAX, Until, Wish};
pub use walk::STATES_MAX;

use super::Play;
use super::banner::Banner;
use super::loot::{BoxItem, Loot};
use super::pity::Pity;
use super::state::How;

/// An exact chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chance {
    /// So many ways hit.
    pub over: u128,
    /// Of so many.
    pub under: u128,
}

/// Why odds cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OddsFault {
    /// More states than are followed.
    #[error("the pity has {states} states, {states_max} at most are followed")]
    TooDeep {
        /// How many it has.
        states: usize,
        /// How many are followed.
        states_max: usize,
    },
    /// The long run is too long.
    #[error("the odds over {states} states do not settle")]
    Unsettled {
        /// How many states there are.
        states: usize,
    },
    /// Nothing that the banner gives.
    #[error("is not among what can be drawn")]
    NoSuchItem,
}

/// How many pulls it takes a player with `pity` until a wish comes true; none for what a box can be renewed without.
///
/// # Errors
///
/// [`OddsFault`] when it is not among what the banner gives, or cannot be followed to the end.
pub fn until(banner: &Banner, how: How, pity: &Pity, wish: &Wish) -> Result<Option<Until>, OddsFault> {
    let play = Play::new(banner, how, pity);
    match &banner.loot {
        Loot::Tiers(tiers) => until::until(tiers, how, play.state(), wish).map(Some),
        Loot::Box(loot) => {
            let is_wished = |item: &BoxItem| match wish {
                Wish::Item(species) => item.species == *species,
                Wish::Tier(tier) => item.tier == *tier,
                Wish::AtLeast(_) | Wish::Featured(_) => false,
            };
            let hits: Vec<usize> = (0..loot.items.len()).filter(|item| is_wished(&loot.items[*item])).collect();
            if hits.is_empty() { Err(OddsFault::NoSuchItem) } else { Ok(until::until_in_box(loot, play.left(), &hits)) }
        }
    }
}
