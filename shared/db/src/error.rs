//! What a store's failure means for whoever asked.

use thiserror::Error;

/// The code that `expect_rows` raises in PostgreSQL when rows were not as they were loaded.
pub const STALE: &str = "AU001";

/// The machinery failed. What a rule refuses is never one of these.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database gave way to another transaction; nothing was written. Run it again.
    #[error("another transaction was in the way ({0})")]
    Contended(Contention, #[source] sqlx::Error),

    /// No connection could be had, or the transaction was never begun; nothing was written. Run it later.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

    /// The connection broke on the way: whether it was committed is unknown. Look it up by its key.
    #[error("the connection to the database was lost")]
    Lost(#[source] sqlx::Error),

    /// The database refused the statement itself; nothing was written. Running it again would not help.
    #[error("the database refused a statement")]
    Fault(#[source] sqlx::Error),

    /// What was read breaks an invariant of the store: someone else's hand was in it.
    #[error("the store holds what it cannot hold: {0}")]
    Corrupt(String),
}

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contention {
    /// PostgreSQL could not put the transactions in an order: 40001.
    Serialization,
    /// PostgreSQL broke a deadlock: 40P01.
    Deadlock,
    /// Another copy inserted the same key first: 23505, or SQLite's equal.
    Duplicate,
    /// A lock was not granted in time: 55P03, or SQLite's busy.
    LockTimeout,
    /// A row was not as it was loaded.
    Version,
}

impl StoreError {
    /// A row that another transaction has changed since it was loaded.
    #[must_use]
    pub fn version(expected_rows: usize, written_rows: u64) -> Self {
        let message = format!("{written_rows} of {expected_rows} rows were as loaded");
        Self::Contended(Contention::Version, sqlx::Error::Protocol(message))
    }

    /// Whether it may be committed all the same.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl Contention {
    /// Names it, for lines and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serialization => "serialization",
            Self::Deadlock => "deadlock",
            Self::Duplicate => "duplicate",
            Self::LockTimeout => "lock_timeout",
            Self::Version => "version",
        }
    }
}

impl std::fmt::Display for Contention {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some(code) => Self::from_code(code.to_owned().as_str(), error),
                None => Self::Fault(error),
            },
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Unavailable(error),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                Self::Lost(error)
            }
            _ => Self::Fault(error),
        }
    }
}

impl StoreError {
    /// Sorts by SQLSTATE (PostgreSQL, five characters) or result code (SQLite, a decimal number, extended).
    fn from_code(code: &str, error: sqlx::Error) -> Self {
        let contended = match code {
            "40001" => Some(Contention::Serialization),
            "40P01" => Some(Contention::Deadlock),
            // unique_violation; SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE
            "23505" | "1555" | "2067" => Some(Contention::Duplicate),
            STALE => Some(Contention::Version),
            // lock_not_available; SQLITE_BUSY and its kinds
            "55P03" | "5" | "261" | "517" | "773" => Some(Contention::LockTimeout),
            _ => None,
        };
        if let Some(contention) = contended {
            return Self::Contended(contention, error);
        }
        match code {
            // idle_in_transaction_session_timeout and admin_shutdown: the server ended the connection, and the transaction with it.
            "25P03" | "57P01" | "57P02" | "57P05" => Self::Lost(error),
            // cannot_connect_now, too_many_connections; a read-only replica after a failover
            "57P03" | "53300" | "25006" => Self::Unavailable(error),
            _ => Self::Fault(error),
        }
    }
}
