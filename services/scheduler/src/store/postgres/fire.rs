//! From a job's time to a leased firing.

use std::collections::BTreeSet;
use std::time::Duration;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{JobId, TargetId};
use auric_time::Timestamp;
use sqlx::postgres::PgPool;

use super::{Tx, column, db_time, micros, since, sql};
use crate::domain::{Ended, NewFiring};
use crate::store::rows::{HOT_MICROS, JobDbRow, LeasedRow, bigint, corrupt, integer, slot_of};
use crate::store::{DueAsk, DueJobs, LeaseAsk, Leased, Peek, PlannedJob};

/// Reads jobs whose time comes, and the clock before them: they are planned by a time that is not later than what is true.
pub async fn due_jobs(pool: &PgPool, ask: &DueAsk) -> Result<DueJobs, StoreError> {
    let within = micros(ask.within);
    let (now, next_at): (DbTime, Option<DbTime>) = sqlx::query_as(
        "SELECT statement_timestamp(),
             (SELECT wake_at
              FROM jobs
              WHERE NOT paused
                AND next_at IS NOT NULL
                AND wake_at > statement_timestamp() + $1 * interval '1 microsecond'
              ORDER BY wake_at
              LIMIT 1)",
    )
    .bind(within)
    .fetch_one(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    let rows: Vec<JobDbRow> = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM (
             SELECT *
             FROM jobs
             WHERE NOT paused
               AND next_at IS NOT NULL
               AND wake_at > $1
               AND wake_at <= $2
             ORDER BY wake_at
             LIMIT $3
         ) AS jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)",
    )
    .bind(since(ask.since))
    .bind(db_time(now.0.plus_micros(within)))
    .bind(i64::from(ask.limit))
    .fetch_all(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    let jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<_, _>>()?;
    Ok(DueJobs { now: now.0, jobs, next_at: next_at.map(|time| time.0) })
}

/// Moves jobs first; only what was moved gets its firings.
pub async fn plan(transaction: &mut Tx, planned: &[PlannedJob], now: Timestamp) -> Result<Vec<JobId>, StoreError> {
    let moved: Vec<String> = sqlx::query_scalar(
        "WITH mine AS MATERIALIZED (
             SELECT jobs.job_id, planned.next_at
             FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) AS planned (job_id, plan, next_at)
             JOIN jobs ON jobs.job_id = planned.job_id AND jobs.plan = planned.plan
             WHERE NOT jobs.paused
             ORDER BY jobs.job_id
             FOR UPDATE OF jobs SKIP LOCKED
         )
         UPDATE jobs
         SET next_at = mine.next_at,
             plan = jobs.plan + 1,
             wake_at = greatest(coalesce(mine.next_at, statement_timestamp()), statement_timestamp())
         FROM mine
         WHERE jobs.job_id = mine.job_id
         RETURNING jobs.job_id",
    )
    .bind(column(planned, |job| job.job.as_str()))
    .bind(column(planned, |job| bigint(job.plan)))
    .bind(column(planned, |job| job.next_at.map(db_time)))
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
    if !hot.is_empty() {
        written += insert_hot(transaction, &hot).await?;
    }
    if !later.is_empty() {
        written += insert_waiting(transaction, &later).await?;
    }
    if u64::try_from(firings.len()) != Ok(written) {
        let all = firings.len();
        tracing::warn!(all, written, "of {all} firings that were planned only {written} were new");
    }
    Ok(())
}

async fn insert_hot(transaction: &mut Tx, hot: &[&NewFiring]) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO firings (slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence,
             attempts)
         SELECT slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at,
             greatest(due_at, statement_timestamp()), fence, 0
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::boolean[],
                 $9::timestamptz[], $10::bigint[])
             AS new (slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence)
         WHERE NOT EXISTS (
             SELECT 1
             FROM history
             WHERE history.job_id = new.job_id
               AND history.scheduled_for = new.scheduled_for
               AND history.incarnation = new.incarnation
         )
         ON CONFLICT DO NOTHING",
    )
    .bind(column(hot, |firing| slot_of(firing.key.scheduled_for)))
    .bind(column(hot, |firing| firing.key.job.as_str()))
    .bind(column(hot, |firing| db_time(firing.key.scheduled_for)))
    .bind(column(hot, |firing| firing.key.incarnation.number()))
    .bind(column(hot, |firing| bigint(firing.revision)))
    .bind(column(hot, |firing| firing.target.as_str()))
    .bind(column(hot, |firing| firing.overlap.as_str()))
    .bind(column(hot, |firing| firing.triggered))
    .bind(column(hot, |firing| db_time(firing.due_at)))
    .bind(column(hot, |firing| bigint(firing.fence)))
    .execute(&mut **transaction)
    .traced(sql("INSERT firings"))
    .await?;
    Ok(inserted.rows_affected())
}

async fn insert_waiting(transaction: &mut Tx, later: &[&NewFiring]) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO waiting (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts)
         SELECT job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, 0
         FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[],
                 $8::timestamptz[], $9::bigint[])
             AS new (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence)
         WHERE NOT EXISTS (
             SELECT 1
             FROM history
             WHERE history.job_id = new.job_id
               AND history.scheduled_for = new.scheduled_for
               AND history.incarnation = new.incarnation
         )
         ON CONFLICT DO NOTHING",
    )
    .bind(column(later, |firing| firing.key.job.as_str()))
    .bind(column(later, |firing| db_time(firing.key.scheduled_for)))
    .bind(column(later, |firing| firing.key.incarnation.number()))
    .bind(column(later, |firing| bigint(firing.revision)))
    .bind(column(later, |firing| firing.target.as_str()))
    .bind(column(later, |firing| firing.overlap.as_str()))
    .bind(column(later, |firing| firing.triggered))
    .bind(column(later, |firing| db_time(firing.due_at)))
    .bind(column(later, |firing| bigint(firing.fence)))
    .execute(&mut **transaction)
    .traced(sql("INSERT waiting"))
    .await?;
    Ok(inserted.rows_affected())
}

