//! What events name: single rows of the ledger.

use auric_db::{StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use serde_json::json;
use sqlx::SqlitePool;

use super::{array, sql};
use crate::domain::{Entry, EventKey, EventRow};
use crate::store::KeptHold;
use crate::store::paid_rows::EventDbRow;
use crate::store::rows::{EntryRow, HoldDbRow, bigint};

pub async fn entries(pool: &SqlitePool, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT entries.*
         FROM json_each(?1) AS wanted
         CROSS JOIN entries ON player_id = wanted.value ->> 0 AND number = wanted.value ->> 1",
    )
    .bind(array(wanted, |(player, number)| json!([player, bigint(*number)])))
    .fetch_all(pool)
    .traced(sql("SELECT entries"))
    .await?;
    rows.into_iter().map(EntryRow::into_domain).collect()
}

pub async fn holds(pool: &SqlitePool, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError> {
    let rows: Vec<HoldDbRow> = sqlx::query_as(
        "SELECT *
         FROM answered_holds
         WHERE hold_id IN (SELECT value FROM json_each(?1))",
    )
    .bind(array(wanted, |id| json!(id)))
    .fetch_all(pool)
    .traced(sql("SELECT holds"))
    .await?;
    rows.into_iter().map(HoldDbRow::into_kept).collect()
}

pub async fn payments(pool: &SqlitePool, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError> {
    let rows: Vec<EventDbRow> = sqlx::query_as(
        "SELECT payment_events.*, mutations.outcome
         FROM json_each(?1) AS wanted
         CROSS JOIN payment_events ON provider = wanted.value ->> 0 AND event_id = wanted.value ->> 1
         CROSS JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(array(wanted, |key| json!([key.provider, key.event])))
    .fetch_all(pool)
    .traced(sql("SELECT payment_events"))
    .await?;
    rows.into_iter().map(EventDbRow::into_domain).collect()
}
