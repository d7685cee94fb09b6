//! Reads: they take no lock.

use std::collections::BTreeMap;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{JobGroupId, JobId, TargetId};
use sqlx::postgres::PgPool;

use super::{column, db_time, sql};
use crate::domain::{DeadLetter, Definition, Firing, Job, Life};
use crate::store::rows::{CountsRow, DeadRow, DefinitionRow, FiringRow, JobDbRow, bigint, corrupt, told};
use crate::store::{Counts, DeadQuery, FiringsQuery, JobsQuery, Revision};

pub async fn definitions(pool: &PgPool, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError> {
    let rows: Vec<DefinitionRow> = sqlx::query_as(
        "SELECT definitions.job_id, definitions.incarnation, definitions.revision, spec
         FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (job_id, incarnation, revision)
         JOIN definitions USING (job_id, incarnation, revision)",
    )
    .bind(column(wanted, |(job, ..)| job.as_str()))
    .bind(column(wanted, |(_, incarnation, _)| incarnation.number()))
    .bind(column(wanted, |(.., revision)| bigint(*revision)))
    .fetch_all(pool)
    .traced(sql("SELECT definitions"))
    .await?;
    Ok(rows.into_iter().filter_map(DefinitionRow::into_domain).collect())
}

pub async fn job(pool: &PgPool, id: &JobId) -> Result<Option<Job>, StoreError> {
    let row: Option<JobDbRow> = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)
         WHERE jobs.job_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    Ok(tell(pool, row.into_iter().collect()).await?.pop())
}

pub async fn jobs(pool: &PgPool, query: &JobsQuery) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)
         WHERE jobs.job_id > $1
           AND ($2::text IS NULL OR job_group = $2)
           AND ($3::boolean IS NULL OR paused = $3)
         ORDER BY jobs.job_id
         LIMIT $4",
    )
    .bind(query.after.as_ref().map_or("", JobId::as_str))
    .bind(query.group.as_ref().map(JobGroupId::as_str))
    .bind(query.paused)
    .bind(i64::from(query.limit))
    .fetch_all(pool)
    .traced(sql("SELECT jobs"))
    .await?;
    tell(pool, rows).await
}

/// Adds to jobs what else is told of them: the first of their firings that is planned, and the last that came to an end.
async fn tell(pool: &PgPool, rows: Vec<JobDbRow>) -> Result<Vec<Job>, StoreError> {
    let jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<Vec<_>, _>>()?;
    let names = column(&jobs, |row| row.job.id.as_str());
    let incarnations = column(&jobs, |row| row.job.incarnation.number());
    let planned: Vec<(String, DbTime)> = sqlx::query_as(
        "SELECT job_id, min(scheduled_for)
         FROM (
             SELECT job_id, scheduled_for FROM firings WHERE job_id = ANY($1) AND attempts = 0 AND NOT triggered
             UNION ALL
             SELECT job_id, scheduled_for FROM waiting WHERE job_id = ANY($1) AND attempts = 0 AND NOT triggered
         ) AS planned
         GROUP BY job_id",
    )
    .bind(&names)
    .fetch_all(pool)
    .traced(sql("SELECT firings"))
    .await?;
    let planned: BTreeMap<JobId, _> = planned
        .into_iter()
        .map(|(id, time)| Ok((id.parse().map_err(corrupt)?, time.0)))
        .collect::<Result<_, StoreError>>()?;
    let last: Vec<FiringRow> = sqlx::query_as(
        "SELECT last.*
         FROM unnest($1::text[], $2::bigint[]) AS wanted (job_id, incarnation)
         CROSS JOIN LATERAL (
             SELECT *
             FROM (
                 (SELECT job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
                      skipped_until, firings
                  FROM history
                  WHERE history.job_id = wanted.job_id AND history.incarnation = wanted.incarnation
                  ORDER BY scheduled_for DESC
                  LIMIT 1)
                 UNION ALL
                 (SELECT job_id, scheduled_for, incarnation, 'dead', reason, message, attempts, triggered, due_at, started_at, ended_at,
                      scheduled_for, 1
                  FROM dead_letters
                  WHERE dead_letters.job_id = wanted.job_id AND dead_letters.incarnation = wanted.incarnation
                  ORDER BY scheduled_for DESC
                  LIMIT 1)
             ) AS both_kinds
             ORDER BY scheduled_for DESC
             LIMIT 1
         ) AS last",
    )
    .bind(&names)
    .bind(incarnations)
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    told(jobs, &planned, last)
}

