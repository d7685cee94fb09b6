//! A PostgreSQL: a private one with settings that lose nothing, or one that is there already.

use anyhow::{Context as _, Result};
use auric_testkit::servers::{Postgres, PostgresSettings};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

/// What the private server is started with. Nothing of it trades durability for speed.
const SETTINGS: [(&str, &str); 9] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_compression", "lz4"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("shared_buffers", "1GB"),
    ("max_connections", "200"),
    ("maintenance_work_mem", "512MB"),
];

/// What a report shows of any server.
const SHOWN: [&str; 12] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_compression",
    "wal_level",
    "max_wal_size",
    "checkpoint_timeout",
    "shared_buffers",
    "max_connections",
    "autovacuum",
    "shared_preload_libraries",
];

/// Statements that a report lists.
const STATEMENTS_MAX: i64 = 15;

/// A PostgreSQL server, with databases that are made for one run and dropped after it.
pub struct Cluster {
    admin_url: String,
    private: Option<Postgres>,
    follows_statements: bool,
    databases: Vec<String>,
}

/// One setting that is in force.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, with its unit.
    pub value: String,
}

/// One kind of statement, and what it has cost.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// The text, on one line, with parameters for values.
    pub text: String,
    /// How often it was run.
    pub calls: i64,
    /// What it took in all, in milliseconds.
    pub total_ms: f64,
    /// The part of all statements' time.
    pub share: f64,
    /// Rows that it returned or wrote.
    pub rows: i64,
    /// WAL that it wrote.
    pub wal_bytes: f64,
}

impl Cluster {
    /// Takes the server at `url`, whose role must be allowed to make databases; without one starts a private server.
    ///
    /// # Errors
    ///
    /// No PostgreSQL is installed, it does not start, or it cannot be reached.
    pub async fn open(url: Option<&str>, follows_statements: bool) -> Result<Self> {
        let cluster = match url {
            Some(url) => Self { admin_url: url.to_owned(), private: None, follows_statements, databases: Vec::new() },
            None => Self::private(follows_statements).await?,
        };
        cluster.admin().await?.close().await?;
        if follows_statements {
            cluster.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements".to_owned()).await?;
        }
        Ok(cluster)
    }

    async fn private(follows_statements: bool) -> Result<Self> {
        let mut settings =
            SETTINGS.iter().fold(PostgresSettings::default(), |settings, (name, value)| settings.with(name, value));
        if follows_statements {
            settings = settings.with("shared_preload_libraries", "pg_stat_statements");
        }
        let private = tokio::task::spawn_blocking(|| Postgres::start(settings)).await??;
        Ok(Self { admin_url: private.url(), private: Some(private), follows_statements, databases: Vec::new() })
    }

    /// Its process id, where it is on this machine and ours.
    pub fn pid(&self) -> Option<u32> {
        self.private.as_ref().and_then(Postgres::pid)
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn create_database(&mut self, name: &str) -> Result<String> {
        let name = format!("auric_bench_{}_{name}", std::process::id());
        self.run(format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
        self.run(format!(r#"CREATE DATABASE "{name}""#)).await?;
        let url = with_database(&self.admin_url, &name);
        self.databases.push(name);
        Ok(url)
    }

    /// Drops what was made. A private server goes as a whole.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn close(mut self) -> Result<()> {
        if self.private.is_none() {
            for name in std::mem::take(&mut self.databases) {
                self.run(format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
            }
        }
        Ok(())
    }

    /// Reads the settings that durability and speed depend on.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn settings(&self) -> Result<Vec<Setting>> {
        let mut admin = self.admin().await?;
        let mut settings = Vec::new();
        for name in SHOWN {
            let value: Option<String> =
                sqlx::query_scalar("SELECT current_setting($1, true)").bind(name).fetch_one(&mut admin).await?;
            settings.push(Setting { name: name.to_owned(), value: value.unwrap_or_default() });
        }
        admin.close().await?;
        Ok(settings)
    }

    /// Forgets what statements have cost so far.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn forget_statements(&self) -> Result<()> {
        if self.follows_statements {
            self.run("SELECT pg_stat_statements_reset()".to_owned()).await?;
        }
        Ok(())
    }

    /// Lists the statements that cost the most since they were forgotten; none when they are not followed.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn statements(&self) -> Result<Vec<Statement>> {
        if !self.follows_statements {
            return Ok(Vec::new());
        }
        let mut admin = self.admin().await?;
        let rows = sqlx::query(
            "SELECT query, calls, total_exec_time, total_exec_time / NULLIF(sum(total_exec_time) OVER (), 0) AS share, rows,
                 wal_bytes::float8 AS wal_bytes
             FROM pg_stat_statements
             ORDER BY total_exec_time DESC
             LIMIT $1",
        )
        .bind(STATEMENTS_MAX)
        .fetch_all(&mut admin)
        .await?;
        admin.close().await?;
        let statement = |row: &sqlx::postgres::PgRow| {
            let text: String = row.try_get("query")?;
            Ok(Statement {
                text: text.split_whitespace().collect::<Vec<_>>().join(" "),
                calls: row.try_get("calls")?,
                total_ms: row.try_get("total_exec_time")?,
                share: row.try_get::<Option<f64>, _>("share")?.unwrap_or(0.0),
                rows: row.try_get("rows")?,
                wal_bytes: row.try_get("wal_bytes")?,
            })
        };
        rows.iter().map(statement).collect()
    }

    async fn admin(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.admin_url).await.context("PostgreSQL cannot be reached")
    }

    async fn run(&self, statement: String) -> Result<()> {
        let mut admin = self.admin().await?;
        // The names in it are made here, of letters, digits and underscores.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await?;
        admin.close().await?;
        Ok(())
    }
}

/// Gives `url` with another database in place of its own; the parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, rest)| (base, Some(rest)));
    let server = base.rfind('/').filter(|at| !base[..*at].ends_with('/')).map_or(base, |at| &base[..at]);
    parameters.map_or_else(|| format!("{server}/{name}"), |rest| format!("{server}/{name}?{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_takes_the_place_of_another() {
        assert_eq!(
            with_database("postgres://a@h:1/postgres?sslmode=disable", "b"),
            "postgres://a@h:1/b?sslmode=disable"
        );
        assert_eq!(with_database("postgres://a:s@h", "b"), "postgres://a:s@h/b");
    }
}
