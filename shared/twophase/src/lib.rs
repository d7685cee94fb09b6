//! Two-phase operations over services: paid if and only if delivered.

mod participant;

pub use participant::{Participation, Reaction, Verb};
