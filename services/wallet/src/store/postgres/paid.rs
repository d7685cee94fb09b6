//! Payments, their events and retail tokens.

use std::collections::HashMap;

use auric_db::{StoreError, Traced as _};
use auric_ids::{PlayerId, RetailTokenId};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Postgres, Transaction};

use super::write::{column, expect_rows};
use super::{SNAPSHOT, db_time, sql, unavailable};
use crate::domain::{BatchKeys, EventRow, Journal, PaidRows, PaymentKey, PaymentRow, RetailToken, TokenRow};
use crate::store::paid_rows::{EventDbRow, PaymentDbRow, TokenDbRow};
use crate::store::rows::{bigint, context_text, text};
use crate::store::{GenerationsQuery, KeptPayment};

/// Reads what `keys` names, after the locks.
pub async fn load(connection: &mut PgConnection, keys: &BatchKeys) -> Result<PaidRows, StoreError> {
    let mut rows = PaidRows::default();
    let (providers, objects) = names(&keys.payments);
    if !keys.payments.is_empty() {
        let payments: Vec<PaymentDbRow> = sqlx::query_as(
            "SELECT payments.*
             FROM unnest($1::text[], $2::text[]) AS wanted (provider, object_id)
             JOIN payments USING (provider, object_id)",
        )
        .bind(&providers)
        .bind(&objects)
        .fetch_all(&mut *connection)
        .traced(sql("SELECT payments"))
        .await?;
        rows.payments = payments.into_iter().map(PaymentDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.events.is_empty() {
        let events: Vec<EventDbRow> = sqlx::query_as(
            "SELECT payment_events.*, mutations.outcome
             FROM unnest($1::text[], $2::text[]) AS wanted (provider, event_id)
             JOIN payment_events USING (provider, event_id)
             JOIN mutations USING (caller, idempotency_key)",
        )
        .bind(keys.events.iter().map(|key| key.provider.as_str()).collect::<Vec<_>>())
        .bind(keys.events.iter().map(|key| key.event.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .traced(sql("SELECT payment_events"))
        .await?;
        rows.events = events.into_iter().map(EventDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !(keys.tokens.is_empty() && keys.payments.is_empty()) {
        // The empty provider is of those that no payment was made for.
        let tokens: Vec<TokenDbRow> = sqlx::query_as(
            "SELECT * FROM retail_tokens WHERE token = ANY($1)
             UNION
             SELECT retail_tokens.*
             FROM unnest($2::text[], $3::text[]) AS wanted (provider, object_id)
             JOIN retail_tokens USING (provider, object_id)
             WHERE retail_tokens.provider <> ''",
        )
        .bind(keys.tokens.iter().map(RetailTokenId::as_str).collect::<Vec<_>>())
        .bind(&providers)
        .bind(&objects)
        .fetch_all(&mut *connection)
        .traced(sql("SELECT retail_tokens"))
        .await?;
        rows.tokens = tokens.into_iter().map(TokenDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(rows)
}

/// Reads payments in the order of their names, each with what every event of it was answered, as they were at one moment.
pub async fn payments(pool: &PgPool, after: Option<&PaymentKey>, limit: u32) -> Result<Vec<KeptPayment>, StoreError> {
    let mut snapshot = pool.begin_with(SNAPSHOT).traced(sql("BEGIN")).await.map_err(unavailable)?;
    let payments: Vec<PaymentDbRow> = sqlx::query_as(
        "SELECT *
         FROM payments
         WHERE (provider, object_id) > ($1, $2)
         ORDER BY provider, object_id
         LIMIT $3",
    )
    .bind(after.map_or("", |key| key.provider.as_str()))
    .bind(after.map_or("", |key| key.object.as_str()))
    .bind(i64::from(limit))
    .fetch_all(&mut *snapshot)
    .traced(sql("SELECT payments"))
    .await?;
    let payments: Vec<PaymentRow> = payments.into_iter().map(PaymentDbRow::into_domain).collect::<Result<_, _>>()?;
    let (providers, objects) = names(payments.iter().map(|row| &row.payment.key));
    let events: Vec<EventDbRow> = sqlx::query_as(
        "SELECT payment_events.*, mutations.outcome
         FROM unnest($1::text[], $2::text[]) AS wanted (provider, object_id)
         JOIN payment_events USING (provider, object_id)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(providers)
    .bind(objects)
    .fetch_all(&mut *snapshot)
    .traced(sql("SELECT payment_events"))
    .await?;
    snapshot.rollback().traced(sql("ROLLBACK")).await?;
    let mut answers: HashMap<PaymentKey, Vec<_>> = HashMap::new();
    for event in events {
        let EventRow { key, object, answer, .. } = event.into_domain()?;
        answers.entry(PaymentKey { provider: key.provider, object }).or_default().push(answer);
    }
    let kept = payments.into_iter().map(|row| {
        let answers = answers.remove(&row.payment.key).unwrap_or_default();
        KeptPayment { payment: row.payment, answers }
    });
    Ok(kept.collect())
}

/// Reads a retail token.
pub async fn token(pool: &PgPool, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
    let row: Option<TokenDbRow> = sqlx::query_as("SELECT * FROM retail_tokens WHERE token = $1")
        .bind(id.as_str())
        .fetch_optional(pool)
        .traced(sql("SELECT retail_tokens"))
        .await?;
    row.map(|row| Ok(row.into_domain()?.token)).transpose()
}

/// Reads used retail tokens, in the order of their names.
pub async fn generations(pool: &PgPool, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError> {
    let rows: Vec<TokenDbRow> = sqlx::query_as(
        "SELECT *
         FROM retail_tokens
         WHERE used IS NOT NULL
           AND token > $1
           AND ($2::text IS NULL OR player_id = $2)
         ORDER BY token
         LIMIT $3",
    )
    .bind(query.after.as_ref().map_or("", RetailTokenId::as_str))
    .bind(query.player.as_ref().map(PlayerId::as_str))
    .bind(i64::from(query.limit))
    .fetch_all(pool)
    .traced(sql("SELECT retail_tokens"))
    .await?;
    rows.into_iter().map(|row| Ok(row.into_domain()?.token)).collect()
}

/// Writes what was decided: events and new rows are inserted plainly, others are written over the version that was loaded.
pub async fn write(transaction: &mut Transaction<'static, Postgres>, journal: &Journal) -> Result<(), StoreError> {
    let PaidRows { payments, events, tokens } = &journal.paid;
    if !events.is_empty() {
        insert_events(transaction, events, journal).await?;
    }
    let (new, known): (Vec<&PaymentRow>, Vec<&PaymentRow>) = payments.iter().partition(|row| row.version == 1);
    for (rows, statement) in [(new, INSERT_PAYMENTS), (known, UPDATE_PAYMENTS)] {
        if !rows.is_empty() {
            write_payments(transaction, statement, &rows, journal).await?;
        }
    }
    let (new, used): (Vec<&TokenRow>, Vec<&TokenRow>) = tokens.iter().partition(|row| row.version == 1);
    if !new.is_empty() {
        insert_tokens(transaction, &new, journal).await?;
    }
    // A token that is issued and used in one batch has its use written with it.
    if !used.is_empty() {
        use_tokens(transaction, &used, journal).await?;
    }
    Ok(())
}

async fn insert_events(
    transaction: &mut Transaction<'static, Postgres>,
    events: &[EventRow],
    journal: &Journal,
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO payment_events (provider, event_id, object_id, player_id, kind, caller, idempotency_key, created_at)
         SELECT *, $8
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])",
    )
    .bind(column(events, |event| event.key.provider.as_str()))
    .bind(column(events, |event| event.key.event.as_str()))
    .bind(column(events, |event| event.object.as_str()))
    .bind(column(events, |event| event.player.as_str()))
    .bind(column(events, |event| event.kind.as_str()))
    .bind(column(events, |event| event.under.caller.as_str()))
    .bind(column(events, |event| event.under.key.as_str()))
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT payment_events"))
    .await?;
    expect_rows(events.len(), written.rows_affected())
}

const INSERT_PAYMENTS: (&str, &str) = (
    "INSERT payments",
    "INSERT INTO payments (provider, object_id, player_id, known, parts, version, created_at, updated_at)
     SELECT *, $7, $7
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])",
);

const UPDATE_PAYMENTS: (&str, &str) = (
    "UPDATE payments",
    "UPDATE payments
     SET known = moved.known,
         parts = moved.parts,
         version = moved.version,
         updated_at = $7
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         AS moved (provider, object_id, player_id, known, parts, version)
     WHERE payments.provider = moved.provider
       AND payments.object_id = moved.object_id
       AND payments.player_id = moved.player_id
       AND payments.version = moved.version - 1",
);

async fn write_payments(
    transaction: &mut Transaction<'static, Postgres>,
    (summary, statement): (&'static str, &'static str),
    rows: &[&PaymentRow],
    journal: &Journal,
) -> Result<(), StoreError> {
    let known = rows.iter().map(|row| text(&row.payment.known)).collect::<Result<Vec<_>, _>>()?;
    let parts = rows.iter().map(|row| text(&row.payment.parts)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(statement)
        .bind(column(rows, |row| row.payment.key.provider.as_str()))
        .bind(column(rows, |row| row.payment.key.object.as_str()))
        .bind(column(rows, |row| row.payment.player.as_str()))
        .bind(known)
        .bind(parts)
        .bind(column(rows, |row| bigint(row.version)))
        .bind(db_time(journal.time))
        .execute(&mut **transaction)
        .traced(sql(summary))
        .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn insert_tokens(
    transaction: &mut Transaction<'static, Postgres>,
    rows: &[&TokenRow],
    journal: &Journal,
) -> Result<(), StoreError> {
    let contexts = rows.iter().map(|row| context_text(&row.token.note.context)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "INSERT INTO retail_tokens (token, player_id, provider, object_id, caller, idempotency_key, reason, context, used,
             version, created_at, updated_at)
         SELECT *, 1, $10, $10
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[])",
    )
    .bind(column(rows, |row| row.token.id.as_str()))
    .bind(column(rows, |row| row.token.player.as_str()))
    .bind(column(rows, |row| row.token.source().0))
    .bind(column(rows, |row| row.token.source().1))
    .bind(column(rows, |row| row.token.caller.as_str()))
    .bind(column(rows, |row| row.token.issued_under.as_str()))
    .bind(column(rows, |row| row.token.note.reason.as_str()))
    .bind(contexts)
    .bind(uses(rows)?)
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT retail_tokens"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn use_tokens(
    transaction: &mut Transaction<'static, Postgres>,
    rows: &[&TokenRow],
    journal: &Journal,
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "UPDATE retail_tokens
         SET used = moved.used,
             version = moved.version,
             updated_at = $4
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS moved (token, used, version)
         WHERE retail_tokens.token = moved.token
           AND retail_tokens.version = moved.version - 1",
    )
    .bind(column(rows, |row| row.token.id.as_str()))
    .bind(uses(rows)?)
    .bind(column(rows, |row| bigint(row.version)))
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("UPDATE retail_tokens"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

fn uses(rows: &[&TokenRow]) -> Result<Vec<Option<String>>, StoreError> {
    rows.iter().map(|row| row.token.used.as_ref().map(text).transpose()).collect()
}

fn names<'a>(keys: impl IntoIterator<Item = &'a PaymentKey>) -> (Vec<String>, Vec<String>) {
    keys.into_iter().map(|key| (key.provider.to_string(), key.object.to_string())).unzip()
}
