//! Operations in a SQLite file, owned by this process: one writer, so that nothing is locked row by row.

use std::collections::BTreeSet;
use std::time::Duration;

use auric_db::{SqliteDatabase, Statement, StoreError, Traced as _};
use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::rows::{KeyDbRow, OperationRow, bigint, id, operations};
use super::{Lease, Listing, Wanted, expect_rows, micros};
use crate::log::KeyRow;
use crate::{Log, Operation};

/// Reads what `wanted` names, in the writer's transaction.
///
/// # Errors
///
/// [`StoreError`].
pub async fn load(transaction: &mut Transaction<'static, Sqlite>, wanted: &Wanted) -> Result<Log, StoreError> {
    let mut keys: Vec<KeyRow> = Vec::new();
    if !wanted.keys.is_empty() {
        let rows: Vec<KeyDbRow> = sqlx::query_as(
            "SELECT operation_keys.*
             FROM json_each(?1) AS wanted
             CROSS JOIN operation_keys ON caller = wanted.value ->> 0 AND idempotency_key = wanted.value ->> 1",
        )
        .bind(array(wanted.keys.iter(), |key| json!([key.caller, key.key])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT operation_keys"))
        .await?;
        keys = rows.into_iter().map(KeyDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    let mut names = wanted.operations.clone();
    names.extend(keys.iter().map(KeyRow::attempt));
    let mut found = undecided(transaction, &wanted.undecided).await?;
    if names.is_empty() {
        return Ok(Log::loaded(keys, found));
    }
    let rows: Vec<OperationRow> = sqlx::query_as(
        "SELECT operations.*
         FROM json_each(?1) AS wanted
         CROSS JOIN operations ON player_id = wanted.value ->> 0 AND operation_id = wanted.value ->> 1",
    )
    .bind(array(names.iter(), |name| json!(name)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT operations"))
    .await?;
    found.extend(operations(rows)?);
    Ok(Log::loaded(keys, found))
}

/// Reads the undecided operations of `players` out of what is not done: a player's whole history may be long.
async fn undecided(
    transaction: &mut Transaction<'static, Sqlite>,
    players: &BTreeSet<PlayerId>,
) -> Result<Vec<Operation>, StoreError> {
    if players.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as::<_, OperationRow>(
        "SELECT *
         FROM operations INDEXED BY operations_open
         WHERE done_at IS NULL
           AND state = 'preparing'
           AND player_id IN (SELECT value FROM json_each(?1))",
    )
    .bind(array(players.iter(), |player| json!(player)))
    .fetch_all(&mut **transaction);
    operations(rows.traced(sql("SELECT operations")).await?)
}

/// Writes what was begun and decided, keys first.
///
/// # Errors
///
/// [`StoreError`].
pub async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    log: &Log,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (new, moved) = log.key_writes();
    let key = |row: &&KeyRow| {
        let fingerprint = hex::encode(row.fingerprint.digest);
        json!([
            row.key.caller,
            row.key.key,
            fingerprint,
            row.fingerprint.fields,
            row.player,
            row.operation,
            now,
            row.loaded
        ])
    };
    let begun = |operation: &&Operation| {
        let Operation { player, id, key, attempt, state, plan, begun_at, decided_at, done_at, fence, due_at, .. } =
            operation;
        let (decision, outcome) = decided(operation);
        json!([
            player,
            id,
            key.caller,
            key.key,
            attempt,
            state.as_str(),
            plan,
            decision,
            outcome,
            begun_at,
            decided_at,
            done_at,
            bigint(*fence),
            due_at
        ])
    };
    let decided = |operation: &&Operation| {
        let (decision, outcome) = decided(operation);
        json!([operation.player, operation.id, operation.state.as_str(), decision, outcome, operation.decided_at])
    };
    put(transaction, ("INSERT operation_keys", INSERT_KEYS), new.iter().map(key).collect()).await?;
    put(transaction, ("UPDATE operation_keys", UPDATE_KEYS), moved.iter().map(key).collect()).await?;
    put(transaction, ("INSERT operations", INSERT_OPERATIONS), log.inserts().iter().map(begun).collect()).await?;
    put(transaction, ("UPDATE operations", DECIDE_OPERATIONS), log.updates().iter().map(decided).collect()).await
}

async fn put(
    transaction: &mut Transaction<'static, Sqlite>,
    (summary, text): (&'static str, &'static str),
    rows: Vec<Value>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let query = sqlx::query(text).bind(Value::Array(rows).to_string());
    expect_rows(expected, query.execute(&mut **transaction).traced(sql(summary)).await?.rows_affected())
}

const INSERT_KEYS: &str = "
    INSERT INTO operation_keys (caller, idempotency_key, fingerprint, fields, player_id, operation_id, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 6
    FROM json_each(?1)";

const UPDATE_KEYS: &str = "
    UPDATE operation_keys
    SET operation_id = moved.value ->> 5, updated_at = moved.value ->> 6
    FROM json_each(?1) AS moved
    WHERE caller = moved.value ->> 0
      AND idempotency_key = moved.value ->> 1
      AND operation_id = moved.value ->> 7";

const INSERT_OPERATIONS: &str = "
    INSERT INTO operations (player_id, operation_id, caller, idempotency_key, attempt, state, plan, decision, outcome,
        begun_at, decided_at, done_at, fence, due_at, recoveries, last_error)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, 0, ''
    FROM json_each(?1)";

const DECIDE_OPERATIONS: &str = "
    UPDATE operations
    SET state = decided.value ->> 2, decision = decided.value ->> 3, outcome = decided.value ->> 4, decided_at = decided.value ->> 5
    FROM json_each(?1) AS decided
    WHERE player_id = decided.value ->> 0
      AND operation_id = decided.value ->> 1
      AND state = 'preparing'";

pub(super) async fn lease(
    database: &SqliteDatabase,
    now: Timestamp,
    limit: u32,
    lease: Duration,
) -> Result<Vec<Operation>, StoreError> {
    let rows: Vec<OperationRow> = sqlx::query_as(
        "UPDATE operations
         SET fence = fence + 1, recoveries = recoveries + 1, due_at = ?1 + ?3
         WHERE (player_id, operation_id) IN (
             SELECT player_id, operation_id
             FROM operations
             WHERE done_at IS NULL
               AND due_at <= ?1
             ORDER BY due_at
             LIMIT ?2
         )
         RETURNING *",
    )
    .bind(now.micros())
    .bind(i64::from(limit))
    .bind(micros(lease))
    .fetch_all(&database.writer)
    .traced(sql("UPDATE operations"))
    .await?;
    operations(rows)
}

pub(super) async fn renew(
    database: &SqliteDatabase,
    now: Timestamp,
    leases: &[Lease],
    lease: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations
         SET due_at = ?2
         FROM json_each(?1) AS mine
         WHERE player_id = mine.value ->> 0
           AND operation_id = mine.value ->> 1
           AND fence = mine.value ->> 2
           AND done_at IS NULL",
    )
    .bind(array(leases, |lease| json!([lease.player, lease.id, bigint(lease.fence)])))
    .bind(now.plus_micros(micros(lease)).micros())
    .execute(&database.writer)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn put_off(
    database: &SqliteDatabase,
    now: Timestamp,
    lease: &Lease,
    error: &str,
    wait: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations
         SET last_error = ?4, due_at = ?5
         WHERE player_id = ?1
           AND operation_id = ?2
           AND fence = ?3
           AND done_at IS NULL",
    )
    .bind(lease.player.as_str())
    .bind(lease.id.as_str())
    .bind(bigint(lease.fence))
    .bind(error)
    .bind(now.plus_micros(micros(wait)).micros())
    .execute(&database.writer)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn done(
    database: &SqliteDatabase,
    now: Timestamp,
    ended: &[(PlayerId, OperationId)],
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations
         SET state = CASE state WHEN 'committing' THEN 'committed' ELSE 'aborted' END, done_at = ?2, last_error = ''
         FROM json_each(?1) AS ended
         WHERE player_id = ended.value ->> 0
           AND operation_id = ended.value ->> 1
           AND state IN ('committing', 'aborting')",
    )
    .bind(array(ended, |name| json!(name)))
    .bind(now.micros())
    .execute(&database.writer)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn hasten(
    database: &SqliteDatabase,
    now: Timestamp,
    player: &PlayerId,
    id: &OperationId,
) -> Result<bool, StoreError> {
    let hastened =
        sqlx::query("UPDATE operations SET due_at = ?3 WHERE player_id = ?1 AND operation_id = ?2 AND done_at IS NULL")
            .bind(player.as_str())
            .bind(id.as_str())
            .bind(now.micros())
            .execute(&database.writer)
            .traced(sql("UPDATE operations"))
            .await?;
    Ok(hastened.rows_affected() == 1)
}

pub(super) async fn get(
    database: &SqliteDatabase,
    player: &PlayerId,
    id: &OperationId,
) -> Result<Option<Operation>, StoreError> {
    let row: Option<OperationRow> =
        sqlx::query_as("SELECT * FROM operations WHERE player_id = ?1 AND operation_id = ?2")
            .bind(player.as_str())
            .bind(id.as_str())
            .fetch_optional(&database.readers)
            .traced(sql("SELECT operations"))
            .await?;
    row.map(OperationRow::into_domain).transpose()
}

pub(super) async fn of_key(database: &SqliteDatabase, key: &MutationKey) -> Result<Option<Operation>, StoreError> {
    let row: Option<OperationRow> = sqlx::query_as(
        "SELECT operations.*
         FROM operation_keys
         JOIN operations USING (player_id, operation_id)
         WHERE operation_keys.caller = ?1
           AND operation_keys.idempotency_key = ?2",
    )
    .bind(key.caller.as_str())
    .bind(key.key.as_str())
    .fetch_optional(&database.readers)
    .traced(sql("SELECT operations"))
    .await?;
    row.map(OperationRow::into_domain).transpose()
}

pub(super) async fn list(
    database: &SqliteDatabase,
    listing: &Listing,
    limit: u32,
) -> Result<Vec<Operation>, StoreError> {
    let rows: Vec<OperationRow> = match listing {
        Listing::Open(after) => {
            sqlx::query_as(
                "SELECT *
                 FROM operations
                 WHERE done_at IS NULL
                   AND (begun_at, operation_id) > (?1, ?2)
                 ORDER BY begun_at, operation_id
                 LIMIT ?3",
            )
            .bind(after.as_ref().map_or(0, |cursor| cursor.begun_at.micros()))
            .bind(after.as_ref().map_or("", |cursor| cursor.id.as_str()))
            .bind(i64::from(limit))
            .fetch_all(&database.readers)
            .traced(sql("SELECT operations"))
            .await?
        }
        Listing::All(after) => {
            sqlx::query_as(
                "SELECT *
                 FROM operations
                 WHERE (player_id, operation_id) > (?1, ?2)
                 ORDER BY player_id, operation_id
                 LIMIT ?3",
            )
            .bind(after.as_ref().map_or("", |(player, _)| player.as_str()))
            .bind(after.as_ref().map_or("", |(_, id)| id.as_str()))
            .bind(i64::from(limit))
            .fetch_all(&database.readers)
            .traced(sql("SELECT operations"))
            .await?
        }
    };
    operations(rows)
}

pub(super) async fn count_open(database: &SqliteDatabase, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let (count, oldest): (i64, Option<i64>) =
        sqlx::query_as("SELECT count(*), min(begun_at) FROM operations WHERE done_at IS NULL")
            .fetch_one(&database.readers)
            .traced(sql("SELECT operations"))
            .await?;
    let oldest_micros = oldest.map_or(0, |begun_at| now.micros_since(Timestamp::from_micros(begun_at)));
    Ok((count.unsigned_abs(), oldest_micros / 1_000_000))
}

pub(super) async fn known(
    database: &SqliteDatabase,
    wanted: &[(PlayerId, OperationId)],
) -> Result<BTreeSet<OperationId>, StoreError> {
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT operation_id
         FROM json_each(?1) AS wanted
         CROSS JOIN operations ON player_id = wanted.value ->> 0 AND operation_id = wanted.value ->> 1",
    )
    .bind(array(wanted, |name| json!(name)))
    .fetch_all(&database.readers)
    .traced(sql("SELECT operations"))
    .await?;
    found.into_iter().map(id).collect()
}

fn decided(operation: &Operation) -> (&'static str, &str) {
    operation.decision.as_ref().map_or(("", ""), |decision| (decision.as_str(), decision.text()))
}

fn array<T>(rows: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> String {
    Value::Array(rows.into_iter().map(value).collect()).to_string()
}

const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}
