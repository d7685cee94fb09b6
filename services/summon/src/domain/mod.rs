//! What a summon decides. Pure: no async, no IO, no clock, no randomness of its own.
//!
//! A [`Banner`] says what can be drawn and how; a [`Pity`] is how far a player has come; [`pulls`] draws from both and a source of
//! [`Draws`]. The odds that players are told are computed from the same schemes that draw.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod banner;
mod begin;
mod book;
mod change;
mod decide;
mod deed;
mod draws;
mod fair;
mod loot;
mod news;
pub mod odds;
mod operation;
mod period;
pub mod pity;
mod ppb;
mod prove;
mod pull;
mod receipt;
mod report;
pub mod selection;
mod simulate;
mod state;
mod tally;
mod uses;

pub use banner::{Banner, Banners, Closed, CostOption, Limit, Payment};
pub use book::{BatchKeys, Book, EndedSeeds, Journal, LoggedPull, Opened, PityRow, Player, Seeds, UseKey, UseRow};
pub use change::{Answer, Change, Keyed, Record, ShownEnd, ShownSeeds, Told};
pub use decide::{Begin, Catalogs, Decide, Verdict, Work, decide, touch};
pub use draws::{Draws, Words};
pub use fair::{ClientSeed, Commitment, FairDraws, NoClientSeed, ServerSeed};
pub use loot::{BoxItem, BoxLoot, Loot, Promise, Renews, Slot, TIERS_MAX, Tiers, Track};
pub use news::News;
pub use operation::{
    Ask, BadField, EXCHANGE_SPARK, Outcome, Plan, Price, Pull, Refusal, SUMMON, Unstored, Wanted, esprit_of,
};
pub use period::{Every, Period, PeriodId};
pub use pity::{Pity, PityGroup};
pub use ppb::Ppb;
pub use prove::{Evidence, Proved, Unproved};
pub use pull::{Drawn, Play, Pulled, pull, pulls};
pub use receipt::{Circumstances, Receipt, ReceiptFault, Step, What};
pub use report::{Report, Wait};
pub use simulate::{SeededWords, Simulation};
pub use state::{How, State};
pub use tally::{ItemTally, Tally, TierTally};
pub use uses::{free_use, limit_use};