/// Puts on record what came to its end without a lease.
pub async fn insert_ended(transaction: &mut Tx, ended: &[&Ended]) -> Result<(), StoreError> {
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO history (job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at,
             ended_at, skipped_until, firings, fence)
         SELECT *
         FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::boolean[],
             $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::bigint[])
         ON CONFLICT DO NOTHING",
    )
    .bind(column(ended, |one| one.key.job.as_str()))
    .bind(column(ended, |one| db_time(one.key.scheduled_for)))
    .bind(column(ended, |one| one.key.incarnation.number()))
    .bind(column(ended, |one| one.life.as_str()))
    .bind(column(ended, |one| one.reason.as_str()))
    .bind(column(ended, |one| one.message.as_str()))
    .bind(column(ended, |one| integer(one.attempts)))
    .bind(column(ended, |one| one.triggered))
    .bind(column(ended, |one| db_time(one.due_at)))
    .bind(column(ended, |one| one.started_at.map(db_time)))
    .bind(column(ended, |one| db_time(one.ended_at)))
    .bind(column(ended, |one| db_time(one.until)))
    .bind(column(ended, |one| bigint(one.count)))
    .bind(column(ended, |one| bigint(one.fence)))
    .execute(&mut **transaction)
    .traced(sql("INSERT history"))
    .await?;
    Ok(())
}

pub async fn put_off(pool: &PgPool, jobs: &[(JobId, u64)], by: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "WITH mine AS MATERIALIZED (
             SELECT jobs.job_id
             FROM unnest($1::text[], $2::bigint[]) AS wanted (job_id, plan)
             JOIN jobs ON jobs.job_id = wanted.job_id AND jobs.plan = wanted.plan
             ORDER BY jobs.job_id
             FOR UPDATE OF jobs SKIP LOCKED
         )
         UPDATE jobs
         SET wake_at = statement_timestamp() + $3 * interval '1 microsecond'
         FROM mine
         WHERE jobs.job_id = mine.job_id",
    )
    .bind(column(jobs, |(id, _)| id.as_str()))
    .bind(column(jobs, |(_, plan)| bigint(*plan)))
    .bind(micros(by))
    .execute(pool)
    .traced(sql("UPDATE jobs"))
    .await?;
    Ok(())
}

/// One statement: what another copy is taking at this moment is left to it.
pub async fn lease(pool: &PgPool, ask: &LeaseAsk) -> Result<Vec<Leased>, StoreError> {
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "WITH ready AS MATERIALIZED (
             SELECT slot, job_id, scheduled_for, incarnation
             FROM firings
             WHERE overlap = 'allow'
               AND ready_at > $1
               AND ready_at <= statement_timestamp()
               AND target <> ALL($2)
             ORDER BY ready_at
             LIMIT $3
             FOR UPDATE SKIP LOCKED
         )
         UPDATE firings
         SET ready_at = statement_timestamp() + $4 * interval '1 microsecond',
             fence = firings.fence + 1,
             attempts = firings.attempts + 1,
             copy = $5,
             started_at = statement_timestamp()
         FROM ready
         WHERE firings.slot = ready.slot
           AND firings.job_id = ready.job_id
           AND firings.scheduled_for = ready.scheduled_for
           AND firings.incarnation = ready.incarnation
         RETURNING firings.job_id, firings.scheduled_for, firings.incarnation, revision, target, fence, attempts, due_at, started_at, message",
    )
    .bind(since(ask.since))
    .bind(column(&ask.busy, TargetId::as_str))
    .bind(i64::from(ask.limit))
    .bind(micros(ask.lease))
    .bind(&ask.copy)
    .fetch_all(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    rows.into_iter().map(LeasedRow::into_domain).collect()
}

pub async fn peek(pool: &PgPool, from: Option<Timestamp>) -> Result<Peek, StoreError> {
    let (now, next_ready, next_alone, has_turns): (DbTime, Option<DbTime>, Option<DbTime>, bool) = sqlx::query_as(
        "SELECT statement_timestamp(),
             (SELECT ready_at
              FROM firings
              WHERE overlap = 'allow'
                AND ready_at > statement_timestamp()
              ORDER BY ready_at
              LIMIT 1),
             (SELECT ready_at
              FROM firings
              WHERE overlap <> 'allow'
                AND ready_at > statement_timestamp()
              ORDER BY ready_at
              LIMIT 1),
             EXISTS (
                 SELECT 1
                 FROM firings
                 WHERE overlap <> 'allow'
                   AND ready_at > $1
                   AND ready_at <= statement_timestamp())",
    )
    .bind(since(from))
    .fetch_one(pool)
    .traced(sql("SELECT firings"))
    .await?;
    let next_ready = [next_ready, next_alone].into_iter().flatten().map(|time| time.0).min();
    Ok(Peek { now: now.0, next_ready, has_turns })
}
