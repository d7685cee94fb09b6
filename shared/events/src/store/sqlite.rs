//! The outbox in a SQLite file. Its one writer is its order: what has the larger position was committed later.

use std::time::Duration;

use auric_db::{DbTime, Script, SqliteDatabase, Statement, StoreError, Traced as _};
use auric_time::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::{Batch, Found, LaneState, OutboxRow, bigint, micros, number};
use crate::Cursor;

/// A trigger counts the lane up.
const WRITE: &str = "INSERT INTO outbox (lane_id, seq, created_at, events, body)
     SELECT ?, coalesce(max(last_seq), 0) + 1, max(coalesce(max(last_time), 0), ?), ?, ?
     FROM outbox_lanes
     WHERE lane_id = ?";

/// Adds what a batch tells into `lane` to what its transaction writes.
pub fn add(script: &mut Script, lane: i16, now: Timestamp, batch: &Batch) {
    script.statement(WRITE, 1);
    script.bind(lane).bind(now.micros()).bind(batch.events).bind(batch.body.as_str()).bind(lane);
}

/// Writes what a batch tells into `lane`, inside its transaction.
///
/// # Errors
///
/// [`StoreError`] as every statement.
pub async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    lane: i16,
    now: Timestamp,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut script = Script::default();
    add(&mut script, lane, now, batch);
    script.execute(transaction, sql("INSERT outbox")).await
}

pub(super) async fn read(
    database: &SqliteDatabase,
    now: Timestamp,
    cursor: &Cursor,
    rows_max: u32,
) -> Result<Found, StoreError> {
    let mut snapshot = database.readers.begin().traced(sql("BEGIN")).await?;
    let lanes: Vec<(i16, i64, DbTime)> = sqlx::query_as("SELECT lane_id, last_seq, last_time FROM outbox_lanes")
        .fetch_all(&mut *snapshot)
        .traced(sql("SELECT outbox_lanes"))
        .await?;
    let mut found = Found { now, ..Found::default() };
    for (lane, place) in cursor.lanes() {
        // A lane that was read and is not there: the file is an older copy.
        if place.seq > 0 && lanes.iter().all(|(known, ..)| *known != lane) {
            found.lanes.push(LaneState { lane, ..LaneState::default() });
        }
    }
    for (lane, last_seq, last_time) in lanes {
        let (last_seq, read_seq) = (number(last_seq)?, cursor.place(lane).seq);
        if last_seq == read_seq {
            continue;
        }
        let rows: Vec<(i64, i64, DbTime, Option<String>)> = sqlx::query_as(
            "SELECT seq, position, created_at, CASE WHEN seq = ?2 THEN NULL ELSE body END
             FROM outbox
             WHERE lane_id = ?1
               AND seq >= ?2
             ORDER BY seq
             LIMIT ?3",
        )
        .bind(lane)
        .bind(bigint(read_seq))
        .bind(i64::from(rows_max).saturating_add(1))
        .fetch_all(&mut *snapshot)
        .traced(sql("SELECT outbox"))
        .await?;
        let mut state = LaneState { lane, last_seq, last_time: last_time.0, read_time: None, has_more: false };
        for (seq, position, time, body) in rows {
            match body {
                None => state.read_time = Some(time.0),
                Some(body) => {
                    state.has_more = true;
                    found.rows.push(OutboxRow { lane, seq: number(seq)?, position, time: time.0, body });
                }
            }
        }
        found.lanes.push(state);
    }
    snapshot.rollback().traced(sql("ROLLBACK")).await?;
    found.rows.sort_by_key(|row| row.position);
    found.rows.truncate(usize::try_from(rows_max).unwrap_or(usize::MAX));
    Ok(found)
}

pub(super) async fn end(database: &SqliteDatabase) -> Result<Cursor, StoreError> {
    let lanes: Vec<(i16, i64, DbTime)> = sqlx::query_as("SELECT lane_id, last_seq, last_time FROM outbox_lanes")
        .fetch_all(&database.readers)
        .traced(sql("SELECT outbox_lanes"))
        .await?;
    super::cursor(lanes)
}

/// The place before the oldest row of each lane.
pub(super) async fn start(database: &SqliteDatabase) -> Result<Cursor, StoreError> {
    let lanes: Vec<(i16, i64, DbTime)> = sqlx::query_as(
        "SELECT lane_id, coalesce((SELECT min(seq) - 1 FROM outbox WHERE outbox.lane_id = outbox_lanes.lane_id), last_seq), 0
         FROM outbox_lanes",
    )
    .fetch_all(&database.readers)
    .traced(sql("SELECT outbox_lanes"))
    .await?;
    super::cursor(lanes)
}

pub(super) async fn prune(
    database: &SqliteDatabase,
    now: Timestamp,
    keep: Duration,
    rows_max: u32,
) -> Result<u64, StoreError> {
    let pruned = sqlx::query(
        "DELETE FROM outbox
         WHERE position IN (
             SELECT position
             FROM (SELECT position, created_at FROM outbox ORDER BY position LIMIT ?2)
             WHERE created_at < ?1
         )",
    )
    .bind(now.micros().saturating_sub(micros(keep)))
    .bind(i64::from(rows_max))
    .execute(&database.writer)
    .traced(sql("DELETE outbox"))
    .await?;
    Ok(pruned.rows_affected())
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}
