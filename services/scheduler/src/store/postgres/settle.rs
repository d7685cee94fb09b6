//! What becomes of leased firings: whoever has an older lease changes nothing.

use std::time::Duration;

use auric_db::{StoreError, Traced as _};
use sqlx::postgres::PgPool;

use super::{Keys, Tx, column, micros, sql};
use crate::domain::{End, FiringKey};
use crate::store::Settled;
use crate::store::rows::{HOT_MICROS, KeyRow, bigint};

pub async fn settle(transaction: &mut Tx, settled: &[Settled]) -> Result<Vec<FiringKey>, StoreError> {
    let (mut done, mut soon, mut later, mut dead) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in settled {
        match one.end {
            End::Done => done.push((one, 0, "")),
            End::Retry { after_micros } if after_micros <= HOT_MICROS => soon.push((one, after_micros, "")),
            End::Retry { after_micros } => later.push((one, after_micros, "")),
            End::Dead(reason) => dead.push((one, 0, reason)),
        }
    }
    let mut written = Vec::with_capacity(settled.len());
    for (statement, name, rows) in [
        (DONE, "INSERT history", done),
        (SOON, "UPDATE firings", soon),
        (LATER, "INSERT waiting", later),
        (DEAD, "INSERT dead_letters", dead),
    ] {
        if rows.is_empty() {
            continue;
        }
        let Keys { slots, jobs, times, incarnations } = Keys::of(rows.iter().map(|(one, ..)| &one.key));
        let keys: Vec<KeyRow> = sqlx::query_as(statement)
            .bind(slots)
            .bind(jobs)
            .bind(times)
            .bind(incarnations)
            .bind(column(&rows, |(one, ..)| bigint(one.fence)))
            .bind(column(&rows, |(one, ..)| one.message.as_str()))
            .bind(column(&rows, |(_, after_micros, _)| *after_micros))
            .bind(column(&rows, |(.., reason)| *reason))
            .fetch_all(&mut **transaction)
            .traced(sql(name))
            .await?;
        for key in keys {
            written.push(key.into_domain()?);
        }
    }
    Ok(written)
}

/// The rows of a batch, as each of the statements below takes them, and which of them the copy has a lease of.
macro_rules! over_mine {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::text[])
                  AS mine (slot, job_id, scheduled_for, incarnation, fence, message, after_micros, reason)
              WHERE firings.slot = mine.slot
                AND firings.job_id = mine.job_id
                AND firings.scheduled_for = mine.scheduled_for
                AND firings.incarnation = mine.incarnation
                AND firings.fence = mine.fence ",
            $after
        )
    };
}

const DONE: &str = over_mine!(
    "WITH gone AS (
         DELETE FROM firings
         USING",
    "    RETURNING firings.job_id, firings.scheduled_for, firings.incarnation, mine.message, attempts, triggered, due_at, started_at,
             firings.fence
     )
     INSERT INTO history (job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
         skipped_until, firings, fence)
     SELECT job_id, scheduled_for, incarnation, 'done', '', message, attempts, triggered, due_at, started_at, statement_timestamp(),
         scheduled_for, 1, fence
     FROM gone
     ON CONFLICT DO NOTHING
     RETURNING job_id, scheduled_for, incarnation"
);

const SOON: &str = over_mine!(
    "UPDATE firings
     SET ready_at = statement_timestamp() + mine.after_micros * interval '1 microsecond',
         due_at = statement_timestamp() + mine.after_micros * interval '1 microsecond',
         fence = firings.fence + 1,
         copy = NULL,
         message = mine.message
     FROM",
    "RETURNING firings.job_id, firings.scheduled_for, firings.incarnation"
);

const LATER: &str = over_mine!(
    "WITH gone AS (
         DELETE FROM firings
         USING",
    "    RETURNING firings.job_id, firings.scheduled_for, firings.incarnation, revision, target, overlap, triggered,
             statement_timestamp() + mine.after_micros * interval '1 microsecond' AS due_at, firings.fence + 1 AS fence, attempts, started_at,
             mine.message
     )
     INSERT INTO waiting (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts, started_at,
         message)
     SELECT job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts, started_at, message
     FROM gone
     RETURNING job_id, scheduled_for, incarnation"
);

