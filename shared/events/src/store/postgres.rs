//! The outbox in PostgreSQL.

use std::sync::LazyLock;
use std::time::Duration;

use auric_db::{DbTime, Statement, StoreError, Traced as _, Writes};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

use super::{Batch, Found, LaneState, OutboxRow, bigint, micros, number};
use crate::Cursor;

/// Counts `lane` up, which holds it until the transaction ends.
fn count_lane_up(lane: &str, condition: &str) -> String {
    format!(
        "INSERT INTO outbox_lanes AS stored (lane_id, last_seq, last_time)
         SELECT {lane}, 1, clock_timestamp(){condition}
         ON CONFLICT (lane_id) DO UPDATE
         SET last_seq = stored.last_seq + 1,
             last_time = greatest(stored.last_time, clock_timestamp())
         RETURNING lane_id, last_seq, last_time"
    )
}

/// Takes a position only when the lane is held: in the lane both go up together.
fn insert_row(events: &str, body: &str) -> String {
    format!(
        "INSERT INTO outbox (lane_id, seq, position, created_at, events, body)
         SELECT lane_id, last_seq, nextval('outbox_positions'), last_time, {events}, {body}
         FROM counted_lane"
    )
}

/// Both, by themselves.
static WRITE: LazyLock<String> =
    LazyLock::new(|| format!("WITH counted_lane AS ({}) {}", count_lane_up("$1", ""), insert_row("$2", "$3")));

/// One statement is one snapshot. First how each lane stands, then rows by position.
const READ: &str = "WITH read AS (
         SELECT *
         FROM unnest($1::smallint[], $2::bigint[]) AS read (lane_id, seq)
     ), lanes AS (
         SELECT lane_id, coalesce(outbox_lanes.last_seq, 0) AS last_seq,
             coalesce(outbox_lanes.last_time, to_timestamp(0)) AS last_time, coalesce(read.seq, 0) AS read_seq
         FROM outbox_lanes
         FULL JOIN read USING (lane_id)
         WHERE coalesce(outbox_lanes.last_seq, 0) <> coalesce(read.seq, 0)
     ), behind AS (
         SELECT lanes.lane_id, next.seq, next.position, next.created_at, next.body
         FROM lanes
         CROSS JOIN LATERAL (
             SELECT seq, position, created_at, body
             FROM outbox
             WHERE outbox.lane_id = lanes.lane_id
               AND outbox.seq > lanes.read_seq
             ORDER BY outbox.seq
             LIMIT $3
         ) AS next
         ORDER BY next.position
         LIMIT $3
     )
     SELECT clock_timestamp() AS now, lanes.lane_id, lanes.last_seq, lanes.last_time, anchor.created_at AS read_time,
         EXISTS (SELECT 1 FROM outbox WHERE outbox.lane_id = lanes.lane_id AND outbox.seq > lanes.read_seq) AS has_more,
         NULL::bigint AS position, NULL::text AS body
     FROM lanes
     LEFT JOIN outbox AS anchor ON anchor.lane_id = lanes.lane_id AND anchor.seq = lanes.read_seq
     UNION ALL
     SELECT clock_timestamp(), lane_id, seq, created_at, NULL, true, position, body
     FROM behind
     ORDER BY position NULLS FIRST";

#[derive(sqlx::FromRow)]
struct ReadRow {
    now: DbTime,
    lane_id: i16,
    /// The lane's newest, or the row's own.
    last_seq: i64,
    last_time: DbTime,
    read_time: Option<DbTime>,
    has_more: bool,
    position: Option<i64>,
    body: Option<String>,
}

/// Adds what a batch tells to what its transaction writes. Positions are taken once the first part of `writes` is written: it must hold the players.
pub fn add(writes: &mut Writes, lane: i16, batch: &Batch) {
    let (lane, condition) = (writes.bind(lane), writes.condition());
    writes.part("counted_lane", &count_lane_up(&lane, &condition));
    let (events, body) = (writes.bind(batch.events), writes.bind(batch.body.as_str()));
    writes.part("insert_outbox", &insert_row(&events, &body));
}

