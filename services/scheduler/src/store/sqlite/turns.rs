//! Leasing firings that allow no other beside them. The transaction has the file to itself: that is its lock.

use std::collections::BTreeSet;

use auric_db::{StoreError, Traced as _};
use auric_time::Timestamp;
use serde_json::json;

use super::{Tx, array, fire, keys, micros, since, sql};
use crate::domain::{Ended, FiringKey};
use crate::store::rows::{Decided, LeasedRow, OpenRow, decide_turns};
use crate::store::{LeaseAsk, Leased, Turned};

/// After how long a firing that waits for its turn is looked at again.
const LOOK_AGAIN_MICROS: i64 = 250_000;

pub async fn take(transaction: &mut Tx, ask: &LeaseAsk, now: Timestamp) -> Result<Turned, StoreError> {
    let jobs: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT job_id
         FROM (
             SELECT job_id
             FROM firings
             WHERE overlap <> 'allow'
               AND ready_at > ?1
               AND ready_at <= ?2
               AND target NOT IN (SELECT value FROM json_each(?3))
             ORDER BY ready_at
             LIMIT ?4
         )",
    )
    .bind(since(ask.since))
    .bind(now.micros())
    .bind(array(&ask.busy, |target| json!(target)))
    .bind(i64::from(ask.limit))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT firings"))
    .await?;
    if jobs.is_empty() {
        return Ok(Turned::default());
    }
    let open: Vec<OpenRow> = sqlx::query_as(
        "SELECT firings.job_id, scheduled_for, incarnation, overlap, triggered, attempts, copy, fence, ready_at <= ?2 AS is_ready
         FROM json_each(?1) AS wanted
         CROSS JOIN firings ON firings.job_id = wanted.value
         UNION ALL
         SELECT waiting.job_id, scheduled_for, incarnation, overlap, triggered, attempts, NULL, fence, 0
         FROM json_each(?1) AS wanted
         CROSS JOIN waiting ON waiting.job_id = wanted.value",
    )
    .bind(array(&jobs, |job| json!(job)))
    .bind(now.micros())
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT firings"))
    .await?;
    let Decided { run, skipped, queued, fences: _ } = decide_turns(&open, now)?;
    skip(transaction, &skipped).await?;
    look_again(transaction, &queued, now).await?;
    let leased = lease(transaction, &run, ask, now).await?;
    Ok(Turned { leased, skipped })
}

async fn skip(transaction: &mut Tx, skipped: &[Ended]) -> Result<(), StoreError> {
    if skipped.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM firings
         WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))",
    )
    .bind(keys(skipped.iter().map(|one| &one.key)))
    .execute(&mut **transaction)
    .traced(sql("DELETE firings"))
    .await?;
    let skipped: Vec<&Ended> = skipped.iter().collect();
    fire::insert_ended(transaction, &skipped).await
}

async fn look_again(transaction: &mut Tx, queued: &BTreeSet<FiringKey>, now: Timestamp) -> Result<(), StoreError> {
    if queued.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE firings
         SET ready_at = ?2
         WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))",
    )
    .bind(keys(queued))
    .bind(now.plus_micros(LOOK_AGAIN_MICROS).micros())
    .execute(&mut **transaction)
    .traced(sql("UPDATE firings"))
    .await?;
    Ok(())
}

async fn lease(
    transaction: &mut Tx,
    run: &[FiringKey],
    ask: &LeaseAsk,
    now: Timestamp,
) -> Result<Vec<Leased>, StoreError> {
    if run.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<LeasedRow> = sqlx::query_as(
        "UPDATE firings
         SET ready_at = ?2,
             fence = fence + 1,
             attempts = attempts + 1,
             copy = ?3,
             started_at = ?4
         WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))
           AND target NOT IN (SELECT value FROM json_each(?5))
         RETURNING job_id, scheduled_for, incarnation, revision, target, fence, attempts, due_at, started_at, message",
    )
    .bind(keys(run))
    .bind(now.plus_micros(micros(ask.lease)).micros())
    .bind(&ask.copy)
    .bind(now.micros())
    .bind(array(&ask.busy, |target| json!(target)))
    .fetch_all(&mut **transaction)
    .traced(sql("UPDATE firings"))
    .await?;
    rows.into_iter().map(LeasedRow::into_domain).collect()
}
