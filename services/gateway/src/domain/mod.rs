//! What is decided without looking at clock, disk or network: whether a signature is one, what an event means, what the wallet is told.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod decide;
mod meaning;
mod payment;
mod product;
mod signature;

pub use decide::{Decision, Ignored, Park, Parked, decide};
pub use meaning::{DisputeState, Item, Meaning, Share};
pub use payment::{Effect, Leg, Payment};
pub use product::{Kind, Product, Products};
pub use signature::{Claimed, Encoding, Forged, HmacScheme, SECRETS_MAX, Scheme, Secret, TOLERANCE_DEFAULT};
