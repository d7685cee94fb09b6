//! What the collection decides. Pure: no async, no IO, no clock, no randomness.
//!
//! A batch is decided against a [`Book`], which holds what the store loaded under the players' locks; [`decide`] answers one request and
//! changes the book, [`work`] does so with what the collection coordinates; what is to be written is the book's [`Journal`].

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod ask;
mod book;
mod catalog;
mod change;
mod decide;
mod esprit;
mod keyed;
mod keys;
mod news;
mod operate;
mod operation;
mod optimize;
mod part;
mod refusal;
mod stats;
mod synergy;
mod view;

pub use ask::{Action, Ask, Cancel, Commit, Prepare};
pub use book::{Book, EspritRow, Journal, Opened, PartRow, PieceRow, Player, Rules, StateTag};
pub use catalog::{Catalog, Class, EquipmentKind, Growth, Rarity, Settings, Species, Units, UpgradeCost};
pub use change::{Change, Changed, Keyed, KeyedOutcome, PIECES_MAX, Piece, Record, Rejection, TEAM, Team};
pub use decide::{Verdict, decide};
pub use esprit::Esprit;
pub use keys::BatchKeys;
pub use news::News;
pub use operate::{Begin, Decide, Done, Stop, Work, refund_of, work};
pub use operation::{DISSOLVE_MAX, Deed, Denial, Effect, Kind, Plan, Preview, Request, Seen};
pub use optimize::{BestTeam, Candidate, NODES_MAX, TEAM_SIZE_MAX, optimize};
pub use part::{GRANT_MAX, Grant, Granted, Intent, Outcome, Part, state_of, word_of};
pub use refusal::{BadField, Refusal};
pub use stats::{Sheet, Stat, Stats, calculate_power, calculate_stat, sheet};
pub use synergy::{Condition, Synergy, SynergyLine, TeamPower, Traits, team_power};
pub use view::{Filter, Listed, Order, Portrait, Position, Profile, Query, View};