/// Writes what a batch tells into `lane`, last in its transaction: the lane is held from here to the commit.
///
/// # Errors
///
/// [`StoreError`] as every statement.
pub async fn write(
    transaction: &mut Transaction<'static, Postgres>,
    lane: i16,
    batch: &Batch,
) -> Result<(), StoreError> {
    let written = sqlx::query(WRITE.as_str())
        .bind(lane)
        .bind(batch.events)
        .bind(batch.body.as_str())
        .execute(&mut **transaction)
        .traced(sql("INSERT outbox"))
        .await?;
    if written.rows_affected() == 1 { Ok(()) } else { Err(StoreError::version(1, written.rows_affected())) }
}

pub(super) async fn read(pool: &PgPool, cursor: &Cursor, rows_max: u32) -> Result<Found, StoreError> {
    let (lanes, seqs): (Vec<i16>, Vec<i64>) = cursor.lanes().map(|(lane, place)| (lane, bigint(place.seq))).unzip();
    let rows: Vec<ReadRow> = sqlx::query_as(READ)
        .bind(lanes)
        .bind(seqs)
        .bind(i64::from(rows_max))
        .fetch_all(pool)
        .traced(sql("SELECT outbox"))
        .await?;
    let mut found = Found::default();
    for row in rows {
        found.now = row.now.0;
        let (lane, seq, time) = (row.lane_id, number(row.last_seq)?, row.last_time.0);
        match (row.position, row.body) {
            (Some(position), Some(body)) => found.rows.push(OutboxRow { lane, seq, position, time, body }),
            _ => found.lanes.push(LaneState {
                lane,
                last_seq: seq,
                last_time: time,
                read_time: row.read_time.map(|time| time.0),
                has_more: row.has_more,
            }),
        }
    }
    Ok(found)
}

pub(super) async fn end(pool: &PgPool) -> Result<Cursor, StoreError> {
    let lanes: Vec<(i16, i64, DbTime)> = sqlx::query_as("SELECT lane_id, last_seq, last_time FROM outbox_lanes")
        .fetch_all(pool)
        .traced(sql("SELECT outbox_lanes"))
        .await?;
    super::cursor(lanes)
}

/// The place before the oldest row of each lane.
pub(super) async fn start(pool: &PgPool) -> Result<Cursor, StoreError> {
    let lanes: Vec<(i16, i64, DbTime)> = sqlx::query_as(
        "SELECT lane_id, coalesce((SELECT min(seq) - 1 FROM outbox WHERE outbox.lane_id = outbox_lanes.lane_id), last_seq),
             to_timestamp(0)
         FROM outbox_lanes",
    )
    .fetch_all(pool)
    .traced(sql("SELECT outbox_lanes"))
    .await?;
    super::cursor(lanes)
}

/// Within a lane time goes up with the number, so that what is old comes before what is not.
pub(super) async fn prune(pool: &PgPool, keep: Duration, rows_max: u32) -> Result<u64, StoreError> {
    let pruned = sqlx::query(
        "DELETE FROM outbox
         USING (
             SELECT oldest.lane_id, oldest.seq
             FROM outbox_lanes
             CROSS JOIN LATERAL (
                 SELECT lane_id, seq, position, created_at
                 FROM outbox
                 WHERE outbox.lane_id = outbox_lanes.lane_id
                 ORDER BY seq
                 LIMIT $2
             ) AS oldest
             WHERE oldest.created_at < clock_timestamp() - $1 * interval '1 microsecond'
             ORDER BY oldest.position
             LIMIT $2
         ) AS old
         WHERE outbox.lane_id = old.lane_id
           AND outbox.seq = old.seq",
    )
    .bind(micros(keep))
    .bind(i64::from(rows_max))
    .execute(pool)
    .traced(sql("DELETE outbox"))
    .await?;
    Ok(pruned.rows_affected())
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}
