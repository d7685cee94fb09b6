//! Operations in PostgreSQL, shared by every copy of the coordinator.

use std::collections::BTreeSet;
use std::time::Duration;

use auric_db::{DbTime, Statement, StoreError, Traced as _};
use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use sqlx::{PgPool, Postgres, Transaction};

use super::rows::{KeyDbRow, OperationRow, bigint, id, operations};
use super::{Lease, Listing, Wanted, expect_rows, micros};
use crate::log::KeyRow;
use crate::{Log, Operation};

/// Reads what `wanted` names. The batch's players are locked.
///
/// # Errors
///
/// [`StoreError`].
pub async fn load(transaction: &mut Transaction<'static, Postgres>, wanted: &Wanted) -> Result<Log, StoreError> {
    let mut keys: Vec<KeyRow> = Vec::new();
    if !wanted.keys.is_empty() {
        let rows: Vec<KeyDbRow> = sqlx::query_as(
            "SELECT operation_keys.*
             FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
             JOIN operation_keys USING (caller, idempotency_key)",
        )
        .bind(wanted.keys.iter().map(|key| key.caller.as_str()).collect::<Vec<_>>())
        .bind(wanted.keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
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
    let (players, ids) = columns(&names);
    let rows: Vec<OperationRow> = sqlx::query_as(
        "SELECT operations.*
         FROM unnest($1::text[], $2::text[]) AS wanted (player_id, operation_id)
         JOIN operations USING (player_id, operation_id)",
    )
    .bind(players)
    .bind(ids)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT operations"))
    .await?;
    found.extend(operations(rows)?);
    Ok(Log::loaded(keys, found))
}

/// Reads the undecided operations of `players` out of what is not done: a player's whole history may be long.
async fn undecided(
    transaction: &mut Transaction<'static, Postgres>,
    players: &BTreeSet<PlayerId>,
) -> Result<Vec<Operation>, StoreError> {
    if players.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as::<_, OperationRow>(
        "SELECT * FROM operations
         WHERE done_at IS NULL AND state = 'preparing' AND player_id = ANY($1)",
    )
    .bind(players.iter().map(PlayerId::as_str).collect::<Vec<_>>())
    .fetch_all(&mut **transaction);
    operations(rows.traced(sql("SELECT operations")).await?)
}

/// Writes what was begun and decided: keys first, so that a copy that used one stops the batch before it has written anything else.
///
/// # Errors
///
/// [`StoreError::Contended`] when another copy used a key or decided an operation first.
pub async fn write(transaction: &mut Transaction<'static, Postgres>, log: &Log) -> Result<(), StoreError> {
    let (new, moved) = log.key_writes();
    if !new.is_empty() {
        insert_keys(transaction, &new).await?;
    }
    if !moved.is_empty() {
        let written = sqlx::query(
            "UPDATE operation_keys
             SET operation_id = moved.operation_id, updated_at = clock_timestamp()
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS moved (caller, idempotency_key, loaded, operation_id)
             WHERE operation_keys.caller = moved.caller
               AND operation_keys.idempotency_key = moved.idempotency_key
               AND operation_keys.operation_id = moved.loaded",
        )
        .bind(column(&moved, |row| row.key.caller.as_str()))
        .bind(column(&moved, |row| row.key.key.as_str()))
        .bind(column(&moved, |row| row.loaded.as_ref().map_or("", OperationId::as_str)))
        .bind(column(&moved, |row| row.operation.as_str()))
        .execute(&mut **transaction)
        .traced(sql("UPDATE operation_keys"))
        .await?;
        expect_rows(moved.len(), written.rows_affected())?;
    }
    let begun = log.inserts();
    if !begun.is_empty() {
        insert_operations(transaction, &begun).await?;
    }
    let decided = log.updates();
    if !decided.is_empty() {
        let written = sqlx::query(
            "UPDATE operations
             SET state = decided.state, decision = decided.decision, outcome = decided.outcome, decided_at = decided.decided_at
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
                 AS decided (player_id, operation_id, state, decision, outcome, decided_at)
             WHERE operations.player_id = decided.player_id
               AND operations.operation_id = decided.operation_id
               AND operations.state = 'preparing'",
        )
        .bind(column(&decided, |operation| operation.player.as_str()))
        .bind(column(&decided, |operation| operation.id.as_str()))
        .bind(column(&decided, |operation| operation.state.as_str()))
        .bind(column(&decided, |operation| decision(operation)))
        .bind(column(&decided, |operation| outcome(operation)))
        .bind(column(&decided, |operation| operation.decided_at.map(DbTime)))
        .execute(&mut **transaction)
        .traced(sql("UPDATE operations"))
        .await?;
        expect_rows(decided.len(), written.rows_affected())?;
    }
    Ok(())
}

/// Inserts plainly: a duplicate means that another copy used the key first.
async fn insert_keys(transaction: &mut Transaction<'static, Postgres>, new: &[&KeyRow]) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO operation_keys (caller, idempotency_key, fingerprint, fields, player_id, operation_id, created_at, updated_at)
         SELECT caller, idempotency_key, fingerprint, fields, player_id, operation_id, clock_timestamp(), clock_timestamp()
         FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[])
             AS new (caller, idempotency_key, fingerprint, fields, player_id, operation_id)",
    )
    .bind(column(new, |row| row.key.caller.as_str()))
    .bind(column(new, |row| row.key.key.as_str()))
    .bind(column(new, |row| row.fingerprint.digest.as_slice()))
    .bind(column(new, |row| row.fingerprint.fields.as_str()))
    .bind(column(new, |row| row.player.as_str()))
    .bind(column(new, |row| row.operation.as_str()))
    .execute(&mut **transaction)
    .traced(sql("INSERT operation_keys"))
    .await?;
    expect_rows(new.len(), written.rows_affected())
}

