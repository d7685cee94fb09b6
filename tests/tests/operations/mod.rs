//! What the tests of all operations over services share: what breaks in them, and where they run.

pub mod faults;
pub mod services;
