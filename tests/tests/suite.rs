//! One binary for the whole suite, so that it links once.

#![expect(clippy::expect_used, reason = "a helper of a test panics as the test itself would")]

mod client;
mod collection;
mod events;
mod examples;
mod gateway;
mod house;
mod operations;
mod readme;
mod scheduler;
mod summon;
mod wallet;
