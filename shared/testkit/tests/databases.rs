//! Every test has a database of its own, migrated once.

#![expect(clippy::unwrap_used, reason = "a helper of a test panics as the test itself would")]

use std::borrow::Cow;

use auric_testkit::databases::{PostgresDatabase, SqliteDatabase, postgres_admin_url};
use auric_testkit::servers::{Postgres, PostgresSettings};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};

fn migrator(table: &str) -> Migrator {
    migrator_of(format!("CREATE TABLE {table} (player_id TEXT PRIMARY KEY)"))
}

fn migrator_of(statement: String) -> Migrator {
    let migration = Migration::new(
        1,
        Cow::Borrowed("a step"),
        MigrationType::Simple,
        AssertSqlSafe(statement).into_sql_str(),
        false,
    );
    Migrator::with_migrations(vec![migration])
}

async fn count(url: &str, statement: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let found = sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

#[tokio::test]
async fn two_databases_share_a_schema_and_no_rows() {
    let migrator = migrator("players_shared");
    let (one, two) = tokio::join!(PostgresDatabase::create(&migrator), PostgresDatabase::create(&migrator));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.url(), two.url());
    let mut connection = PgConnection::connect(one.url()).await.unwrap();
    sqlx::query("INSERT INTO players_shared (player_id) VALUES ('p1')").execute(&mut connection).await.unwrap();
    assert_eq!(count(one.url(), "SELECT count(*) FROM players_shared").await, 1);
    assert_eq!(count(two.url(), "SELECT count(*) FROM players_shared").await, 0);
}

#[tokio::test]
async fn an_edited_migration_makes_another_template() {
    let before = PostgresDatabase::create(&migrator("players_before")).await.unwrap();
    let after = PostgresDatabase::create(&migrator("players_after")).await.unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'players_after'";
    assert_eq!(count(before.url(), tables).await, 0);
    assert_eq!(count(after.url(), tables).await, 1);
}

#[tokio::test]
async fn a_clone_has_the_timeouts_that_its_migrations_set() {
    let migrator = migrator_of(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = ''2s''', current_database()); END $$"
            .to_owned(),
    );
    let database = PostgresDatabase::create(&migrator).await.unwrap();
    assert_eq!(
        count(database.url(), "SELECT setting::BIGINT FROM pg_settings WHERE name = 'lock_timeout'").await,
        2_000
    );
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_somebody_is_connected() {
    let database = PostgresDatabase::empty().await.unwrap();
    let name = database.name().to_owned();
    let _connected = PgConnection::connect(database.url()).await.unwrap();
    drop(database);
    let mut admin = PgConnection::connect(&postgres_admin_url().await.unwrap()).await.unwrap();
    let found = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)");
    assert!(!found.bind(name).fetch_one(&mut admin).await.unwrap());
}

#[tokio::test]
async fn a_killed_postgres_starts_again_with_what_was_committed() {
    let mut server = Postgres::start(PostgresSettings::default().with("max_connections", "20")).unwrap();
    let (url, pid) = (server.url(), server.pid());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (7)").execute(&mut connection).await.unwrap();
    assert_eq!(count(&url, "SELECT current_setting('max_connections')::BIGINT").await, 20);
    assert_eq!(count(&url, "SELECT count(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'").await, 1);
    server.kill().unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    server.restart().unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), pid);
    assert_eq!(count(&url, "SELECT max(n) FROM kept").await, 7);
}

#[tokio::test]
async fn a_sqlite_file_comes_and_goes_with_its_folder() {
    let database = SqliteDatabase::create().unwrap();
    let folder = database.folder().to_owned();
    let mut connection = sqlx::SqliteConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (n INTEGER)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert!(database.path().is_file());
    drop(database);
    assert!(!folder.exists());
}
