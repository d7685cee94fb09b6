//! What becomes of leased firings: whoever has an older lease changes nothing.

use auric_db::{StoreError, Traced as _};
use auric_time::Timestamp;
use serde_json::json;
use sqlx::SqlitePool;

use super::{Tx, array, held as leases, keys, sql};
use crate::domain::{End, FiringKey};
use crate::store::Settled;
use crate::store::rows::{HOT_MICROS, KeyRow};

pub async fn settle(transaction: &mut Tx, settled: &[Settled], now: Timestamp) -> Result<Vec<FiringKey>, StoreError> {
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
    for (statement, name, rows, leaves) in [
        (DONE, "INSERT history", done, true),
        (SOON, "UPDATE firings", soon, false),
        (LATER, "INSERT waiting", later, true),
        (DEAD, "INSERT dead_letters", dead, true),
    ] {
        if rows.is_empty() {
            continue;
        }
        let row = |(one, after_micros, reason): &(&Settled, i64, &str)| {
            let key = &one.key;
            let due_at = now.plus_micros(*after_micros);
            json!([key.job, key.scheduled_for, key.incarnation, one.fence, one.message, due_at, reason])
        };
        let moved: Vec<KeyRow> = sqlx::query_as(statement)
            .bind(array(&rows, row))
            .bind(now.micros())
            .fetch_all(&mut **transaction)
            .traced(sql(name))
            .await?;
        let moved = moved.into_iter().map(KeyRow::into_domain).collect::<Result<Vec<_>, _>>()?;
        if leaves {
            sqlx::query(
                "DELETE FROM firings
                 WHERE (job_id, scheduled_for, incarnation) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))",
            )
            .bind(keys(&moved))
            .execute(&mut **transaction)
            .traced(sql("DELETE firings"))
            .await?;
        }
        written.extend(moved);
    }
    Ok(written)
}

const DONE: &str = "
    INSERT INTO history (job_id, scheduled_for, incarnation, state, reason, message, attempts, triggered, due_at, started_at, ended_at,
        skipped_until, firings, fence)
    SELECT firings.job_id, scheduled_for, incarnation, 'done', '', mine.value ->> 4, attempts, triggered, due_at, started_at, ?2,
        scheduled_for, 1, fence
    FROM json_each(?1) AS mine
    CROSS JOIN firings ON firings.job_id = mine.value ->> 0 AND scheduled_for = mine.value ->> 1 AND incarnation = mine.value ->> 2
        AND fence = mine.value ->> 3
    WHERE true
    ON CONFLICT DO NOTHING
    RETURNING job_id, scheduled_for, incarnation";

const SOON: &str = "
    UPDATE firings
    SET ready_at = mine.value ->> 5,
        due_at = mine.value ->> 5,
        fence = fence + 1,
        copy = NULL,
        message = mine.value ->> 4
    FROM json_each(?1) AS mine
    WHERE firings.job_id = mine.value ->> 0
      AND scheduled_for = mine.value ->> 1
      AND incarnation = mine.value ->> 2
      AND fence = mine.value ->> 3
      AND ?2 IS NOT NULL
    RETURNING job_id, scheduled_for, incarnation";

const LATER: &str = "
    INSERT INTO waiting (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts, started_at,
        message)
    SELECT firings.job_id, scheduled_for, incarnation, revision, target, overlap, triggered, mine.value ->> 5, fence + 1, attempts,
        started_at, mine.value ->> 4
    FROM json_each(?1) AS mine
    CROSS JOIN firings ON firings.job_id = mine.value ->> 0 AND scheduled_for = mine.value ->> 1 AND incarnation = mine.value ->> 2
        AND fence = mine.value ->> 3
    WHERE ?2 IS NOT NULL
    RETURNING job_id, scheduled_for, incarnation";

const DEAD: &str = "
    INSERT INTO dead_letters (job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts,
        started_at, ended_at, reason, message)
    SELECT firings.job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, fence, attempts, started_at, ?2,
        mine.value ->> 6, mine.value ->> 4
    FROM json_each(?1) AS mine
    CROSS JOIN firings ON firings.job_id = mine.value ->> 0 AND scheduled_for = mine.value ->> 1 AND incarnation = mine.value ->> 2
        AND fence = mine.value ->> 3
    RETURNING job_id, scheduled_for, incarnation";

/// Looks for what these leases may have come to: their fence, or the one behind it where they were put off.
pub async fn were_settled(pool: &SqlitePool, settled: &[(FiringKey, u64)]) -> Result<Vec<FiringKey>, StoreError> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT value ->> 0 AS job_id, value ->> 1 AS scheduled_for, value ->> 2 AS incarnation
         FROM json_each(?1) AS mine
         WHERE EXISTS (SELECT 1 FROM history AS old WHERE old.job_id = value ->> 0 AND old.scheduled_for = value ->> 1
                 AND old.incarnation = value ->> 2 AND old.fence = value ->> 3)
            OR EXISTS (SELECT 1 FROM dead_letters AS old WHERE old.job_id = value ->> 0 AND old.scheduled_for = value ->> 1
                 AND old.incarnation = value ->> 2 AND old.fence = value ->> 3)
            OR EXISTS (SELECT 1 FROM waiting AS old WHERE old.job_id = value ->> 0 AND old.scheduled_for = value ->> 1
                 AND old.incarnation = value ->> 2 AND old.fence = (value ->> 3) + 1)
            OR EXISTS (SELECT 1 FROM firings AS old WHERE old.job_id = value ->> 0 AND old.scheduled_for = value ->> 1
                 AND old.incarnation = value ->> 2 AND old.fence = (value ->> 3) + 1 AND old.copy IS NULL)",
    )
    .bind(leases(settled))
    .fetch_all(pool)
    .traced(sql("SELECT history"))
    .await?;
    rows.into_iter().map(KeyRow::into_domain).collect()
}

pub async fn extend(
    pool: &SqlitePool,
    held: &[(FiringKey, u64)],
    until: Timestamp,
) -> Result<Vec<FiringKey>, StoreError> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "UPDATE firings
         SET ready_at = ?2
         FROM json_each(?1) AS mine
         WHERE firings.job_id = mine.value ->> 0
           AND scheduled_for = mine.value ->> 1
           AND incarnation = mine.value ->> 2
           AND fence = mine.value ->> 3
         RETURNING job_id, scheduled_for, incarnation",
    )
    .bind(leases(held))
    .bind(until.micros())
    .fetch_all(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    rows.into_iter().map(KeyRow::into_domain).collect()
}

pub async fn give_back(
    pool: &SqlitePool,
    held: &[(FiringKey, u64)],
    has_begun: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE firings
         SET ready_at = ?2,
             fence = fence + 1,
             attempts = attempts - ?3,
             copy = NULL
         FROM json_each(?1) AS mine
         WHERE firings.job_id = mine.value ->> 0
           AND scheduled_for = mine.value ->> 1
           AND incarnation = mine.value ->> 2
           AND fence = mine.value ->> 3",
    )
    .bind(leases(held))
    .bind(now.micros())
    .bind(i64::from(!has_begun))
    .execute(pool)
    .traced(sql("UPDATE firings"))
    .await?;
    Ok(())
}
