//! What events name: single rows of the ledger.

use auric_db::{StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use sqlx::postgres::PgPool;

use super::sql;
use crate::domain::{Entry, EventKey, EventRow};
use crate::store::KeptHold;
use crate::store::paid_rows::EventDbRow;
use crate::store::rows::{EntryRow, HoldDbRow, bigint};

pub async fn entries(pool: &PgPool, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT entries.*
         FROM unnest($1::text[], $2::bigint[]) AS wanted (player_id, number)
         JOIN entries USING (player_id, number)",
    )
    .bind(column(wanted, |(player, _)| player.as_str()))
    .bind(column(wanted, |(_, number)| bigint(*number)))
    .fetch_all(pool)
    .traced(sql("SELECT entries"))
    .await?;
    rows.into_iter().map(EntryRow::into_domain).collect()
}

pub async fn holds(pool: &PgPool, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError> {
    let rows: Vec<HoldDbRow> = sqlx::query_as("SELECT * FROM answered_holds WHERE hold_id = ANY($1)")
        .bind(column(wanted, HoldId::as_str))
        .fetch_all(pool)
        .traced(sql("SELECT holds"))
        .await?;
    rows.into_iter().map(HoldDbRow::into_kept).collect()
}

pub async fn payments(pool: &PgPool, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError> {
    let rows: Vec<EventDbRow> = sqlx::query_as(
        "SELECT payment_events.*, mutations.outcome
         FROM unnest($1::text[], $2::text[]) AS wanted (provider, event_id)
         JOIN payment_events USING (provider, event_id)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(column(wanted, |key| key.provider.as_str()))
    .bind(column(wanted, |key| key.event.as_str()))
    .fetch_all(pool)
    .traced(sql("SELECT payment_events"))
    .await?;
    rows.into_iter().map(EventDbRow::into_domain).collect()
}

/// One column of many rows, as an array parameter.
fn column<'rows, R, T>(rows: &'rows [R], of: impl Fn(&'rows R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
