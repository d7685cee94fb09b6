//! Leasing firings that allow no other beside them.
//!
//! The job's row is the lock, and what is open is read in a new statement after it: whoever leased, or settled, before is seen. What was skipped while it was
//! not looked at (`SKIP LOCKED`) is looked at again by the next round.

use std::collections::{BTreeMap, BTreeSet};

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::TargetId;
use auric_time::Timestamp;

use super::{Keys, Tx, column, fire, micros, since, sql};
use crate::domain::{Ended, FiringKey};
use crate::store::rows::{Decided, KeyRow, LeasedRow, OpenRow, decide_turns};
use crate::store::{LeaseAsk, Leased, Turned};

/// After how long a firing that waits for its turn is looked at again.
const LOOK_AGAIN_MICROS: i64 = 250_000;

pub async fn take(transaction: &mut Tx, ask: &LeaseAsk) -> Result<Turned, StoreError> {
    let found = find(transaction, ask).await?;
    if found.is_empty() {
        return Ok(Turned::default());
    }
    let jobs = lock(transaction, &found).await?;
    let (now, open) = read(transaction, &jobs).await?;
    let Decided { run, skipped, queued, fences } = decide_turns(&open, now)?;
    skip(transaction, &skipped).await?;
    look_again(transaction, &queued).await?;
    let leased = lease(transaction, &run, &fences, ask).await?;
    Ok(Turned { leased, skipped })
}

/// Jobs of which something is ready.
async fn find(transaction: &mut Tx, ask: &LeaseAsk) -> Result<Vec<String>, StoreError> {
    let found = sqlx::query_scalar(
        "SELECT DISTINCT job_id
         FROM (
             SELECT job_id
             FROM firings
             WHERE overlap <> 'allow'
               AND ready_at > $1
               AND ready_at <= statement_timestamp()
               AND target <> ALL($2)
             ORDER BY ready_at
             LIMIT $3
         ) AS ready
         ORDER BY job_id",
    );
    let found = found.bind(since(ask.since)).bind(column(&ask.busy, TargetId::as_str)).bind(i64::from(ask.limit));
    Ok(found.fetch_all(&mut **transaction).traced(sql("SELECT firings")).await?)
}

/// Locks jobs, those left out that another copy has. A job that was deleted has at most one firing left, which has begun: its fence is lock enough.
async fn lock(transaction: &mut Tx, found: &[String]) -> Result<Vec<String>, StoreError> {
    let mut jobs: Vec<String> = sqlx::query_scalar(
        "SELECT job_id
         FROM jobs
         WHERE job_id = ANY($1)
         ORDER BY job_id
         FOR UPDATE SKIP LOCKED",
    )
    .bind(found)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT jobs FOR UPDATE"))
    .await?;
    if jobs.len() < found.len() {
        let gone: Vec<String> = sqlx::query_scalar(
            "SELECT job_id
             FROM unnest($1::text[]) AS wanted (job_id)
             WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job_id = wanted.job_id)",
        )
        .bind(found)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT jobs"))
        .await?;
        jobs.extend(gone);
    }
    Ok(jobs)
}

/// Reads all that is open of jobs that are locked.
async fn read(transaction: &mut Tx, jobs: &[String]) -> Result<(Timestamp, Vec<OpenRow>), StoreError> {
    let now: DbTime =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut **transaction).traced(sql("SELECT")).await?;
    let open = sqlx::query_as(
        "SELECT job_id, scheduled_for, incarnation, overlap, triggered, attempts, copy, fence, ready_at <= $2 AS is_ready
         FROM firings
         WHERE job_id = ANY($1)
         UNION ALL
         SELECT job_id, scheduled_for, incarnation, overlap, triggered, attempts, NULL, fence, false
         FROM waiting
         WHERE job_id = ANY($1)",
    );
    let open = open.bind(jobs).bind(now).fetch_all(&mut **transaction).traced(sql("SELECT firings")).await?;
    Ok((now.0, open))
}

async fn skip(transaction: &mut Tx, skipped: &[Ended]) -> Result<(), StoreError> {
    if skipped.is_empty() {
        return Ok(());
    }
    let Keys { slots, jobs, times, incarnations } = Keys::of(skipped.iter().map(|one| &one.key));
    let gone: Vec<KeyRow> = sqlx::query_as(
        "DELETE FROM firings
         USING unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[])
             AS skipped (slot, job_id, scheduled_for, incarnation)
         WHERE firings.slot = skipped.slot
           AND firings.job_id = skipped.job_id
           AND firings.scheduled_for = skipped.scheduled_for
           AND firings.incarnation = skipped.incarnation
           AND firings.attempts = 0
         RETURNING firings.job_id, firings.scheduled_for, firings.incarnation",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .fetch_all(&mut **transaction)
    .traced(sql("DELETE firings"))
    .await?;
    let gone = gone.into_iter().map(KeyRow::into_domain).collect::<Result<BTreeSet<FiringKey>, _>>()?;
    let skipped: Vec<&Ended> = skipped.iter().filter(|one| gone.contains(&one.key)).collect();
    fire::insert_ended(transaction, &skipped).await
}

/// What waits for its turn makes room for others in the order of what is ready.
async fn look_again(transaction: &mut Tx, queued: &BTreeSet<FiringKey>) -> Result<(), StoreError> {
    if queued.is_empty() {
        return Ok(());
    }
    let Keys { slots, jobs, times, incarnations } = Keys::of(queued);
    sqlx::query(
        "UPDATE firings
         SET ready_at = clock_timestamp() + $5 * interval '1 microsecond'
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[])
             AS queued (slot, job_id, scheduled_for, incarnation)
         WHERE firings.slot = queued.slot
           AND firings.job_id = queued.job_id
           AND firings.scheduled_for = queued.scheduled_for
           AND firings.incarnation = queued.incarnation
           AND firings.overlap <> 'allow'
           AND firings.attempts = 0",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .bind(LOOK_AGAIN_MICROS)
    .execute(&mut **transaction)
    .traced(sql("UPDATE firings"))
    .await?;
    Ok(())
}

/// Leases only what is as it was read.
async fn lease(
    transaction: &mut Tx,
    run: &[FiringKey],
    fences: &BTreeMap<FiringKey, i64>,
    ask: &LeaseAsk,
) -> Result<Vec<Leased>, StoreError> {
    if run.is_empty() {
        return Ok(Vec::new());
    }
    let Keys { slots, jobs, times, incarnations } = Keys::of(run);
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "UPDATE firings
         SET ready_at = clock_timestamp() + $6 * interval '1 microsecond',
             fence = firings.fence + 1,
             attempts = firings.attempts + 1,
             copy = $7,
             started_at = clock_timestamp()
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
             AS ready (slot, job_id, scheduled_for, incarnation, fence)
         WHERE firings.slot = ready.slot
           AND firings.job_id = ready.job_id
           AND firings.scheduled_for = ready.scheduled_for
           AND firings.incarnation = ready.incarnation
           AND firings.fence = ready.fence
           AND firings.target <> ALL($8)
         RETURNING firings.job_id, firings.scheduled_for, firings.incarnation, revision, target, firings.fence, attempts, due_at,
             started_at, message",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .bind(column(run, |key| fences.get(key).copied().unwrap_or(-1)))
    .bind(micros(ask.lease))
    .bind(&ask.copy)
    .bind(column(&ask.busy, TargetId::as_str))
    .fetch_all(&mut **transaction)
    .traced(sql("UPDATE firings"))
    .await?;
    rows.into_iter().map(LeasedRow::into_domain).collect()
}
