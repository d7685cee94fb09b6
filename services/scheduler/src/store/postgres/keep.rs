//! Keeping house: what waits is woken, space is given back, what is old is removed, in bounded steps.

use std::time::Duration;

use auric_db::{Contention, DbTime, StoreError, Traced as _};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor as _};

use super::{column, micros, sql};
use crate::store::Recorded;
use crate::store::rows::{HOT_MICROS, KeyRow, SLOTS, slot_of};

/// A part of the hot table that is smaller is left to the database's own vacuum.
const TRUNCATE_BYTES_MIN: i64 = 512 * 1_024;

/// How long a truncation may wait for those who read that part now: everyone else waits behind it.
const TRUNCATE_WAIT: &str = "SET LOCAL lock_timeout = '20ms'";

pub async fn wake_waiting(pool: &PgPool, limit: u32) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().traced(sql("BEGIN")).await?;
    let keys: Vec<KeyRow> = sqlx::query_as(
        "SELECT job_id, scheduled_for, incarnation
         FROM waiting
         WHERE due_at <= statement_timestamp() + $1 * interval '1 microsecond'
         ORDER BY due_at
         LIMIT $2
         FOR UPDATE SKIP LOCKED",
    )
    .bind(HOT_MICROS / 3)
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .traced(sql("SELECT waiting"))
    .await?;
    if keys.is_empty() {
        return Ok(0);
    }
    let woken = sqlx::query(
        "WITH gone AS (
             DELETE FROM waiting
             USING unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[]) AS due (slot, job_id, scheduled_for, incarnation)
             WHERE waiting.job_id = due.job_id
               AND waiting.scheduled_for = due.scheduled_for
               AND waiting.incarnation = due.incarnation
             RETURNING due.slot, waiting.*
         )
         INSERT INTO firings (slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence,
             attempts, started_at, message)
         SELECT slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at,
             greatest(due_at, statement_timestamp()), fence, attempts, started_at, message
         FROM gone",
    )
    .bind(column(&keys, |key| slot_of(key.scheduled_for.0)))
    .bind(column(&keys, |key| key.job_id.as_str()))
    .bind(column(&keys, |key| key.scheduled_for))
    .bind(column(&keys, |key| key.incarnation))
    .execute(&mut *transaction)
    .traced(sql("INSERT firings"))
    .await?;
    transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)?;
    Ok(woken.rows_affected())
}

