//! A batch of changes: locks first, everything else in new statements; then what was decided, set by set.

use std::collections::BTreeMap;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::JobId;

use super::{Keys, Tx, column, db_time, expect_rows, fire, sql};
use crate::domain::{BatchKeys, Definition, Ended, FiringKey, JobRow, Journal, NewFiring, Opened, Record};
use crate::store::rows::{DeadRow, JobDbRow, PendingRow, RecordRow, bigint, corrupt, text};

pub async fn open(transaction: &mut Tx, keys: &BatchKeys) -> Result<Opened, StoreError> {
    let jobs: Vec<&str> = keys.jobs.iter().map(JobId::as_str).collect();
    sqlx::query("SELECT job_id FROM jobs WHERE job_id = ANY($1) ORDER BY job_id FOR UPDATE")
        .bind(&jobs)
        .execute(&mut **transaction)
        .traced(sql("SELECT jobs FOR UPDATE"))
        .await?;
    let now: DbTime =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut **transaction).traced(sql("SELECT")).await?;
    let mut opened = Opened { now: now.0, ..Opened::default() };
    if !jobs.is_empty() {
        load_jobs(transaction, &jobs, &mut opened).await?;
    }
    if !keys.mutations.is_empty() {
        let wanted = keys.mutations.iter();
        let (callers, names): (Vec<&str>, Vec<&str>) =
            wanted.map(|key| (key.caller.as_str(), key.key.as_str())).unzip();
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT mutations.*
             FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
             JOIN mutations USING (caller, idempotency_key)",
        )
        .bind(callers)
        .bind(names)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT mutations"))
        .await?;
        opened.records = rows.into_iter().map(RecordRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.dead.is_empty() {
        let Keys { jobs, times, incarnations, .. } = Keys::of(&keys.dead);
        let rows: Vec<DeadRow> = sqlx::query_as(
            "SELECT *
             FROM dead_letters
             WHERE (job_id, scheduled_for, incarnation) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]))
             ORDER BY job_id, scheduled_for, incarnation
             FOR UPDATE",
        )
        .bind(jobs)
        .bind(times)
        .bind(incarnations)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT dead_letters FOR UPDATE"))
        .await?;
        opened.dead = rows.into_iter().map(DeadRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(opened)
}

/// Reads jobs that are locked, what of them never began, and how far they ever came.
async fn load_jobs(transaction: &mut Tx, jobs: &[&str], opened: &mut Opened) -> Result<(), StoreError> {
    let rows: Vec<JobDbRow> = sqlx::query_as(
        "SELECT jobs.*, definitions.spec
         FROM jobs
         LEFT JOIN definitions USING (job_id, incarnation, revision)
         WHERE jobs.job_id = ANY($1)",
    )
    .bind(jobs)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT jobs"))
    .await?;
    opened.jobs = rows.into_iter().map(JobDbRow::into_domain).collect::<Result<_, _>>()?;
    let mut pending: Vec<PendingRow> = Vec::new();
    for (statement, name) in [
        (
            "SELECT job_id, scheduled_for, incarnation, triggered FROM firings WHERE job_id = ANY($1) AND attempts = 0 FOR UPDATE",
            "SELECT firings FOR UPDATE",
        ),
        (
            "SELECT job_id, scheduled_for, incarnation, triggered FROM waiting WHERE job_id = ANY($1) AND attempts = 0 FOR UPDATE",
            "SELECT waiting FOR UPDATE",
        ),
    ] {
        let rows = sqlx::query_as(statement).bind(jobs).fetch_all(&mut **transaction).traced(sql(name)).await?;
        pending.extend::<Vec<PendingRow>>(rows);
    }
    opened.pending = pending.into_iter().map(PendingRow::into_domain).collect::<Result<_, _>>()?;
    let seen: Vec<(String, Option<DbTime>)> = sqlx::query_as(
        "SELECT jobs.job_id, greatest(
             (SELECT scheduled_for FROM history AS old
              WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND NOT old.triggered
              ORDER BY scheduled_for DESC LIMIT 1),
             (SELECT skipped_until FROM history AS old
              WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND NOT old.triggered
              ORDER BY scheduled_for DESC LIMIT 1),
             (SELECT scheduled_for FROM dead_letters AS old
              WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND NOT old.triggered
              ORDER BY scheduled_for DESC LIMIT 1),
             (SELECT max(scheduled_for) FROM firings AS old
              WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND NOT old.triggered AND attempts > 0),
             (SELECT max(scheduled_for) FROM waiting AS old
              WHERE old.job_id = jobs.job_id AND old.incarnation = jobs.incarnation AND NOT old.triggered AND attempts > 0))
         FROM jobs
         WHERE jobs.job_id = ANY($1)",
    )
    .bind(jobs)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT history"))
    .await?;
    let mut latest = BTreeMap::new();
    for (job, time) in seen {
        if let Some(time) = time {
            latest.insert(job.parse().map_err(corrupt)?, time.0);
        }
    }
    opened.seen = latest;
    Ok(())
}

