//! Forward-only migrations, safe while an older version serves.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Acquire as _, Connection as _, Executor as _};

use crate::{Database, StoreError};

/// The most that a migration waits for a lock that a live statement holds: it fails rather than queue everyone behind itself.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '100ms'";

/// What a migration run did: the schema's number before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The newest migration that had been applied before; 0 for an empty database.
    pub from: i64,
    /// The newest migration that is applied now.
    pub to: i64,
}

/// Applies what `migrator` has and the database has not.
///
/// # Errors
///
/// [`StoreError::Unavailable`] when there is no connection; [`StoreError::Fault`] when a migration fails, or differs from the one applied.
pub async fn migrate(database: &Database, migrator: &Migrator) -> Result<Migrated, StoreError> {
    match database {
        Database::Postgres(pool) => {
            let mut connection = pool.acquire().await.map_err(StoreError::Unavailable)?.detach();
            connection.execute(LOCK_TIMEOUT).await?;
            let migrated = run(&mut connection, migrator).await;
            connection.close().await?;
            migrated
        }
        Database::Sqlite(sqlite) => {
            let mut pooled = sqlite.writer.acquire().await.map_err(StoreError::Unavailable)?;
            run(pooled.acquire().await?, migrator).await
        }
    }
}

/// The number of the newest migration of `migrator` that is not applied; `None` when all are.
///
/// # Errors
///
/// [`StoreError`] when the database cannot be asked.
pub async fn pending(database: &Database, migrator: &Migrator) -> Result<Option<i64>, StoreError> {
    let newest = match database {
        Database::Postgres(pool) => newest(&mut *pool.acquire().await.map_err(StoreError::Unavailable)?).await?,
        Database::Sqlite(sqlite) => {
            newest(&mut *sqlite.writer.acquire().await.map_err(StoreError::Unavailable)?).await?
        }
    };
    Ok(migrator.iter().map(|migration| migration.version).filter(|version| *version > newest).max())
}

async fn run<C>(connection: &mut C, migrator: &Migrator) -> Result<Migrated, StoreError>
where
    C: Migrate,
{
    let from = newest(connection).await?;
    migrator.run_direct(None, connection, false).await.map_err(fault)?;
    Ok(Migrated { from, to: newest(connection).await? })
}

async fn newest<C: Migrate>(connection: &mut C) -> Result<i64, StoreError> {
    connection.ensure_migrations_table("_sqlx_migrations").await.map_err(fault)?;
    let applied = connection.list_applied_migrations("_sqlx_migrations").await.map_err(fault)?;
    Ok(applied.iter().map(|migration| migration.version).max().unwrap_or(0))
}

fn fault(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Fault(sqlx::Error::Migrate(Box::new(other))),
    }
}
