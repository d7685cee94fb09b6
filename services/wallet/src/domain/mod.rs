//! What the wallet decides. Pure: no async, no IO, no clock, no randomness.
//!
//! A batch is decided against a [`Book`], which holds what the store loaded under the players' locks; [`decide`] answers one mutation and
//! changes the book; what is to be written is the book's [`Journal`].

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod asset;
mod balance;
mod book;
mod canon;
mod decide;
mod entry;
mod mutation;
mod posting;
mod rejection;

pub use asset::{Asset, AssetKind, Assets};
pub use balance::{Balance, BalanceKey, Change};
pub use book::{BatchKeys, Book, Journal, Opened, Player, Record, Row, Rules};
pub use decide::{Verdict, decide};
pub use entry::{Entry, Head, Movement, MovementKind, Seal};
pub use mutation::{Action, Fingerprint, Method, Mutation, MutationKey};
pub use posting::{AtMaximum, Context, Direction, LEGS_MAX, Leg, Post};
pub use rejection::{BadField, BoundFault, Outcome, Posted, Rejection, Unstored};