/// Writes everything, keys first, so that a copy that used one stops the batch before it has written anything else.
pub async fn write(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    if !journal.records.is_empty() {
        records(transaction, &journal.records).await?;
    }
    jobs(transaction, journal).await?;
    if !journal.definitions.is_empty() {
        definitions(transaction, &journal.definitions, journal).await?;
    }
    if !journal.revived.is_empty() {
        let gone = delete(transaction, REVIVE, "DELETE dead_letters", &journal.revived).await?;
        expect_rows(journal.revived.len(), gone)?;
    }
    if !journal.taken_back.is_empty() {
        let hot = delete(transaction, TAKE_BACK, "DELETE firings", &journal.taken_back).await?;
        let later = delete(transaction, TAKE_BACK_WAITING, "DELETE waiting", &journal.taken_back).await?;
        expect_rows(journal.taken_back.len(), hot.saturating_add(later))?;
    }
    let firings: Vec<&NewFiring> = journal.firings.iter().collect();
    fire::insert(transaction, &firings, journal.time).await?;
    let ended: Vec<&Ended> = journal.ended.iter().collect();
    fire::insert_ended(transaction, &ended).await
}

/// Inserts plainly: a duplicate means that another copy used the key first.
async fn records(transaction: &mut Tx, records: &[Record]) -> Result<(), StoreError> {
    let outcomes = records.iter().map(|record| text(&record.outcome)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[])",
    )
    .bind(column(records, |record| record.key.caller.as_str()))
    .bind(column(records, |record| record.key.key.as_str()))
    .bind(column(records, |record| record.method.as_str()))
    .bind(column(records, |record| record.fingerprint.digest.as_slice()))
    .bind(column(records, |record| record.fingerprint.fields.as_str()))
    .bind(outcomes)
    .bind(column(records, |record| db_time(record.time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT mutations"))
    .await?;
    expect_rows(records.len(), written.rows_affected())
}

/// New jobs are inserted plainly, others are written only over the number that was loaded.
async fn jobs(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    if !journal.removed.is_empty() {
        let removed = sqlx::query(
            "DELETE FROM jobs
             USING unnest($1::text[], $2::bigint[]) AS gone (job_id, plan)
             WHERE jobs.job_id = gone.job_id
               AND jobs.plan = gone.plan",
        )
        .bind(column(&journal.removed, |(id, _)| id.as_str()))
        .bind(column(&journal.removed, |(_, plan)| bigint(*plan)))
        .execute(&mut **transaction)
        .traced(sql("DELETE jobs"))
        .await?;
        expect_rows(journal.removed.len(), removed.rows_affected())?;
    }
    if !journal.made.is_empty() {
        let made: Vec<(&JobRow, u64)> = journal.made.iter().map(|row| (row, 0)).collect();
        let inserted = job_rows(transaction, MAKE, "INSERT jobs", &made).await?;
        expect_rows(made.len(), inserted)?;
    }
    if !journal.changed.is_empty() {
        let changed: Vec<(&JobRow, u64)> = journal.changed.iter().map(|(row, loaded)| (row, *loaded)).collect();
        let updated = job_rows(transaction, CHANGE, "UPDATE jobs", &changed).await?;
        expect_rows(changed.len(), updated)?;
    }
    Ok(())
}

const MAKE: &str = "
    INSERT INTO jobs (job_id, job_group, incarnation, revision, paused, version, plan, next_at, wake_at, created_at, updated_at)
    SELECT job_id, job_group, incarnation, revision, paused, version, plan, next_at,
        greatest(coalesce(next_at, clock_timestamp()), clock_timestamp()), created_at, updated_at
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bigint[], $8::timestamptz[],
            $9::timestamptz[], $10::timestamptz[], $11::bigint[])
        AS made (job_id, job_group, incarnation, revision, paused, version, plan, next_at, created_at, updated_at, loaded_plan)";

const CHANGE: &str = "
    UPDATE jobs
    SET job_group = changed.job_group,
        incarnation = changed.incarnation,
        revision = changed.revision,
        paused = changed.paused,
        version = changed.version,
        plan = changed.plan,
        next_at = changed.next_at,
        wake_at = greatest(coalesce(changed.next_at, clock_timestamp()), clock_timestamp()),
        created_at = changed.created_at,
        updated_at = changed.updated_at
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bigint[], $8::timestamptz[],
            $9::timestamptz[], $10::timestamptz[], $11::bigint[])
        AS changed (job_id, job_group, incarnation, revision, paused, version, plan, next_at, created_at, updated_at, loaded_plan)
    WHERE jobs.job_id = changed.job_id
      AND jobs.plan = changed.loaded_plan";