/// Truncates parts of the hot table that are empty and large, those of now left alone.
///
/// What was deleted stays in a table for as long as anyone's snapshot is older: a reader who stays for hours would make every look for what is ready go through
/// millions of rows that are gone. A truncated part has none. Whether it is empty is looked at behind the lock.
pub async fn rotate(pool: &PgPool) -> Result<u64, StoreError> {
    let now: DbTime = sqlx::query_scalar("SELECT statement_timestamp()").fetch_one(pool).traced(sql("SELECT")).await?;
    let in_use: Vec<i16> = [0, 5].map(|seconds| slot_of(now.0.plus_micros(seconds * 1_000_000))).into();
    let large: Vec<i16> = sqlx::query_scalar(
        "SELECT slot::smallint
         FROM generate_series(0, $1 - 1) AS slot
         WHERE slot <> ALL($2)
           AND pg_total_relation_size(format('firings_%s', slot)::regclass) > $3",
    )
    .bind(i32::from(SLOTS))
    .bind(column(&in_use, |slot| i32::from(*slot)))
    .bind(TRUNCATE_BYTES_MIN)
    .fetch_all(pool)
    .traced(sql("SELECT pg_class"))
    .await?;
    let mut truncated = 0;
    for slot in large {
        match truncate(pool, slot).await {
            Ok(true) => truncated += 1,
            // Someone reads it, or writes to it: the next look comes soon.
            Ok(false) | Err(StoreError::Contended(Contention::LockTimeout, _)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(truncated)
}

async fn truncate(pool: &PgPool, slot: i16) -> Result<bool, StoreError> {
    // The slot is a number of ours: no other text comes in.
    let is_used = || AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM firings_{slot})"));
    if sqlx::query_scalar::<_, bool>(is_used()).fetch_one(pool).traced(sql("SELECT firings")).await? {
        return Ok(false);
    }
    let mut transaction = pool.begin().traced(sql("BEGIN")).await?;
    transaction.execute(TRUNCATE_WAIT).traced(sql("SET")).await?;
    let lock = AssertSqlSafe(format!("LOCK TABLE ONLY firings_{slot} IN ACCESS EXCLUSIVE MODE"));
    sqlx::query(lock).execute(&mut *transaction).traced(sql("LOCK firings")).await?;
    if sqlx::query_scalar::<_, bool>(is_used()).fetch_one(&mut *transaction).traced(sql("SELECT firings")).await? {
        return Ok(false);
    }
    let truncate = AssertSqlSafe(format!("TRUNCATE ONLY firings_{slot}"));
    sqlx::query(truncate).execute(&mut *transaction).traced(sql("TRUNCATE firings")).await?;
    transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)?;
    Ok(true)
}

pub async fn prune(pool: &PgPool, age: Duration, limit: u32) -> Result<u64, StoreError> {
    let mut removed = 0;
    for (statement, name) in [
        (PRUNE_HISTORY, "DELETE history"),
        (PRUNE_JOBS, "DELETE jobs"),
        (PRUNE_DEFINITIONS, "DELETE definitions"),
        (PRUNE_RECORDED, "DELETE recorded"),
    ] {
        let gone =
            sqlx::query(statement).bind(micros(age)).bind(i64::from(limit)).execute(pool).traced(sql(name)).await?;
        removed += gone.rows_affected();
    }
    Ok(removed)
}

const PRUNE_HISTORY: &str = "
    WITH old AS MATERIALIZED (
        SELECT job_id, scheduled_for, incarnation
        FROM history
        WHERE ended_at < statement_timestamp() - $1 * interval '1 microsecond'
        ORDER BY ended_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM history
    USING old
    WHERE history.job_id = old.job_id
      AND history.scheduled_for = old.scheduled_for
      AND history.incarnation = old.incarnation";

const PRUNE_JOBS: &str = "
    WITH old AS MATERIALIZED (
        SELECT job_id
        FROM jobs
        WHERE next_at IS NULL
          AND wake_at < statement_timestamp() - $1 * interval '1 microsecond'
          AND NOT EXISTS (SELECT 1 FROM firings WHERE firings.job_id = jobs.job_id)
          AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.job_id = jobs.job_id)
          AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.job_id = jobs.job_id)
        ORDER BY wake_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM jobs
    USING old
    WHERE jobs.job_id = old.job_id";

const PRUNE_DEFINITIONS: &str = "
    WITH old AS MATERIALIZED (
        SELECT job_id, incarnation, revision
        FROM definitions AS old
        WHERE created_at < statement_timestamp() - $1 * interval '1 microsecond'
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = old.job_id AND jobs.incarnation = old.incarnation
              AND jobs.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM firings WHERE firings.job_id = old.job_id AND firings.incarnation = old.incarnation
              AND firings.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.job_id = old.job_id AND waiting.incarnation = old.incarnation
              AND waiting.revision = old.revision)
          AND NOT EXISTS (SELECT 1 FROM dead_letters AS dead WHERE dead.job_id = old.job_id AND dead.incarnation = old.incarnation
              AND dead.revision = old.revision)
        ORDER BY created_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM definitions
    USING old
    WHERE definitions.job_id = old.job_id
      AND definitions.incarnation = old.incarnation
      AND definitions.revision = old.revision";

const PRUNE_RECORDED: &str = "
    WITH old AS MATERIALIZED (
        SELECT firing_key
        FROM recorded
        WHERE recorded_at < statement_timestamp() - $1 * interval '1 microsecond'
        ORDER BY recorded_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM recorded
    USING old
    WHERE recorded.firing_key = old.firing_key";

pub async fn record(pool: &PgPool, recorded: &[Recorded]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO recorded (firing_key, job_id, payload, recorded_at)
         SELECT firing_key, job_id, payload, statement_timestamp()
         FROM unnest($1::text[], $2::text[], $3::bytea[]) AS new (firing_key, job_id, payload)
         ORDER BY firing_key
         ON CONFLICT (firing_key) DO NOTHING",
    )
    .bind(column(recorded, |one| one.key.as_str()))
    .bind(column(recorded, |one| one.job.as_str()))
    .bind(column(recorded, |one| one.payload.as_slice()))
    .execute(pool)
    .traced(sql("INSERT recorded"))
    .await?;
    Ok(())
}
