//! Connecting to PostgreSQL and SQLite, migrating them, sorting their errors, and seeing what they do.
//!
//! What is stored, and how, is each service's own `store/`.

mod batches;
mod connect;
mod error;
mod migrate;
mod pool;
mod script;
mod statement;
mod time;
mod writes;

pub use batches::{BatchConnection, Batches};
pub use connect::{Database, PostgresSettings, SqliteDatabase};
pub use error::{Contention, STALE, StoreError};
pub use migrate::{Migrated, migrate, pending};
pub use pool::observe;
pub use script::Script;
pub use statement::{Statement, System, Traced, TracedStatement};
pub use time::DbTime;
pub use writes::{Columns, Writes, is_alike};