pub async fn firings(pool: &PgPool, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError> {
    let rows: Vec<FiringRow> = sqlx::query_as(
        "SELECT *
         FROM (
             (SELECT job_id, scheduled_for, incarnation, CASE WHEN attempts = 0 THEN 'pending' WHEN copy IS NULL THEN 'retrying'
                  ELSE 'running' END AS state, '' AS reason, message, attempts, triggered, due_at, started_at, NULL::timestamptz AS ended_at,
                  scheduled_for AS skipped_until, 1::bigint AS firings
              FROM firings
              WHERE job_id = $1 AND ($2::timestamptz IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4::text IS NULL OR $4 = CASE WHEN attempts = 0 THEN 'pending' WHEN copy IS NULL THEN 'retrying' ELSE 'running' END)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             (SELECT job_id, scheduled_for, incarnation, CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, '', message, attempts,
                  triggered, due_at, started_at, NULL, scheduled_for, 1
              FROM waiting
              WHERE job_id = $1 AND ($2::timestamptz IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4::text IS NULL OR $4 = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             (SELECT job_id, scheduled_for, incarnation, 'dead', reason, message, attempts, triggered, due_at, started_at, ended_at,
                  scheduled_for, 1
              FROM dead_letters
              WHERE job_id = $1 AND ($2::timestamptz IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4::text IS NULL OR $4 = 'dead')
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             (SELECT job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
                  skipped_until, firings
              FROM history
              WHERE job_id = $1 AND ($2::timestamptz IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4::text IS NULL OR $4 = state)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
         ) AS firings
         ORDER BY scheduled_for DESC, incarnation DESC
         LIMIT $5",
    )
    .bind(query.job.as_str())
    .bind(query.before.map(|(time, _)| db_time(time)))
    .bind(query.before.map(|(_, incarnation)| incarnation.number()))
    .bind(query.life.map(Life::as_str))
    .bind(i64::from(query.limit))
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    rows.into_iter().map(FiringRow::into_domain).collect()
}

pub async fn dead_letters(pool: &PgPool, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError> {
    let after = query.after.as_ref();
    let rows: Vec<DeadRow> = sqlx::query_as(
        "SELECT *
         FROM dead_letters
         WHERE ($1::timestamptz IS NULL OR (scheduled_for, job_id, incarnation) > ($1, $2, $3))
           AND ($4::text IS NULL OR job_id = $4)
           AND ($5::text IS NULL OR target = $5)
         ORDER BY scheduled_for, job_id, incarnation
         LIMIT $6",
    )
    .bind(after.map(|key| db_time(key.scheduled_for)))
    .bind(after.map(|key| key.job.as_str()))
    .bind(after.map(|key| key.incarnation.number()))
    .bind(query.job.as_ref().map(JobId::as_str))
    .bind(query.target.as_ref().map(TargetId::as_str))
    .bind(i64::from(query.limit))
    .fetch_all(pool)
    .traced(sql("SELECT dead_letters"))
    .await?;
    rows.into_iter().map(DeadRow::into_domain).collect()
}

pub async fn counts(pool: &PgPool) -> Result<Counts, StoreError> {
    let row: CountsRow = sqlx::query_as(
        "SELECT statement_timestamp() AS now,
             (SELECT count(*) FROM jobs WHERE next_at IS NOT NULL) AS jobs,
             (SELECT count(*) FROM jobs WHERE next_at IS NOT NULL AND paused) AS paused,
             due.firings AS due,
             due.since AS due_since,
             open.running,
             open.retrying + (SELECT count(*) FROM waiting WHERE attempts > 0) AS retrying,
             (SELECT count(*) FROM dead_letters) AS dead
         FROM (
             SELECT count(*) AS firings, min(least(ready_at, due_at)) AS since FROM firings WHERE ready_at <= statement_timestamp()
         ) AS due
         CROSS JOIN (
             SELECT count(*) FILTER (WHERE copy IS NOT NULL AND ready_at > statement_timestamp()) AS running,
                 count(*) FILTER (WHERE copy IS NULL AND attempts > 0) AS retrying
             FROM firings
         ) AS open",
    )
    .fetch_one(pool)
    .traced(sql("SELECT firings"))
    .await?;
    Ok(row.into_domain())
}
