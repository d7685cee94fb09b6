//! Reads: they take no lock.

use std::collections::BTreeMap;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{JobGroupId, JobId, TargetId};
use auric_time::Timestamp;
use serde_json::json;
use sqlx::SqlitePool;

use super::{array, sql};
use crate::domain::{DeadLetter, Definition, Firing, Job, Life};
use crate::store::rows::{CountsRow, DeadRow, DefinitionRow, FiringRow, JobDbRow, corrupt, told};
use crate::store::{Counts, DeadQuery, FiringsQuery, JobsQuery, Revision};

pub async fn definitions(pool: &SqlitePool, wanted: &[Revision]) -> Result<Vec<Definition>, StoreError> {
    let rows: Vec<DefinitionRow> = sqlx::query_as(
        "SELECT definitions.job_id, definitions.incarnation, definitions.revision, spec
         FROM json_each(?1) AS wanted
         CROSS JOIN definitions ON job_id = wanted.value ->> 0 AND incarnation = wanted.value ->> 1 AND revision = wanted.value ->> 2",
    )
    .bind(array(wanted, |(job, incarnation, revision)| json!([job, incarnation, revision])))
    .fetch_all(pool)
    .traced(sql("SELECT definitions"))
    .await?;
    Ok(rows.into_iter().filter_map(DefinitionRow::into_domain).collect())
}

