//! The laws of the lanes, on a database in memory that fails by script. Time is the test's own and stands still while work is done.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod batching;
mod deadlines;
mod fake;
mod properties;
mod recovery;
mod shutdown;