const DEAD: &str = over_mine!(
    "WITH gone AS (
         DELETE FROM firings
         USING",
    "    RETURNING firings.job_id, firings.scheduled_for, firings.incarnation, revision, target, overlap, triggered, due_at, firings.fence,
             attempts, started_at, mine.reason, mine.message
     )
     INSERT INTO dead_letters (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts,
         started_at, ended_at, reason, message)
     SELECT job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts, started_at,
         statement_timestamp(), reason, message
     FROM gone
     RETURNING job_id, scheduled_for, incarnation"
);

/// Looks for what these leases may have come to: their fence, or the one behind it where they were put off.
pub async fn were_settled(pool: &PgPool, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError> {
    let Keys { slots, jobs, times, incarnations } = Keys::of(settled.iter().map(|(key, _)| key));
    let keys: Vec<KeyRow> = sqlx::query_as(
        "SELECT job_id, scheduled_for, incarnation
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
             AS mine (slot, job_id, scheduled_for, incarnation, fence)
         WHERE EXISTS (
                 SELECT 1
                 FROM history
                 WHERE history.job_id = mine.job_id
                   AND history.scheduled_for = mine.scheduled_for
                   AND history.incarnation = mine.incarnation
                   AND history.fence = mine.fence)
            OR EXISTS (
                 SELECT 1
                 FROM dead_letters
                 WHERE dead_letters.job_id = mine.job_id
                   AND dead_letters.scheduled_for = mine.scheduled_for
                   AND dead_letters.incarnation = mine.incarnation
                   AND dead_letters.fence = mine.fence)
            OR EXISTS (
                 SELECT 1
                 FROM waiting
                 WHERE waiting.job_id = mine.job_id
                   AND waiting.scheduled_for = mine.scheduled_for
                   AND waiting.incarnation = mine.incarnation
                   AND waiting.fence = mine.fence + 1)
            OR EXISTS (
                 SELECT 1
                 FROM firings
                 WHERE firings.slot = mine.slot
                   AND firings.job_id = mine.job_id
                   AND firings.scheduled_for = mine.scheduled_for
                   AND firings.incarnation = mine.incarnation
                   AND firings.fence = mine.fence + 1
                   AND firings.copy IS NULL)",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .bind(column(settled, |(_, fence)| bigint(*fence)))
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    keys.into_iter().map(KeyRow::into_domain).collect()
}

pub async fn extend(pool: &PgPool, held: &[(FiringKey, u64)], lease: Duration) -> Result<Vec<FiringKey>, StoreError> {
    let Keys { slots, jobs, times, incarnations } = Keys::of(held.iter().map(|(key, _)| key));
    let keys: Vec<KeyRow> = sqlx::query_as(
        "UPDATE firings
         SET ready_at = statement_timestamp() + $6 * interval '1 microsecond'
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
             AS mine (slot, job_id, scheduled_for, incarnation, fence)
         WHERE firings.slot = mine.slot
           AND firings.job_id = mine.job_id
           AND firings.scheduled_for = mine.scheduled_for
           AND firings.incarnation = mine.incarnation
           AND firings.fence = mine.fence
         RETURNING firings.job_id, firings.scheduled_for, firings.incarnation",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .bind(column(held, |(_, fence)| bigint(*fence)))
    .bind(micros(lease))
    .fetch_all(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    keys.into_iter().map(KeyRow::into_domain).collect()
}

pub async fn give_back(pool: &PgPool, held: &[(FiringKey, u64)], has_begun: bool) -> Result<(), StoreError> {
    let Keys { slots, jobs, times, incarnations } = Keys::of(held.iter().map(|(key, _)| key));
    sqlx::query(
        "UPDATE firings
         SET ready_at = statement_timestamp(),
             fence = firings.fence + 1,
             attempts = firings.attempts - $6,
             copy = NULL
         FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
             AS mine (slot, job_id, scheduled_for, incarnation, fence)
         WHERE firings.slot = mine.slot
           AND firings.job_id = mine.job_id
           AND firings.scheduled_for = mine.scheduled_for
           AND firings.incarnation = mine.incarnation
           AND firings.fence = mine.fence",
    )
    .bind(slots)
    .bind(jobs)
    .bind(times)
    .bind(incarnations)
    .bind(column(held, |(_, fence)| bigint(*fence)))
    .bind(i32::from(!has_begun))
    .execute(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    Ok(())
}
