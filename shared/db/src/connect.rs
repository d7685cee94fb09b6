//! Connections, and what every one of them is set to.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::StoreError;

/// How long a request waits for a connection before it is told that the database cannot be reached.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);

/// How long SQLite waits for another process to let go of the file.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// What every direct connection is set to; the migrations set the same for the database, for those that come through a pooler.
///
/// A copy that is frozen between its locks and its commit lets go of them by itself. And the planner is kept from what only looks cheap: every
/// statement names its rows by their keys, but a plan that was made while a table was small, and is kept, would scan the table for each batch.
const SESSION: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("statement_timeout", "10s"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// Connections that read beside SQLite's one writer.
const SQLITE_READERS_MAX: u32 = 4;

/// A connected database of either kind.
#[derive(Clone, Debug)]
pub enum Database {
    /// A server, shared by all copies of the service.
    Postgres(PgPool),
    /// A file, owned by this process.
    Sqlite(SqliteDatabase),
}

/// A SQLite file: many readers beside one writer.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    /// Exactly one connection: writers queue in the process, where waiting is fair and cheap.
    pub writer: SqlitePool,
    /// Connections that only read.
    pub readers: SqlitePool,
}

/// What can be set about a PostgreSQL pool.
#[derive(Clone, Copy, Debug)]
pub struct PostgresSettings {
    /// Connections at most.
    pub connections_max: u32,
    /// Whether statements are prepared once and named. Behind PgBouncer in transaction mode they must not be.
    pub named_statements: bool,
}

/// Pages that a connection keeps, in KiB (negative, as SQLite wants it). The default of 2 MiB reads the inner pages of every index again for each batch.
const SQLITE_CACHE: &str = "-32768";

/// Pages of the write-ahead log after which it is copied into the file: 32 MiB. Each copy waits for the disk twice.
const SQLITE_CHECKPOINT_PAGES: &str = "8192";

impl Default for PostgresSettings {
    fn default() -> Self {
        Self { connections_max: 16, named_statements: true }
    }
}

impl Database {
    /// Whether writers queue for one connection: a file has one, a server many.
    #[must_use]
    pub const fn has_one_writer(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Connects to `postgres://…` or `sqlite://PATH`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Fault`] when the URL is not one.
    pub async fn connect(url: &str, settings: PostgresSettings) -> Result<Self, StoreError> {
        match url.strip_prefix("sqlite://") {
            Some(path) => Ok(Self::Sqlite(SqliteDatabase::open(Path::new(path)).await?)),
            None => Ok(Self::Postgres(postgres(url, settings).await?)),
        }
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(pool) => sqlx::query("SELECT 1").execute(pool).await.map(drop)?,
            Self::Sqlite(database) => sqlx::query("SELECT 1").execute(&database.readers).await.map(drop)?,
        }
        Ok(())
    }

    /// Waits until every connection is back, and closes them.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(database) => {
                database.readers.close().await;
                database.writer.close().await;
            }
        }
    }
}

async fn postgres(url: &str, settings: PostgresSettings) -> Result<PgPool, StoreError> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(StoreError::Fault)?
        .application_name("auric")
        .statement_cache_capacity(if settings.named_statements { 128 } else { 0 });
    if settings.named_statements {
        // A pooler in transaction mode refuses them at start-up.
        options = options.options(SESSION);
    }
    options = sqlx::ConnectOptions::disable_statement_logging(options);
    PgPoolOptions::new()
        .max_connections(settings.connections_max)
        .acquire_timeout(ACQUIRE_MAX)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(StoreError::Unavailable)
}

impl SqliteDatabase {
    /// Opens the file, and makes it when it is absent.
    ///
    /// Durable at every commit (`synchronous = FULL`), readers beside the writer (WAL), and `REPLACE` fires the triggers that guard
    /// the audit (`recursive_triggers`).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let path: PathBuf = path.to_owned();
        let mut options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_MAX)
            .foreign_keys(true)
            .pragma("recursive_triggers", "ON")
            .pragma("cache_size", SQLITE_CACHE)
            .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES)
            .statement_cache_capacity(128);
        options = sqlx::ConnectOptions::disable_statement_logging(options);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_MAX)
            // A file is there: to ask would be a message to its thread and back for each batch.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(StoreError::Unavailable)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(ACQUIRE_MAX)
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }
}
