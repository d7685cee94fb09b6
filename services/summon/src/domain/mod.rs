//! What a summon decides. Pure: no async, no IO, no clock, no randomness of its own.
//!
//! A [`Banner`] says what can be drawn and how; a [`Pity`] is how far a player has come; [`pulls`] draws from both and a source of
//! [`Draws`]. The odds that players are told are computed from the same schemes that draw.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod banner;
mod draws;
mod fair;
mod loot;
mod period;
pub mod pity;
mod ppb;
mod pull;
pub mod selection;
mod state;

pub use banner::{Banner, Banners, Closed, CostOption, Limit, Payment};
pub use draws::{Draws, Words};
pub use fair::{ClientSeed, Commitment, FairDraws, ServerSeed};
pub use loot::{BoxItem, BoxLoot, Loot, Promise, Renews, Slot, TIERS_MAX, Tiers, Track};
pub use period::{Every, Period, PeriodId};
pub use pity::{Pity, PityGroup};
pub use ppb::Ppb;
pub use pull::{Drawn, Play, Pulled, pull, pulls};
pub use state::{How, State};