pub async fn job(pool: &SqlitePool, id: &JobId) -> Result<Option<Job>, StoreError> {
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

pub async fn jobs(pool: &SqlitePool, query: &JobsQuery) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)
         WHERE jobs.job_id > $1
           AND ($2 IS NULL OR job_group = $2)
           AND ($3 IS NULL OR paused = $3)
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
async fn tell(pool: &SqlitePool, rows: Vec<JobDbRow>) -> Result<Vec<Job>, StoreError> {
    let jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<Vec<_>, _>>()?;
    let names = array(&jobs, |row| json!([row.job.id, row.job.incarnation]));
    let planned: Vec<(String, DbTime)> = sqlx::query_as(
        "SELECT job_id, min(scheduled_for)
         FROM (
             SELECT job_id, scheduled_for
             FROM json_each($1) AS wanted
             CROSS JOIN firings ON job_id = wanted.value ->> 0 AND attempts = 0 AND triggered = 0
             UNION ALL
             SELECT job_id, scheduled_for
             FROM json_each($1) AS wanted
             CROSS JOIN waiting ON job_id = wanted.value ->> 0 AND attempts = 0 AND triggered = 0
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
        "SELECT *
         FROM (
             SELECT old.job_id, scheduled_for, old.incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
                 skipped_until, firings
             FROM json_each($1) AS wanted
             CROSS JOIN history AS old ON old.job_id = wanted.value ->> 0 AND old.incarnation = wanted.value ->> 1
                 AND old.scheduled_for = (SELECT scheduled_for FROM history AS newest
                     WHERE newest.job_id = wanted.value ->> 0 AND newest.incarnation = wanted.value ->> 1
                     ORDER BY scheduled_for DESC LIMIT 1)
             UNION ALL
             SELECT old.job_id, scheduled_for, old.incarnation, 'dead', reason, message, attempts, triggered, due_at, started_at, ended_at,
                 scheduled_for, 1
             FROM json_each($1) AS wanted
             CROSS JOIN dead_letters AS old ON old.job_id = wanted.value ->> 0 AND old.incarnation = wanted.value ->> 1
                 AND old.scheduled_for = (SELECT scheduled_for FROM dead_letters AS newest
                     WHERE newest.job_id = wanted.value ->> 0 AND newest.incarnation = wanted.value ->> 1
                     ORDER BY scheduled_for DESC LIMIT 1)
         )
         ORDER BY scheduled_for",
    )
    .bind(&names)
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    told(jobs, &planned, last)
}

pub async fn firings(pool: &SqlitePool, query: &FiringsQuery) -> Result<Vec<Firing>, StoreError> {
    let rows: Vec<FiringRow> = sqlx::query_as(
        "SELECT *
         FROM (
             SELECT * FROM (SELECT job_id, scheduled_for, incarnation, CASE WHEN attempts = 0 THEN 'pending' WHEN copy IS NULL THEN 'retrying'
                  ELSE 'running' END AS state, '' AS reason, message, attempts, triggered, due_at, started_at, NULL AS ended_at,
                  scheduled_for AS skipped_until, 1 AS firings
              FROM firings
              WHERE job_id = $1 AND ($2 IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4 IS NULL OR $4 = CASE WHEN attempts = 0 THEN 'pending' WHEN copy IS NULL THEN 'retrying' ELSE 'running' END)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             SELECT * FROM (SELECT job_id, scheduled_for, incarnation, CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, '', message, attempts,
                  triggered, due_at, started_at, NULL, scheduled_for, 1
              FROM waiting
              WHERE job_id = $1 AND ($2 IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4 IS NULL OR $4 = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             SELECT * FROM (SELECT job_id, scheduled_for, incarnation, 'dead', reason, message, attempts, triggered, due_at, started_at, ended_at,
                  scheduled_for, 1
              FROM dead_letters
              WHERE job_id = $1 AND ($2 IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4 IS NULL OR $4 = 'dead')
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
             UNION ALL
             SELECT * FROM (SELECT job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
                  skipped_until, firings
              FROM history
              WHERE job_id = $1 AND ($2 IS NULL OR (scheduled_for, incarnation) < ($2, $3))
                AND ($4 IS NULL OR $4 = state)
              ORDER BY scheduled_for DESC, incarnation DESC
              LIMIT $5)
         ) AS firings
         ORDER BY scheduled_for DESC, incarnation DESC
         LIMIT $5",
    )
    .bind(query.job.as_str())
    .bind(query.before.map(|(time, _)| time.micros()))
    .bind(query.before.map(|(_, incarnation)| incarnation.number()))
    .bind(query.life.map(Life::as_str))
    .bind(i64::from(query.limit))
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    rows.into_iter().map(FiringRow::into_domain).collect()
}

pub async fn dead_letters(pool: &SqlitePool, query: &DeadQuery) -> Result<Vec<DeadLetter>, StoreError> {
    let after = query.after.as_ref();
    let rows: Vec<DeadRow> = sqlx::query_as(
        "SELECT *
         FROM dead_letters
         WHERE ($1 IS NULL OR (scheduled_for, job_id, incarnation) > ($1, $2, $3))
           AND ($4 IS NULL OR job_id = $4)
           AND ($5 IS NULL OR target = $5)
         ORDER BY scheduled_for, job_id, incarnation
         LIMIT $6",
    )
    .bind(after.map(|key| key.scheduled_for.micros()))
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

pub async fn counts(pool: &SqlitePool, now: Timestamp) -> Result<Counts, StoreError> {
    let row: CountsRow = sqlx::query_as(
        "SELECT ?1 AS now,
             (SELECT count(*) FROM jobs WHERE next_at IS NOT NULL) AS jobs,
             (SELECT count(*) FROM jobs WHERE next_at IS NOT NULL AND paused) AS paused,
             (SELECT count(*) FROM firings WHERE ready_at <= ?1) AS due,
             (SELECT min(min(ready_at, due_at)) FROM firings WHERE ready_at <= ?1) AS due_since,
             (SELECT count(*) FROM firings WHERE copy IS NOT NULL AND ready_at > ?1) AS running,
             (SELECT count(*) FROM firings WHERE copy IS NULL AND attempts > 0)
                 + (SELECT count(*) FROM waiting WHERE attempts > 0) AS retrying,
             (SELECT count(*) FROM dead_letters) AS dead",
    )
    .bind(now.micros())
    .fetch_one(pool)
    .traced(sql("SELECT firings"))
    .await?;
    Ok(row.into_domain())
}
