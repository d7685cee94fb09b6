//! The inbox in a SQLite file, owned by this process: one writer, so that nothing is locked one by one, and a clock that it is given.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auric_db::{SqliteDatabase, Statement, StoreError, Traced as _};
use auric_ids::ProviderId;
use auric_time::Clock;

use super::rows::{CountRow, KeptRow, LeasedRow, Written, payment};
use super::{Accepted, Arrival, Count, EventName, Inbox, Kept, Lease, Leased, ListQuery, Replay, Step};
use crate::domain::{Parked, Payment};

/// The inbox in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteInbox {
    database: SqliteDatabase,
    clock: Arc<dyn Clock>,
}

impl SqliteInbox {
    /// The inbox on an opened, migrated file.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Microseconds since 1970, as columns have them.
    fn now(&self) -> i64 {
        self.clock.now().micros()
    }

    fn after(&self, micros: i64) -> i64 {
        self.clock.now().plus_micros(micros).micros()
    }
}

#[async_trait]
impl Inbox for SqliteInbox {
    async fn accept(&self, arrival: &Arrival) -> Result<Accepted, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO events (provider, event_id, body, traceparent, state, due_at, received_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, 'received', ?5, ?5, ?5)
             ON CONFLICT (provider, event_id) DO NOTHING",
        )
        .bind(arrival.name.provider.as_str())
        .bind(arrival.name.event.as_str())
        .bind(&arrival.body)
        .bind(&arrival.traceparent)
        .bind(self.now())
        .execute(&self.database.writer)
        .traced(sql("INSERT events"))
        .await?;
        Ok(if inserted.rows_affected() == 1 { Accepted::New } else { Accepted::Repeat })
    }

    async fn lease(&self, limit: u16, lease: Duration) -> Result<Vec<Leased>, StoreError> {
        let rows: Vec<LeasedRow> = sqlx::query_as(
            "UPDATE events
             SET due_at = ?2,
                 fence = fence + 1,
                 attempts = attempts + 1
             WHERE (provider, event_id) IN (
                 SELECT provider, event_id
                 FROM events
                 WHERE state = 'received'
                   AND due_at <= ?3
                 ORDER BY due_at
                 LIMIT ?1
             )
             RETURNING provider, event_id, body, traceparent, payment, attempts, fence",
        )
        .bind(i64::from(limit))
        .bind(self.after(micros(lease)))
        .bind(self.now())
        .fetch_all(&self.database.writer)
        .traced(sql("UPDATE events"))
        .await?;
        rows.into_iter().map(LeasedRow::into_domain).collect()
    }

    async fn write(&self, lease: &Lease, step: &Step) -> Result<bool, StoreError> {
        let Written { state, reason, detail, object, resolved, due_micros } = Written::of(step)?;
        let resolved = resolved.as_ref();
        let updated = sqlx::query(
            "UPDATE events
             SET state = ?4,
                 reason = ?5,
                 detail = ?6,
                 object_id = coalesce(?7, object_id),
                 player_id = coalesce(?8, player_id),
                 payment = coalesce(?9, payment),
                 is_sale = coalesce(?10, is_sale),
                 due_at = coalesce(?11, due_at),
                 updated_at = ?12
             WHERE provider = ?1
               AND event_id = ?2
               AND fence = ?3
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
        .bind(due_micros.map(|micros| self.after(micros)))
        .bind(self.now())
        .execute(&self.database.writer)
        .traced(sql("UPDATE events"))
        .await?;
        Ok(updated.rows_affected() == 1)
    }

    async fn sale(&self, provider: &ProviderId, object: &str) -> Result<Option<Payment>, StoreError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT payment
             FROM events
             WHERE provider = ?1
               AND object_id = ?2
               AND is_sale = 1
             ORDER BY event_id
             LIMIT 1",
        )
        .bind(provider.as_str())
        .bind(object)
        .fetch_optional(&self.database.readers)
        .traced(sql("SELECT events"))
        .await?;
        found.as_deref().map(payment).transpose()
    }

    async fn wake(&self) -> Result<u64, StoreError> {
        let woken = sqlx::query(
            "UPDATE events
             SET state = 'received', reason = '', due_at = ?2, updated_at = ?2
             WHERE state = 'parked'
               AND reason = ?1
               AND EXISTS (
                   SELECT 1
                   FROM events AS sales
                   WHERE sales.provider = events.provider
                     AND sales.object_id = events.object_id
                     AND sales.is_sale = 1
               )",
        )
        .bind(Parked::ObjectUnknown.as_str())
        .bind(self.now())
        .execute(&self.database.writer)
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
             SET state = 'received', reason = '', detail = '', object_id = NULL, player_id = NULL, payment = NULL, is_sale = 0,
                 attempts = 0, due_at = ?5, updated_at = ?5
             WHERE (provider, event_id) IN (
                 SELECT provider, event_id
                 FROM events
                 WHERE state = 'parked'
                   AND (?1 IS NULL OR provider = ?1)
                   AND (?2 IS NULL OR event_id = ?2)
                   AND (?3 IS NULL OR reason = ?3)
                 ORDER BY received_at
                 LIMIT ?4
             )",
        )
        .bind(provider.map(ProviderId::as_str))
        .bind(event.map(auric_ids::EventId::as_str))
        .bind(reason)
        .bind(i64::from(limit))
        .bind(self.now())
        .execute(&self.database.writer)
        .traced(sql("UPDATE events"))
        .await?;
        Ok(replayed.rows_affected())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Kept>, StoreError> {
        let rows: Vec<KeptRow> = sqlx::query_as(
            "SELECT provider, event_id, state, reason, detail, object_id, player_id, payment,
                    attempts, traceparent, received_at, updated_at
             FROM events
             WHERE (?1 IS NULL OR state = ?1)
               AND (?2 IS NULL OR provider = ?2)
               AND (?3 IS NULL OR reason = ?3)
               AND (?4 IS NULL OR (received_at, provider, event_id) > (?4, ?5, ?6))
             ORDER BY received_at, provider, event_id
             LIMIT ?7",
        )
        .bind(query.state.map(super::State::as_str))
        .bind(query.provider.as_ref().map(ProviderId::as_str))
        .bind(query.reason.as_deref())
        .bind(query.after.as_ref().map(|(time, _)| time.micros()))
        .bind(query.after.as_ref().map(|(_, name)| name.provider.as_str()))
        .bind(query.after.as_ref().map(|(_, name)| name.event.as_str()))
        .bind(i64::from(query.limit))
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT events"))
        .await?;
        rows.into_iter().map(KeptRow::into_domain).collect()
    }

    async fn get(&self, name: &EventName) -> Result<Option<(Kept, Vec<u8>)>, StoreError> {
        let found: Option<KeptRow> = sqlx::query_as(
            "SELECT provider, event_id, state, reason, detail, object_id, player_id, payment,
                    attempts, traceparent, received_at, updated_at
             FROM events
             WHERE provider = ?1
               AND event_id = ?2",
        )
        .bind(name.provider.as_str())
        .bind(name.event.as_str())
        .fetch_optional(&self.database.readers)
        .traced(sql("SELECT events"))
        .await?;
        let Some(row) = found else { return Ok(None) };
        // An event is never changed in its bytes, and never removed.
        let body: Vec<u8> = sqlx::query_scalar("SELECT body FROM events WHERE provider = ?1 AND event_id = ?2")
            .bind(name.provider.as_str())
            .bind(name.event.as_str())
            .fetch_one(&self.database.readers)
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
             SELECT 'parked', reason, count(*)
             FROM events
             WHERE state = 'parked'
             GROUP BY reason
             ORDER BY state DESC, reason",
        )
        .fetch_all(&self.database.readers)
        .traced(sql("SELECT events"))
        .await?;
        rows.into_iter().map(CountRow::into_domain).collect()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.database.readers).traced(sql("SELECT")).await?;
        Ok(())
    }

    async fn close(&self) {
        self.database.readers.close().await;
        self.database.writer.close().await;
    }
}

/// Names a statement for traces and metrics.
const fn sql(summary: &'static str) -> Statement {
    Statement::sqlite(summary)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
