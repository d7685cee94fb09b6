//! What a migration does to a ledger that has a past (R-O6).

mod holds;

use auric_db::SqliteDatabase;
use auric_wallet::store;
use sqlx::{AssertSqlSafe, Row as _};

/// The migration that brings SQLite's rows into the order in which they came.
const IN_ORDER: i64 = 5;

/// The migration after which a player's head is the newest entry, and kept nowhere else.
const HEADS: i64 = 8;

const PAST: &str = "
    INSERT INTO players (player_id, last_number, created_at, updated_at) VALUES ('p', 2, 1, 2), ('a', 1, 3, 3);
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
    VALUES ('local', 'k-2', 'Post', x'02', 'legs=2', '{\"Ok\":2}', 2), ('local', 'k-1', 'Post', x'01', 'legs=1', '{\"Ok\":1}', 1);
    INSERT INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change, owed_change,
        available_after, held_after, room_after, owed_after, clamped, reason, context, caller, idempotency_key, trace_id,
        catalog_hash, created_at, hash)
    VALUES ('p', 2, 'lumees', '', 'posted', 5, 0, 0, 0, 15, 0, 0, 0, 0, 'gift', '', 'local', 'k-2', '', x'00', 2, x'bb'),
        ('p', 1, 'lumees', '', 'posted', 10, 0, 0, 0, 10, 0, 0, 0, 0, 'gift', '{\"a\":\"b\"}', 'local', 'k-1', '', x'00', 1, x'aa'),
        ('a', 1, 'aether', '', 'posted', 7, 0, 0, 0, 7, 0, 0, 0, 3, 'gift', '', 'local', 'k-3', '', x'00', 3, x'cc');";

async fn run(database: &SqliteDatabase, text: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&database.writer).await.map(drop)
}

/// Every row of a table with every column, as text, in the order of its key.
async fn rows(database: &SqliteDatabase, table: &str, key: &str) -> Vec<String> {
    let columns = sqlx::query("SELECT name FROM pragma_table_info(?1) ORDER BY cid").bind(table);
    let columns = columns.fetch_all(&database.writer).await.unwrap();
    let quoted: Vec<String> = columns.iter().map(|row| format!("quote({})", row.get::<String, _>(0))).collect();
    let text = format!("SELECT {} FROM {table} ORDER BY {key}", quoted.join(" || ',' || "));
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&database.writer).await.unwrap()
}

#[tokio::test]
async fn a_ledger_that_is_put_in_order_has_every_row_and_every_guard() {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&folder.path().join("wallet.db")).await.unwrap();
    let migrator = store::migrator(&auric_db::Database::Sqlite(database.clone()));
    for migration in migrator.iter().filter(|migration| migration.version < IN_ORDER) {
        run(&database, migration.sql.as_str()).await.unwrap();
    }
    run(&database, PAST).await.unwrap();
    let tables = [("entries", "player_id, number"), ("mutations", "caller, idempotency_key"), ("players", "player_id")];
    let mut past = Vec::new();
    for (table, key) in tables {
        past.push(rows(&database, table, key).await);
    }

    for migration in migrator.iter().filter(|migration| migration.version == IN_ORDER) {
        run(&database, migration.sql.as_str()).await.unwrap();
    }
    for ((table, key), past) in tables.into_iter().zip(past) {
        assert_eq!(rows(&database, table, key).await, past, "{table}");
        assert!(past.len() >= 2, "{table}");
    }
    let seen = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM lumees_transactions").fetch_one(&database.writer);
    assert_eq!(seen.await.unwrap(), 2);
    for guarded in [
        "UPDATE entries SET clamped = 1",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries",
        "UPDATE mutations SET method = 'Claim'",
        "DELETE FROM mutations",
        "INSERT OR REPLACE INTO mutations SELECT * FROM mutations",
    ] {
        let refused = run(&database, guarded).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added"), "{guarded}: {refused}");
    }
    assert!(run(&database, PAST).await.is_err(), "keys are still unique");
}

#[tokio::test]
async fn players_keep_all_but_their_heads() {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(&folder.path().join("wallet.db")).await.unwrap();
    let migrator = store::migrator(&auric_db::Database::Sqlite(database.clone()));
    for migration in migrator.iter().filter(|migration| migration.version < HEADS) {
        run(&database, migration.sql.as_str()).await.unwrap();
    }
    run(&database, PAST).await.unwrap();
    run(&database, "UPDATE players SET next_expiry = 7 WHERE player_id = 'p'").await.unwrap();
    for migration in migrator.iter().filter(|migration| migration.version >= HEADS) {
        run(&database, migration.sql.as_str()).await.unwrap();
    }
    assert_eq!(rows(&database, "players", "player_id").await, ["'a',NULL,3,3", "'p',7,1,2"]);
}
