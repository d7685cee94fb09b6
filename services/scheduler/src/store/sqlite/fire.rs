//! From a job's time to a leased firing.

use std::collections::BTreeSet;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::JobId;
use auric_time::Timestamp;
use serde_json::{Value, json};
use sqlx::SqlitePool;

use super::{Tx, array, micros, since, sql};
use crate::domain::{Ended, NewFiring};
use crate::store::rows::{HOT_MICROS, JobDbRow, LeasedRow, corrupt};
use crate::store::{DueAsk, DueJobs, LeaseAsk, Leased, Peek, PlannedJob};

pub async fn due_jobs(pool: &SqlitePool, ask: &DueAsk, now: Timestamp) -> Result<DueJobs, StoreError> {
    let horizon = now.plus_micros(micros(ask.within)).micros();
    let next_at: Option<DbTime> = sqlx::query_scalar(
        "SELECT wake_at
         FROM jobs
         WHERE paused = 0
           AND next_at IS NOT NULL
           AND wake_at > ?1
         ORDER BY wake_at
         LIMIT 1",
    )
    .bind(horizon)
    .fetch_optional(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    let rows: Vec<JobDbRow> = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)
         WHERE paused = 0
           AND next_at IS NOT NULL
           AND wake_at > ?1
           AND wake_at <= ?2
         ORDER BY wake_at
         LIMIT ?3",
    )
    .bind(since(ask.since))
    .bind(horizon)
    .bind(i64::from(ask.limit))
    .fetch_all(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    let jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<_, _>>()?;
    Ok(DueJobs { now, jobs, next_at: next_at.map(|time| time.0) })
}

/// Moves jobs first; only what was moved gets its firings.
pub async fn plan(
    transaction: &mut Tx,
    planned: &[PlannedJob],
    now: Timestamp,
    clock: Timestamp,
) -> Result<Vec<JobId>, StoreError> {
    let row = |job: &PlannedJob| json!([job.job, job.plan, job.next_at, job.next_at.unwrap_or(clock).max(clock)]);
    let moved: Vec<String> = sqlx::query_scalar(
        "UPDATE jobs
         SET next_at = planned.value ->> 2,
             plan = plan + 1,
             wake_at = planned.value ->> 3
         FROM json_each(?1) AS planned
         WHERE jobs.job_id = planned.value ->> 0
           AND jobs.plan = planned.value ->> 1
           AND jobs.paused = 0
         RETURNING job_id",
    )
    .bind(array(planned, row))
    .fetch_all(&mut **transaction)
    .traced(sql("UPDATE jobs"))
    .await?;
    let moved = moved.iter().map(|id| id.parse().map_err(corrupt)).collect::<Result<BTreeSet<JobId>, _>>()?;
    let mine = || planned.iter().filter(|job| moved.contains(&job.job));
    let firings: Vec<&NewFiring> = mine().flat_map(|job| &job.firings).collect();
    insert(transaction, &firings, now).await?;
    let skipped: Vec<&Ended> = mine().flat_map(|job| &job.skipped).collect();
    insert_ended(transaction, &skipped).await?;
    Ok(moved.into_iter().collect())
}

/// Inserts firings where they belong. One that there is already, or was, stays as it is: a job that was moved back by hand doubles nothing.
pub async fn insert(transaction: &mut Tx, firings: &[&NewFiring], now: Timestamp) -> Result<(), StoreError> {
    let soon = now.plus_micros(HOT_MICROS);
    let (hot, later): (Vec<&NewFiring>, Vec<&NewFiring>) = firings.iter().partition(|firing| firing.due_at <= soon);
    let mut written = 0;
    for (rows, statement, name) in [(hot, INSERT_HOT, "INSERT firings"), (later, INSERT_WAITING, "INSERT waiting")] {
        if !rows.is_empty() {
            let inserted = sqlx::query(statement).bind(array(rows, |firing| new(firing, now)));
            written += inserted.execute(&mut **transaction).traced(sql(name)).await?.rows_affected();
        }
    }
    if u64::try_from(firings.len()) != Ok(written) {
        let all = firings.len();
        tracing::warn!(all, written, "of {all} firings that were planned only {written} were new");
    }
    Ok(())
}

