//! Keeping house: what waits is woken, what is old is removed, in bounded steps.

use auric_db::{StoreError, Traced as _};
use auric_time::Timestamp;
use serde_json::json;
use sqlx::SqlitePool;

use super::{Tx, array, keys, sql};
use crate::store::Recorded;
use crate::store::rows::{HOT_MICROS, KeyRow};

pub async fn wake_waiting(transaction: &mut Tx, limit: u32, now: Timestamp) -> Result<u64, StoreError> {
    let due: Vec<KeyRow> = sqlx::query_as(
        "SELECT job_id, scheduled_for, incarnation
         FROM waiting
         WHERE due_at <= ?1
         ORDER BY due_at
         LIMIT ?2",
    )
    .bind(now.plus_micros(HOT_MICROS / 3).micros())
    .bind(i64::from(limit))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT waiting"))
    .await?;
    if due.is_empty() {
        return Ok(0);
    }
    let due = due.into_iter().map(KeyRow::into_domain).collect::<Result<Vec<_>, _>>()?;
    let woken = sqlx::query(
        "INSERT INTO firings (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence, attempts,
             started_at, message)
         SELECT job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, max(due_at, ?2), fence, attempts,
             started_at, message
         FROM json_each(?1) AS due
         CROSS JOIN waiting ON job_id = due.value ->> 0 AND scheduled_for = due.value ->> 1 AND incarnation = due.value ->> 2",
    )
    .bind(keys(&due))
    .bind(now.micros())
    .execute(&mut **transaction)
    .traced(sql("INSERT firings"))
    .await?;
    sqlx::query(
        "DELETE FROM waiting
         WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))",
    )
    .bind(keys(&due))
    .execute(&mut **transaction)
    .traced(sql("DELETE waiting"))
    .await?;
    Ok(woken.rows_affected())
}

pub async fn prune(pool: &SqlitePool, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let mut removed = 0;
    for (statement, name) in [
        (PRUNE_HISTORY, "DELETE history"),
        (PRUNE_JOBS, "DELETE jobs"),
        (PRUNE_DEFINITIONS, "DELETE definitions"),
        (PRUNE_RECORDED, "DELETE recorded"),
    ] {
        let gone = sqlx::query(statement).bind(before.micros()).bind(i64::from(limit));
        removed += gone.execute(pool).traced(sql(name)).await?.rows_affected();
    }
    Ok(removed)
}

const PRUNE_HISTORY: &str = "
    DELETE FROM history
    WHERE (job_id, scheduled_for, incarnation) IN (
        SELECT job_id, scheduled_for, incarnation
        FROM history
        WHERE ended_at < ?1
        ORDER BY ended_at
        LIMIT ?2)";

const PRUNE_JOBS: &str = "
    DELETE FROM jobs
    WHERE job_id IN (
        SELECT job_id
        FROM jobs AS old
        WHERE next_at IS NULL
          AND wake_at < ?1
          AND NOT EXISTS (SELECT 1 FROM firings WHERE firings.job_id = old.job_id)
          AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.job_id = old.job_id)
          AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.job_id = old.job_id)
        ORDER BY wake_at
        LIMIT ?2)";

const PRUNE_DEFINITIONS: &str = "
    DELETE FROM definitions
    WHERE (job_id, incarnation, revision) IN (
        SELECT job_id, incarnation, revision
        FROM definitions AS old
        WHERE created_at < ?1
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = old.job_id AND jobs.incarnation = old.incarnation
              AND jobs.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM firings WHERE firings.job_id = old.job_id AND firings.incarnation = old.incarnation
              AND firings.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.job_id = old.job_id AND waiting.incarnation = old.incarnation
              AND waiting.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM dead_letters AS dead WHERE dead.job_id = old.job_id AND dead.incarnation = old.incarnation
              AND dead.revision = old.revision)
        ORDER BY created_at
        LIMIT ?2)";

const PRUNE_RECORDED: &str = "
    DELETE FROM recorded
    WHERE firing_key IN (SELECT firing_key FROM recorded WHERE recorded_at < ?1 ORDER BY recorded_at LIMIT ?2)";

pub async fn record(pool: &SqlitePool, recorded: &[Recorded], now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO recorded (firing_key, job_id, payload, recorded_at)
         SELECT value ->> 0, value ->> 1, unhex(value ->> 2), ?2
         FROM json_each(?1)
         WHERE true
         ON CONFLICT (firing_key) DO NOTHING",
    )
    .bind(array(recorded, |one| json!([one.key, one.job, hex::encode(&one.payload)])))
    .bind(now.micros())
    .execute(pool)
    .traced(sql("INSERT recorded"))
    .await?;
    Ok(())
}
