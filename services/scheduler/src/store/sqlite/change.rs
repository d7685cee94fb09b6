//! A batch of changes: what is read, and what was decided.

use std::collections::BTreeMap;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_time::Timestamp;
use serde_json::{Value, json};

use super::{Tx, array, expect_rows, fire, keys as key_array, sql};
use crate::domain::{BatchKeys, Ended, JobRow, Journal, NewFiring, Opened};
use crate::store::rows::{DeadRow, JobDbRow, PendingRow, RecordRow, bigint, corrupt, text};

pub async fn open(transaction: &mut Tx, keys: &BatchKeys, now: Timestamp) -> Result<Opened, StoreError> {
    let mut opened = Opened { now, ..Opened::default() };
    if !keys.jobs.is_empty() {
        load_jobs(transaction, keys, &mut opened).await?;
    }
    if !keys.mutations.is_empty() {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT mutations.*
             FROM json_each(?1) AS wanted
             CROSS JOIN mutations ON caller = wanted.value ->> 0 AND idempotency_key = wanted.value ->> 1",
        )
        .bind(array(&keys.mutations, |key| json!([key.caller, key.key])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT mutations"))
        .await?;
        opened.records = rows.into_iter().map(RecordRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.dead.is_empty() {
        let rows: Vec<DeadRow> = sqlx::query_as(
            "SELECT dead_letters.*
             FROM json_each(?1) AS wanted
             CROSS JOIN dead_letters ON job_id = wanted.value ->> 0 AND scheduled_for = wanted.value ->> 1
                 AND incarnation = wanted.value ->> 2",
        )
        .bind(key_array(&keys.dead))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT dead_letters"))
        .await?;
        opened.dead = rows.into_iter().map(DeadRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(opened)
}

/// Reads jobs, what of them never began, and how far they ever came.
async fn load_jobs(transaction: &mut Tx, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
    let jobs = array(&keys.jobs, |job| json!(job));
    let rows: Vec<JobDbRow> = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM json_each(?1) AS wanted
         CROSS JOIN jobs ON jobs.job_id = wanted.value
         LEFT JOIN definitions USING (job_id, incarnation, revision)",
    )
    .bind(&jobs)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT jobs"))
    .await?;
    opened.jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<_, _>>()?;
    let pending: Vec<PendingRow> = sqlx::query_as(
        "SELECT job_id, scheduled_for, incarnation, triggered
         FROM json_each(?1) AS wanted
         CROSS JOIN firings ON job_id = wanted.value AND attempts = 0
         UNION ALL
         SELECT job_id, scheduled_for, incarnation, triggered
         FROM json_each(?1) AS wanted
         CROSS JOIN waiting ON job_id = wanted.value AND attempts = 0",
    )
    .bind(&jobs)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT firings"))
    .await?;
    opened.pending = pending.into_iter().map(PendingRow::into_domain).collect::<Result<_, _>>()?;
    let seen: Vec<(String, DbTime)> = sqlx::query_as(
        "SELECT job_id, max(time)
         FROM (
             SELECT jobs.job_id, (
                 SELECT max(scheduled_for, skipped_until) FROM history AS old
                 WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND old.triggered = 0
                 ORDER BY scheduled_for DESC LIMIT 1) AS time
             FROM json_each(?1) AS wanted
             CROSS JOIN jobs ON jobs.job_id = wanted.value
             UNION ALL
             SELECT old.job_id, scheduled_for
             FROM json_each(?1) AS wanted
             CROSS JOIN jobs ON jobs.job_id = wanted.value
             CROSS JOIN dead_letters AS old ON old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND old.triggered = 0
             UNION ALL
             SELECT old.job_id, scheduled_for
             FROM json_each(?1) AS wanted
             CROSS JOIN jobs ON jobs.job_id = wanted.value
             CROSS JOIN firings AS old ON old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND old.triggered = 0
                 AND old.attempts > 0
             UNION ALL
             SELECT old.job_id, scheduled_for
             FROM json_each(?1) AS wanted
             CROSS JOIN jobs ON jobs.job_id = wanted.value
             CROSS JOIN waiting AS old ON old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND old.triggered = 0
                 AND old.attempts > 0
         )
         WHERE time IS NOT NULL
         GROUP BY job_id",
    )
    .bind(&jobs)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT history"))
    .await?;
    let mut latest = BTreeMap::new();
    for (job, time) in seen {
        latest.insert(job.parse().map_err(corrupt)?, time.0);
    }
    opened.seen = latest;
    Ok(())
}

/// Writes everything, and counts every row.
pub async fn write(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let clock = journal.time;
    let records = journal.records.iter().map(|record| {
        Ok(json!([
            record.key.caller,
            record.key.key,
            record.method,
            hex::encode(record.fingerprint.digest),
            record.fingerprint.fields,
            text(&record.outcome)?,
            record.time,
        ]))
    });
    let records = records.collect::<Result<Vec<Value>, StoreError>>()?;
    rows(transaction, ("INSERT mutations", INSERT_RECORDS), records).await?;
    let removed = journal.removed.iter().map(|(id, plan)| json!([id, plan])).collect();
    rows(transaction, ("DELETE jobs", REMOVE), removed).await?;
    let made = journal.made.iter().map(|row| job(row, 0, clock)).collect();
    rows(transaction, ("INSERT jobs", MAKE), made).await?;
    let changed = journal.changed.iter().map(|(row, loaded)| job(row, *loaded, clock)).collect();
    rows(transaction, ("UPDATE jobs", CHANGE), changed).await?;
    let definitions = journal
        .definitions
        .iter()
        .map(|one| Ok(json!([one.job, one.incarnation, one.revision, text(one.spec.as_ref())?, clock])));
    let definitions = definitions.collect::<Result<Vec<Value>, StoreError>>()?;
    rows(transaction, ("INSERT definitions", INSERT_DEFINITIONS), definitions).await?;
    if !journal.revived.is_empty() {
        let gone = delete(transaction, REVIVE, &key_array(&journal.revived)).await?;
        expect_rows(journal.revived.len(), gone)?;
    }
    if !journal.taken_back.is_empty() {
        let keys = key_array(&journal.taken_back);
        let hot = delete(transaction, TAKE_BACK, &keys).await?;
        let later = delete(transaction, TAKE_BACK_WAITING, &keys).await?;
        expect_rows(journal.taken_back.len(), hot.saturating_add(later))?;
    }
    let firings: Vec<&NewFiring> = journal.firings.iter().collect();
    fire::insert(transaction, &firings, clock).await?;
    let ended: Vec<&Ended> = journal.ended.iter().collect();
    fire::insert_ended(transaction, &ended).await
}

/// Writes the rows of one table by one statement, and counts them.
async fn rows(
    transaction: &mut Tx,
    (name, statement): (&'static str, &'static str),
    rows: Vec<Value>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let written = sqlx::query(statement).bind(array(rows, |row| row));
    expect_rows(expected, written.execute(&mut **transaction).traced(sql(name)).await?.rows_affected())
}

async fn delete(transaction: &mut Tx, statement: &'static str, keys: &str) -> Result<u64, StoreError> {
    let gone = sqlx::query(statement).bind(keys).execute(&mut **transaction).traced(sql("DELETE firings")).await?;
    Ok(gone.rows_affected())
}

fn job(row: &JobRow, loaded: u64, clock: Timestamp) -> Value {
    let job = &row.job;
    json!([
        job.id,
        job.group,
        job.incarnation,
        bigint(job.revision),
        i64::from(job.paused),
        bigint(job.version),
        bigint(row.plan),
        job.next_at,
        job.next_at.unwrap_or(clock).max(clock),
        job.created_at,
        job.updated_at,
        bigint(loaded),
    ])
}

const INSERT_RECORDS: &str = "
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const REMOVE: &str = "
    DELETE FROM jobs
    WHERE (job_id, plan) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";

const MAKE: &str = "
    INSERT INTO jobs (job_id, job_group, incarnation, revision, paused, version, plan, next_at, wake_at, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10
    FROM json_each(?1)";

const CHANGE: &str = "
    UPDATE jobs
    SET job_group = changed.value ->> 1,
        incarnation = changed.value ->> 2,
        revision = changed.value ->> 3,
        paused = changed.value ->> 4,
        version = changed.value ->> 5,
        plan = changed.value ->> 6,
        next_at = changed.value ->> 7,
        wake_at = changed.value ->> 8,
        created_at = changed.value ->> 9,
        updated_at = changed.value ->> 10
    FROM json_each(?1) AS changed
    WHERE jobs.job_id = changed.value ->> 0
      AND jobs.plan = changed.value ->> 11";

const INSERT_DEFINITIONS: &str = "
    INSERT INTO definitions (job_id, incarnation, revision, spec, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each(?1)";

const REVIVE: &str = "
    DELETE FROM dead_letters
    WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))";

const TAKE_BACK: &str = "
    DELETE FROM firings
    WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))
      AND attempts = 0";

const TAKE_BACK_WAITING: &str = "
    DELETE FROM waiting
    WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))
      AND attempts = 0";