async fn insert_operations(
    transaction: &mut Transaction<'static, Postgres>,
    begun: &[&Operation],
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO operations (player_id, operation_id, caller, idempotency_key, attempt, state, plan, decision, outcome,
             begun_at, decided_at, done_at, fence, due_at, recoveries, last_error)
         SELECT *, 0, ''
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
             $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::timestamptz[])",
    )
    .bind(column(begun, |operation| operation.player.as_str()))
    .bind(column(begun, |operation| operation.id.as_str()))
    .bind(column(begun, |operation| operation.key.caller.as_str()))
    .bind(column(begun, |operation| operation.key.key.as_str()))
    .bind(column(begun, |operation| i64::from(operation.attempt)))
    .bind(column(begun, |operation| operation.state.as_str()))
    .bind(column(begun, |operation| operation.plan.as_str()))
    .bind(column(begun, |operation| decision(operation)))
    .bind(column(begun, |operation| outcome(operation)))
    .bind(column(begun, |operation| DbTime(operation.begun_at)))
    .bind(column(begun, |operation| operation.decided_at.map(DbTime)))
    .bind(column(begun, |operation| operation.done_at.map(DbTime)))
    .bind(column(begun, |operation| bigint(operation.fence)))
    .bind(column(begun, |operation| DbTime(operation.due_at)))
    .execute(&mut **transaction)
    .traced(sql("INSERT operations"))
    .await?;
    expect_rows(begun.len(), written.rows_affected())
}

pub(super) async fn lease(pool: &PgPool, limit: u32, lease: Duration) -> Result<Vec<Operation>, StoreError> {
    // Rows are taken in the order of their keys. Whoever waited for a row looks at it again, and leaves it when its lease was taken.
    let rows: Vec<OperationRow> = sqlx::query_as(
        "UPDATE operations
         SET fence = fence + 1, recoveries = recoveries + 1, due_at = clock_timestamp() + $2 * interval '1 microsecond'
         FROM (
             SELECT player_id, operation_id
             FROM operations
             WHERE done_at IS NULL
               AND due_at <= clock_timestamp()
             ORDER BY due_at
             LIMIT $1
             FOR UPDATE SKIP LOCKED
         ) AS due
         WHERE operations.player_id = due.player_id
           AND operations.operation_id = due.operation_id
           AND operations.done_at IS NULL
           AND operations.due_at <= clock_timestamp()
         RETURNING operations.*",
    )
    .bind(i64::from(limit))
    .bind(micros(lease))
    .fetch_all(pool)
    .traced(sql("UPDATE operations"))
    .await?;
    operations(rows)
}

pub(super) async fn renew(pool: &PgPool, leases: &[Lease], lease: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations
         SET due_at = clock_timestamp() + $4 * interval '1 microsecond'
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS mine (player_id, operation_id, fence)
         WHERE operations.player_id = mine.player_id
           AND operations.operation_id = mine.operation_id
           AND operations.fence = mine.fence
           AND operations.done_at IS NULL",
    )
    .bind(column(leases, |lease| lease.player.as_str()))
    .bind(column(leases, |lease| lease.id.as_str()))
    .bind(column(leases, |lease| bigint(lease.fence)))
    .bind(micros(lease))
    .execute(pool)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn put_off(pool: &PgPool, lease: &Lease, error: &str, wait: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations
         SET last_error = $4, due_at = clock_timestamp() + $5 * interval '1 microsecond'
         WHERE player_id = $1
           AND operation_id = $2
           AND fence = $3
           AND done_at IS NULL",
    )
    .bind(lease.player.as_str())
    .bind(lease.id.as_str())
    .bind(bigint(lease.fence))
    .bind(error)
    .bind(micros(wait))
    .execute(pool)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn done(pool: &PgPool, ended: &[(PlayerId, OperationId)]) -> Result<(), StoreError> {
    let names: BTreeSet<_> = ended.iter().cloned().collect();
    let (players, ids) = columns(&names);
    sqlx::query(
        "UPDATE operations
         SET state = CASE state WHEN 'committing' THEN 'committed' ELSE 'aborted' END,
             done_at = clock_timestamp(),
             last_error = ''
         FROM unnest($1::text[], $2::text[]) AS ended (player_id, operation_id)
         WHERE operations.player_id = ended.player_id
           AND operations.operation_id = ended.operation_id
           AND operations.state IN ('committing', 'aborting')",
    )
    .bind(players)
    .bind(ids)
    .execute(pool)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(())
}

