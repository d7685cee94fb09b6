//! Throw-away servers and databases for the tests of every crate.
//!
//! [`servers`] starts private PostgreSQL and Redis processes that end with the process that started them, however it ends.
//! [`databases`] hands each test a database of its own. A test never shares rows with another one, and never touches a
//! server that was not started here. [`proxy`] breaks the connections of a test, and only those. [`cargo`] builds what a test needs beyond its own crate.

pub mod cargo;
pub mod config;
#[cfg(feature = "databases")]
pub mod databases;
#[cfg(feature = "proxy")]
pub mod proxy;
pub mod servers;

pub use config::{POSTGRES_URL, REDIS_URL};
