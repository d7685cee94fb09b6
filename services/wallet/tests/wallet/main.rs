//! The wallet's laws, on both stores.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod asks;
mod faulty;
mod harness;
mod laws;
mod memory;
mod model;