pub(super) async fn hasten(pool: &PgPool, player: &PlayerId, id: &OperationId) -> Result<bool, StoreError> {
    let hastened = sqlx::query(
        "UPDATE operations
         SET due_at = clock_timestamp()
         WHERE player_id = $1
           AND operation_id = $2
           AND done_at IS NULL",
    )
    .bind(player.as_str())
    .bind(id.as_str())
    .execute(pool)
    .traced(sql("UPDATE operations"))
    .await?;
    Ok(hastened.rows_affected() == 1)
}

pub(super) async fn get(pool: &PgPool, player: &PlayerId, id: &OperationId) -> Result<Option<Operation>, StoreError> {
    let row: Option<OperationRow> =
        sqlx::query_as("SELECT * FROM operations WHERE player_id = $1 AND operation_id = $2")
            .bind(player.as_str())
            .bind(id.as_str())
            .fetch_optional(pool)
            .traced(sql("SELECT operations"))
            .await?;
    row.map(OperationRow::into_domain).transpose()
}

pub(super) async fn of_key(pool: &PgPool, key: &MutationKey) -> Result<Option<Operation>, StoreError> {
    let row: Option<OperationRow> = sqlx::query_as(
        "SELECT operations.*
         FROM operation_keys
         JOIN operations USING (player_id, operation_id)
         WHERE operation_keys.caller = $1
           AND operation_keys.idempotency_key = $2",
    )
    .bind(key.caller.as_str())
    .bind(key.key.as_str())
    .fetch_optional(pool)
    .traced(sql("SELECT operations"))
    .await?;
    row.map(OperationRow::into_domain).transpose()
}

pub(super) async fn list(pool: &PgPool, listing: &Listing, limit: u32) -> Result<Vec<Operation>, StoreError> {
    let rows: Vec<OperationRow> = match listing {
        Listing::Open(after) => {
            sqlx::query_as(
                "SELECT *
                 FROM operations
                 WHERE done_at IS NULL
                   AND (begun_at, operation_id) > ($1, $2)
                 ORDER BY begun_at, operation_id
                 LIMIT $3",
            )
            .bind(DbTime(after.as_ref().map_or(auric_time::Timestamp::EPOCH, |cursor| cursor.begun_at)))
            .bind(after.as_ref().map_or("", |cursor| cursor.id.as_str()))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .traced(sql("SELECT operations"))
            .await?
        }
        Listing::All(after) => {
            sqlx::query_as(
                "SELECT *
                 FROM operations
                 WHERE (player_id, operation_id) > ($1, $2)
                 ORDER BY player_id, operation_id
                 LIMIT $3",
            )
            .bind(after.as_ref().map_or("", |(player, _)| player.as_str()))
            .bind(after.as_ref().map_or("", |(_, id)| id.as_str()))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .traced(sql("SELECT operations"))
            .await?
        }
    };
    operations(rows)
}

pub(super) async fn count_open(pool: &PgPool) -> Result<(u64, u64), StoreError> {
    let (count, oldest_s): (i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(begun_at))::bigint, 0)
         FROM operations
         WHERE done_at IS NULL",
    )
    .fetch_one(pool)
    .traced(sql("SELECT operations"))
    .await?;
    Ok((count.unsigned_abs(), oldest_s.max(0).unsigned_abs()))
}

pub(super) async fn known(
    pool: &PgPool,
    wanted: &[(PlayerId, OperationId)],
) -> Result<BTreeSet<OperationId>, StoreError> {
    let names: BTreeSet<_> = wanted.iter().cloned().collect();
    let (players, ids) = columns(&names);
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT operations.operation_id
         FROM unnest($1::text[], $2::text[]) AS wanted (player_id, operation_id)
         JOIN operations USING (player_id, operation_id)",
    )
    .bind(players)
    .bind(ids)
    .fetch_all(pool)
    .traced(sql("SELECT operations"))
    .await?;
    found.into_iter().map(id).collect()
}

fn decision(operation: &Operation) -> &'static str {
    operation.decision.as_ref().map_or("", crate::Decision::as_str)
}

fn outcome(operation: &Operation) -> &str {
    operation.decision.as_ref().map_or("", crate::Decision::text)
}

fn columns(names: &BTreeSet<(PlayerId, OperationId)>) -> (Vec<&str>, Vec<&str>) {
    names.iter().map(|(player, id)| (player.as_str(), id.as_str())).unzip()
}

fn column<'a, T, C>(rows: &'a [T], of: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}
