//! The inbox in PostgreSQL, shared by every copy of the gateway: each statement is a transaction, and its clock is the database's.

use std::time::Duration;

use async_trait::async_trait;
use auric_db::{DbTime, Statement, StoreError, Traced as _};
use auric_ids::ProviderId;
use sqlx::PgPool;

use super::rows::{CountRow, KeptRow, LeasedRow, Written, payment};
use super::{Accepted, Arrival, Count, EventName, Inbox, Kept, Lease, Leased, ListQuery, Replay, Step};
use crate::domain::{Parked, Payment};

/// The inbox in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresInbox {
    pool: PgPool,
}

impl PostgresInbox {
    /// The inbox on a connected, migrated database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Inbox for PostgresInbox {
    async fn accept(&self, arrival: &Arrival) -> Result<Accepted, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO events (provider, event_id, body, traceparent, state, due_at, received_at, updated_at)
             SELECT $1, $2, $3, $4, 'received', now, now, now
             FROM clock_timestamp() AS now
             ON CONFLICT (provider, event_id) DO NOTHING",
        )
        .bind(arrival.name.provider.as_str())
        .bind(arrival.name.event.as_str())
        .bind(&arrival.body)
        .bind(&arrival.traceparent)
        .execute(&self.pool)
        .traced(sql("INSERT events"))
        .await?;
        Ok(if inserted.rows_affected() == 1 { Accepted::New } else { Accepted::Repeat })
    }

    async fn lease(&self, limit: u16, lease: Duration) -> Result<Vec<Leased>, StoreError> {
        let rows: Vec<LeasedRow> = sqlx::query_as(
            "UPDATE events
             SET due_at = clock_timestamp() + $2 * interval '1 microsecond',
                 fence = events.fence + 1,
                 attempts = events.attempts + 1
             FROM (
                 SELECT provider, event_id
                 FROM events
                 WHERE state = 'received'
                   AND due_at <= clock_timestamp()
                 ORDER BY due_at
                 LIMIT $1
                 FOR UPDATE SKIP LOCKED
             ) AS due
             WHERE events.provider = due.provider
               AND events.event_id = due.event_id
             RETURNING events.provider, events.event_id, body, traceparent, payment, attempts::bigint AS attempts, fence",
        )
        .bind(i64::from(limit))
        .bind(micros(lease))
        .fetch_all(&self.pool)
        .traced(sql("UPDATE events"))
        .await?;
        rows.into_iter().map(LeasedRow::into_domain).collect()
    }

    async fn write(&self, lease: &Lease, step: &Step) -> Result<bool, StoreError> {
        let Written { state, reason, detail, object, resolved, due_micros } = Written::of(step)?;
        let resolved = resolved.as_ref();
        let updated = sqlx::query(
            "UPDATE events
             SET state = $4,
                 reason = $5,
                 detail = $6,
                 object_id = coalesce($7, object_id),
                 player_id = coalesce($8, player_id),
                 payment = coalesce($9, payment),
                 is_sale = coalesce($10, is_sale),
                 due_at = coalesce(clock_timestamp() + $11 * interval '1 microsecond', due_at),
                 updated_at = clock_timestamp()
             WHERE provider = $1
               AND event_id = $2
               AND fence = $3
               AND state = 'received'",
        )
        .bind(lease.name.provider.as_str())
        .bind(lease.name.event.as_str())
        .bind(lease.fence)
        .bind(state.as_str())
        .bind(reason)
        .bind(detail)
        .bind(object)
        .bind(resolved.map(|resolved| &resolved.player))
        .bind(resolved.map(|resolved| &resolved.payment))
        .bind(resolved.map(|resolved| resolved.is_sale))
        .bind(due_micros)
        .execute(&self.pool)
        .traced(sql("UPDATE events"))
        .await?;
        Ok(updated.rows_affected() == 1)
    }

    async fn sale(&self, provider: &ProviderId, object: &str) -> Result<Option<Payment>, StoreError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT payment
             FROM events
             WHERE provider = $1
               AND object_id = $2
               AND is_sale
             ORDER BY event_id
             LIMIT 1",
        )
        .bind(provider.as_str())
        .bind(object)
        .fetch_optional(&self.pool)
        .traced(sql("SELECT events"))
        .await?;
        found.as_deref().map(payment).transpose()
    }

    async fn wake(&self) -> Result<u64, StoreError> {
        let woken = sqlx::query(
            "UPDATE events
             SET state = 'received', reason = '', due_at = clock_timestamp(), updated_at = clock_timestamp()
             WHERE state = 'parked'
               AND reason = $1
               AND EXISTS (
                   SELECT 1
                   FROM events AS sales
                   WHERE sales.provider = events.provider
                     AND sales.object_id = events.object_id
                     AND sales.is_sale
               )",
        )
        .bind(Parked::ObjectUnknown.as_str())
        .execute(&self.pool)
        .traced(sql("UPDATE events"))
        .await?;
        Ok(woken.rows_affected())
    }

    async fn replay(&self, which: &Replay, limit: u32) -> Result<u64, StoreError> {
        let (provider, event, reason) = match which {
            Replay::One(name) => (Some(&name.provider), Some(&name.event), None),
            Replay::All { provider, reason } => (provider.as_ref(), None, reason.as_deref()),
        };
        let replayed = sqlx::query(
            "UPDATE events
             SET state = 'received', reason = '', detail = '', object_id = NULL, player_id = NULL, payment = NULL, is_sale = false,
                 attempts = 0, due_at = clock_timestamp(), updated_at = clock_timestamp()
             FROM (
                 SELECT provider, event_id
                 FROM events
                 WHERE state = 'parked'
                   AND ($1::text IS NULL OR provider = $1)
                   AND ($2::text IS NULL OR event_id = $2)
                   AND ($3::text IS NULL OR reason = $3)
                 ORDER BY received_at
                 LIMIT $4
                 FOR UPDATE
             ) AS parked
             WHERE events.provider = parked.provider
               AND events.event_id = parked.event_id",
        )
        .bind(provider.map(ProviderId::as_str))
        .bind(event.map(auric_ids::EventId::as_str))
        .bind(reason)
        .bind(i64::from(limit))
        .execute(&self.pool)
        .traced(sql("UPDATE events"))
        .await?;
        Ok(replayed.rows_affected())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Kept>, StoreError> {
        let rows: Vec<KeptRow> = sqlx::query_as(
            "SELECT provider, event_id, state, reason, detail, object_id, player_id, payment,
                    attempts::bigint AS attempts, traceparent, received_at, updated_at
             FROM events
             WHERE ($1::text IS NULL OR state = $1)
               AND ($2::text IS NULL OR provider = $2)
               AND ($3::text IS NULL OR reason = $3)
               AND ($4::timestamptz IS NULL OR (received_at, provider, event_id) > ($4, $5, $6))
             ORDER BY received_at, provider, event_id
             LIMIT $7",
        )
        .bind(query.state.map(super::State::as_str))
        .bind(query.provider.as_ref().map(ProviderId::as_str))
        .bind(query.reason.as_deref())
        .bind(query.after.as_ref().map(|(time, _)| DbTime(*time)))
        .bind(query.after.as_ref().map(|(_, name)| name.provider.as_str()))
        .bind(query.after.as_ref().map(|(_, name)| name.event.as_str()))
        .bind(i64::from(query.limit))
        .fetch_all(&self.pool)
        .traced(sql("SELECT events"))
        .await?;
        rows.into_iter().map(KeptRow::into_domain).collect()
    }

    async fn get(&self, name: &EventName) -> Result<Option<(Kept, Vec<u8>)>, StoreError> {
        let found: Option<KeptRow> = sqlx::query_as(
            "SELECT provider, event_id, state, reason, detail, object_id, player_id, payment,
                    attempts::bigint AS attempts, traceparent, received_at, updated_at
             FROM events
             WHERE provider = $1
               AND event_id = $2",
        )
        .bind(name.provider.as_str())
        .bind(name.event.as_str())
        .fetch_optional(&self.pool)
        .traced(sql("SELECT events"))
        .await?;
        let Some(row) = found else { return Ok(None) };
        // An event is never changed in its bytes, and never removed.
        let body: Vec<u8> = sqlx::query_scalar("SELECT body FROM events WHERE provider = $1 AND event_id = $2")
            .bind(name.provider.as_str())
            .bind(name.event.as_str())
            .fetch_one(&self.pool)
            .traced(sql("SELECT events"))
            .await?;
        Ok(Some((row.into_domain()?, body)))
    }

    async fn counts(&self) -> Result<Vec<Count>, StoreError> {
        let rows: Vec<CountRow> = sqlx::query_as(
            "SELECT 'received' AS state, '' AS reason, count(*) AS events
             FROM events
             WHERE state = 'received'
             HAVING count(*) > 0
             UNION ALL
             (SELECT 'parked', reason, count(*)
              FROM events
              WHERE state = 'parked'
              GROUP BY reason
              ORDER BY reason)",
        )
        .fetch_all(&self.pool)
        .traced(sql("SELECT events"))
        .await?;
        rows.into_iter().map(CountRow::into_domain).collect()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).traced(sql("SELECT")).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::postgres(summary)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
