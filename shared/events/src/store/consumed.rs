//! The cursors of a consumer, in its own database: a table `consumed_events`, the same in each consumer.
//!
//! ```sql
//! CREATE TABLE consumed_events (
//!     source     text        NOT NULL,
//!     cursor     text        NOT NULL,
//!     updated_at timestamptz NOT NULL,   -- INTEGER in SQLite
//!     PRIMARY KEY (source)
//! );
//! ```

use auric_db::{Database, Statement, StoreError, Traced as _};
use auric_time::Timestamp;
use sqlx::{Postgres, Sqlite, Transaction};

/// Reads the cursor of `source`; empty when nothing of it was taken yet.
///
/// # Errors
///
/// [`StoreError`].
pub async fn cursor(database: &Database, source: &str) -> Result<String, StoreError> {
    let found: Option<String> = match database {
        Database::Postgres(pool) => {
            sqlx::query_scalar("SELECT cursor FROM consumed_events WHERE source = $1")
                .bind(source)
                .fetch_optional(pool)
                .traced(Statement::postgres("SELECT consumed_events"))
                .await?
        }
        Database::Sqlite(sqlite) => {
            sqlx::query_scalar("SELECT cursor FROM consumed_events WHERE source = ?1")
                .bind(source)
                .fetch_optional(&sqlite.readers)
                .traced(Statement::sqlite("SELECT consumed_events"))
                .await?
        }
    };
    Ok(found.unwrap_or_default())
}

/// Moves the cursor of `source` in the transaction that acts on what is between. First in it: it holds up every other copy.
///
/// # Errors
///
/// [`StoreError::Contended`] when the cursor is not at `from`: what is between was acted on.
pub async fn advance_postgres(
    transaction: &mut Transaction<'static, Postgres>,
    source: &str,
    (from, to): (&str, &str),
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "INSERT INTO consumed_events AS stored (source, cursor, updated_at)
         SELECT $1, $3, clock_timestamp()
         WHERE $2 = '' OR EXISTS (SELECT 1 FROM consumed_events WHERE source = $1)
         ON CONFLICT (source) DO UPDATE
         SET cursor = excluded.cursor,
             updated_at = excluded.updated_at
         WHERE stored.cursor = $2",
    )
    .bind(source)
    .bind(from)
    .bind(to)
    .execute(&mut **transaction)
    .traced(Statement::postgres("INSERT consumed_events"))
    .await?;
    expect_one(moved.rows_affected())
}

/// As [`advance_postgres`], in a SQLite file.
///
/// # Errors
///
/// [`StoreError::Contended`] when the cursor is not at `from`: what is between was acted on.
pub async fn advance_sqlite(
    transaction: &mut Transaction<'static, Sqlite>,
    source: &str,
    (from, to): (&str, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "INSERT INTO consumed_events (source, cursor, updated_at)
         SELECT ?1, ?3, ?4
         WHERE ?2 = '' OR EXISTS (SELECT 1 FROM consumed_events WHERE source = ?1)
         ON CONFLICT (source) DO UPDATE
         SET cursor = excluded.cursor,
             updated_at = excluded.updated_at
         WHERE cursor = ?2",
    )
    .bind(source)
    .bind(from)
    .bind(to)
    .bind(now.micros())
    .execute(&mut **transaction)
    .traced(Statement::sqlite("INSERT consumed_events"))
    .await?;
    expect_one(moved.rows_affected())
}

fn expect_one(written: u64) -> Result<(), StoreError> {
    if written == 1 { Ok(()) } else { Err(StoreError::version(1, written)) }
}
