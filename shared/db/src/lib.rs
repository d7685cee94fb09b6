//! Connecting to PostgreSQL and SQLite, migrating them, and sorting their errors.
//!
//! What is stored, and how, is each service's own `store/`.

mod connect;
mod error;
mod migrate;
mod time;

pub use connect::{Database, PostgresSettings, SqliteDatabase};
pub use error::{Contention, StoreError};
pub use migrate::{Migrated, migrate, pending};
pub use time::DbTime;
