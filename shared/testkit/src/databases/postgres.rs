//! PostgreSQL databases, cloned from a migrated template.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::postgres_admin_url;

/// Held while a template is looked for and made, so that it is made once by all test processes together.
const TEMPLATE_LOCK: i64 = 0x0041_5552_4943;

/// How often a clone is tried while something, an autovacuum worker for one, still looks at the template.
const CLONE_TRIES_MAX: u32 = 20;

const CLONE_EVERY: Duration = Duration::from_millis(100);

/// SQLSTATE `object_in_use`.
const OBJECT_IN_USE: &str = "55006";

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// A new database of one test; dropping it drops the database, whoever is still connected.
pub struct PostgresDatabase {
    admin: PgConnectOptions,
    url: String,
    name: String,
}

impl PostgresDatabase {
    /// Makes a database with all migrations of `migrator` applied.
    ///
    /// # Errors
    ///
    /// No server could be started, or a migration fails.
    pub async fn create(migrator: &Migrator) -> Result<Self> {
        let admin_url = postgres_admin_url().await?;
        let mut admin = connect(&admin_url).await?;
        let template = ensure_template(&mut admin, &admin_url, migrator).await?;
        let made = Self::clone_of(&mut admin, &admin_url, &template).await;
        admin.close().await?;
        made
    }

    /// Makes a database with nothing in it, for tests of the migrations themselves.
    pub async fn empty() -> Result<Self> {
        let admin_url = postgres_admin_url().await?;
        let mut admin = connect(&admin_url).await?;
        let made = Self::clone_of(&mut admin, &admin_url, "template1").await;
        admin.close().await?;
        made
    }

    /// Gives its URL, with all rights.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn clone_of(admin: &mut PgConnection, admin_url: &str, template: &str) -> Result<Self> {
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        // A process id may come round again on a server that lives longer than the tests.
        run(admin, format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
        let mut tries = 1;
        while let Err(error) = run(admin, format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#)).await {
            let in_use = error.as_database_error().is_some_and(|found| found.code().as_deref() == Some(OBJECT_IN_USE));
            if !in_use || tries == CLONE_TRIES_MAX {
                return Err(error).with_context(|| format!("cannot clone {template}"));
            }
            tries += 1;
            tokio::time::sleep(CLONE_EVERY).await;
        }
        copy_settings(admin, template, &name).await?;
        Ok(Self { admin: admin_url.parse()?, url: with_database(admin_url, &name), name })
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), std::mem::take(&mut self.name));
        // A drop may run inside a runtime, which cannot be blocked on from within: a thread with its own can.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect_with(&admin).await?;
                run(&mut admin, format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
                admin.close().await?;
                anyhow::Ok(())
            })
        });
        // Best effort: a server that a test killed has nothing to drop, and goes as a whole anyhow.
        let _ = dropper.join();
    }
}

/// Makes the template of these migrations unless it is there, and gives its name.
async fn ensure_template(admin: &mut PgConnection, admin_url: &str, migrator: &Migrator) -> Result<String> {
    let template = template_name(migrator);
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await?;
    // Released by the end of the session at the latest, also when the migrations fail.
    let made = make_template(admin, admin_url, migrator, &template).await;
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await?;
    made.map(|()| template)
}

async fn make_template(admin: &mut PgConnection, admin_url: &str, migrator: &Migrator, template: &str) -> Result<()> {
    let found = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)");
    if found.bind(template).fetch_one(&mut *admin).await? {
        return Ok(());
    }
    // It gets its name only when it is whole: a process that dies in between leaves no half template behind.
    let draft = format!("{template}_draft");
    run(admin, format!(r#"DROP DATABASE IF EXISTS "{draft}" WITH (FORCE)"#)).await?;
    run(admin, format!(r#"CREATE DATABASE "{draft}""#)).await?;
    let mut connection = connect(&with_database(admin_url, &draft)).await?;
    migrator.run(&mut connection).await.context("the migrations fail on an empty database")?;
    connection.close().await?;
    run(admin, format!(r#"ALTER DATABASE "{draft}" RENAME TO "{template}""#)).await?;
    Ok(())
}

/// Sets for `name` what `ALTER DATABASE … SET` set for `template`: a clone takes everything but that.
async fn copy_settings(admin: &mut PgConnection, template: &str, name: &str) -> Result<()> {
    let statements = sqlx::query_scalar::<_, String>(
        "SELECT format('ALTER DATABASE %I SET %I = %L', $2, split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1))
         FROM pg_db_role_setting
         JOIN pg_database ON pg_database.oid = setdatabase
         CROSS JOIN unnest(setconfig) AS setting
         WHERE datname = $1 AND setrole = 0",
    );
    for statement in statements.bind(template).bind(name).fetch_all(&mut *admin).await? {
        run(admin, statement).await?;
    }
    Ok(())
}

/// Names the template by the content of the migrations, so that an edited one makes a new template.
fn template_name(migrator: &Migrator) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrator.iter() {
        (migration.version, &*migration.description, &*migration.checksum).hash(&mut hasher);
    }
    format!("template_{:016x}", hasher.finish())
}

async fn connect(url: &str) -> Result<PgConnection> {
    PgConnection::connect(url).await.with_context(|| format!("cannot connect to {url}"))
}

async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    // The names in it are made here, of digits and letters.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

/// Gives `url` with another database in place of its own; the parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, rest)| (base, Some(rest)));
    let server = base.rfind('/').filter(|at| !base[..*at].ends_with('/')).map_or(base, |at| &base[..at]);
    parameters.map_or_else(|| format!("{server}/{name}"), |rest| format!("{server}/{name}?{rest}"))
}