async fn job_rows(
    transaction: &mut Tx,
    statement: &'static str,
    name: &'static str,
    rows: &[(&JobRow, u64)],
) -> Result<u64, StoreError> {
    let written = sqlx::query(statement)
        .bind(column(rows, |(row, _)| row.job.id.as_str()))
        .bind(column(rows, |(row, _)| row.job.group.as_str()))
        .bind(column(rows, |(row, _)| row.job.incarnation.number()))
        .bind(column(rows, |(row, _)| bigint(row.job.revision)))
        .bind(column(rows, |(row, _)| row.job.paused))
        .bind(column(rows, |(row, _)| bigint(row.job.version)))
        .bind(column(rows, |(row, _)| bigint(row.plan)))
        .bind(column(rows, |(row, _)| row.job.next_at.map(db_time)))
        .bind(column(rows, |(row, _)| db_time(row.job.created_at)))
        .bind(column(rows, |(row, _)| db_time(row.job.updated_at)))
        .bind(column(rows, |(_, loaded)| bigint(*loaded)))
        .execute(&mut **transaction)
        .traced(sql(name))
        .await?;
    Ok(written.rows_affected())
}

async fn definitions(transaction: &mut Tx, definitions: &[Definition], journal: &Journal) -> Result<(), StoreError> {
    let specs = definitions.iter().map(|one| text(one.spec.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "INSERT INTO definitions (job_id, incarnation, revision, spec, created_at)
         SELECT job_id, incarnation, revision, spec, $5
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS new (job_id, incarnation, revision, spec)",
    )
    .bind(column(definitions, |one| one.job.as_str()))
    .bind(column(definitions, |one| one.incarnation.number()))
    .bind(column(definitions, |one| bigint(one.revision)))
    .bind(specs)
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT definitions"))
    .await?;
    expect_rows(definitions.len(), written.rows_affected())
}

const REVIVE: &str = "
    DELETE FROM dead_letters
    USING unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[]) AS gone (slot, job_id, scheduled_for, incarnation)
    WHERE dead_letters.job_id = gone.job_id
      AND dead_letters.scheduled_for = gone.scheduled_for
      AND dead_letters.incarnation = gone.incarnation";

const TAKE_BACK: &str = "
    DELETE FROM firings
    USING unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[]) AS gone (slot, job_id, scheduled_for, incarnation)
    WHERE firings.slot = gone.slot
      AND firings.job_id = gone.job_id
      AND firings.scheduled_for = gone.scheduled_for
      AND firings.incarnation = gone.incarnation
      AND firings.attempts = 0";

const TAKE_BACK_WAITING: &str = "
    DELETE FROM waiting
    USING unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[]) AS gone (slot, job_id, scheduled_for, incarnation)
    WHERE waiting.job_id = gone.job_id
      AND waiting.scheduled_for = gone.scheduled_for
      AND waiting.incarnation = gone.incarnation
      AND waiting.attempts = 0";

async fn delete(
    transaction: &mut Tx,
    statement: &'static str,
    name: &'static str,
    keys: &[FiringKey],
) -> Result<u64, StoreError> {
    let Keys { slots, jobs, times, incarnations } = Keys::of(keys);
    let gone = sqlx::query(statement).bind(slots).bind(jobs).bind(times).bind(incarnations);
    Ok(gone.execute(&mut **transaction).traced(sql(name)).await?.rows_affected())
}
