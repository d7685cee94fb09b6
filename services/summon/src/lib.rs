//! Summons: banners, pity, odds and draws.
//!
//! What a player draws is decided by `domain` alone, from a catalog, the player's counters and a stream of random numbers.

pub mod catalog;
pub mod domain;
