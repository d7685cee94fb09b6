//! A database of its own for every test, on each store.
//!
//! A migrated template is made once per set of migrations and then cloned, which takes PostgreSQL some tens of
//! milliseconds. Without the servers of `cargo xtask test` each test process starts its own.

mod postgres;
mod sqlite;

pub use postgres::PostgresDatabase;
pub use sqlite::SqliteDatabase;

use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::config;
use crate::servers::{Postgres, PostgresSettings, Redis};

// A static is never dropped: its keeper stops the server when this process ends.
static OWN_POSTGRES: OnceLock<Result<Postgres, String>> = OnceLock::new();
static OWN_REDIS: OnceLock<Result<Redis, String>> = OnceLock::new();

/// Gives the administrator's URL of the PostgreSQL for tests: the one that is running for them, else one of this process.
///
/// # Errors
///
/// PostgreSQL is not installed; the message has the line that installs it.
pub async fn postgres_admin_url() -> Result<String> {
    if let Some(url) = config::server_url(config::POSTGRES_URL) {
        return Ok(url);
    }
    let url = || start_once(&OWN_POSTGRES, || Postgres::start(PostgresSettings::fast())).map(Postgres::url);
    tokio::task::spawn_blocking(url).await?
}

/// Gives the URL of the Redis for tests: the one that is running for them, else one of this process.
///
/// # Errors
///
/// Redis is not installed; the message has the line that installs it.
pub async fn redis_url() -> Result<String> {
    if let Some(url) = config::server_url(config::REDIS_URL) {
        return Ok(url);
    }
    tokio::task::spawn_blocking(|| start_once(&OWN_REDIS, Redis::start).map(Redis::url)).await?
}

fn start_once<S>(cell: &'static OnceLock<Result<S, String>>, start: impl FnOnce() -> Result<S>) -> Result<&'static S> {
    let started = cell.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|message| anyhow!(message.clone()))
}