fn new(firing: &NewFiring, now: Timestamp) -> Value {
    let key = &firing.key;
    json!([
        key.job,
        key.scheduled_for,
        key.incarnation,
        firing.revision,
        firing.target,
        firing.overlap.as_str(),
        i64::from(firing.triggered),
        firing.due_at,
        firing.due_at.max(now),
        firing.fence,
    ])
}

const INSERT_HOT: &str = "
    INSERT INTO firings (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence, attempts)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, 0
    FROM json_each(?1)
    WHERE NOT EXISTS (
        SELECT 1
        FROM history
        WHERE job_id = value ->> 0
          AND scheduled_for = value ->> 1
          AND incarnation = value ->> 2
    )
    ON CONFLICT DO NOTHING";

const INSERT_WAITING: &str = "
    INSERT INTO waiting (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 9, 0
    FROM json_each(?1)
    WHERE NOT EXISTS (
        SELECT 1
        FROM history
        WHERE job_id = value ->> 0
          AND scheduled_for = value ->> 1
          AND incarnation = value ->> 2
    )
    ON CONFLICT DO NOTHING";

/// Puts on record what came to its end without a lease.
pub async fn insert_ended(transaction: &mut Tx, ended: &[&Ended]) -> Result<(), StoreError> {
    if ended.is_empty() {
        return Ok(());
    }
    let row = |one: &&Ended| {
        json!([
            one.key.job,
            one.key.scheduled_for,
            one.key.incarnation,
            one.life.as_str(),
            one.reason,
            one.message,
            one.attempts,
            i64::from(one.triggered),
            one.due_at,
            one.started_at,
            one.ended_at,
            one.until,
            one.count,
            one.fence,
        ])
    };
    sqlx::query(
        "INSERT INTO history (job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at,
             ended_at, skipped_until, firings, fence)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
             value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
         FROM json_each(?1)
         WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(array(ended, row))
    .execute(&mut **transaction)
    .traced(sql("INSERT history"))
    .await?;
    Ok(())
}

pub async fn lease(pool: &SqlitePool, ask: &LeaseAsk, now: Timestamp) -> Result<Vec<Leased>, StoreError> {
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "UPDATE firings
         SET ready_at = ?5,
             fence = fence + 1,
             attempts = attempts + 1,
             copy = ?6,
             started_at = ?2
         WHERE (job_id, scheduled_for, incarnation) IN (
             SELECT job_id, scheduled_for, incarnation
             FROM firings
             WHERE overlap = 'allow'
               AND ready_at > ?1
               AND ready_at <= ?2
               AND target NOT IN (SELECT value FROM json_each(?3))
             ORDER BY ready_at
             LIMIT ?4
         )
         RETURNING job_id, scheduled_for, incarnation, revision, target, fence, attempts, due_at, started_at, message",
    )
    .bind(since(ask.since))
    .bind(now.micros())
    .bind(array(&ask.busy, |target| json!(target)))
    .bind(i64::from(ask.limit))
    .bind(now.plus_micros(micros(ask.lease)).micros())
    .bind(&ask.copy)
    .fetch_all(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    rows.into_iter().map(LeasedRow::into_domain).collect()
}

pub async fn peek(pool: &SqlitePool, from: Option<Timestamp>, now: Timestamp) -> Result<Peek, StoreError> {
    let (next_ready, next_alone, has_turns): (Option<DbTime>, Option<DbTime>, bool) = sqlx::query_as(
        "SELECT (SELECT ready_at FROM firings WHERE overlap = 'allow' AND ready_at > ?2 ORDER BY ready_at LIMIT 1),
             (SELECT ready_at FROM firings WHERE overlap <> 'allow' AND ready_at > ?2 ORDER BY ready_at LIMIT 1),
             EXISTS (SELECT 1 FROM firings WHERE overlap <> 'allow' AND ready_at > ?1 AND ready_at <= ?2)",
    )
    .bind(since(from))
    .bind(now.micros())
    .fetch_one(pool)
    .traced(sql("SELECT firings"))
    .await?;
    let next_ready = [next_ready, next_alone].into_iter().flatten().map(|time| time.0).min();
    Ok(Peek { now, next_ready, has_turns })
}
