//! Payments, their events and retail tokens.

use std::collections::HashMap;

use auric_db::{DbTime, StoreError, Traced as _, Writes};
use auric_ids::{PlayerId, RetailTokenId};
use sqlx::postgres::{PgConnection, PgPool};

use super::write::texts;
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
pub fn write(writes: &mut Writes, journal: &Journal) -> Result<(), StoreError> {
    let PaidRows { payments, events, tokens } = &journal.paid;
    let time = db_time(journal.time);
    if !events.is_empty() {
        insert_events(writes, events, time);
    }
    let (new, known): (Vec<&PaymentRow>, Vec<&PaymentRow>) = payments.iter().partition(|row| row.version == 1);
    if !new.is_empty() {
        insert_payments(writes, &new, time)?;
    }
    if !known.is_empty() {
        update_payments(writes, &known, time)?;
    }
    let (new, used): (Vec<&TokenRow>, Vec<&TokenRow>) = tokens.iter().partition(|row| row.version == 1);
    if !new.is_empty() {
        insert_tokens(writes, &new, time)?;
    }
    // A token that is issued and used in one batch has its use written with it.
    if !used.is_empty() {
        use_tokens(writes, &used, time)?;
    }
    Ok(())
}

fn insert_events(writes: &mut Writes, events: &[EventRow], time: DbTime) {
    writes.insert("payment_events", |columns| {
        columns.each("provider", events, |event| event.key.provider.as_str());
        columns.each("event_id", events, |event| event.key.event.as_str());
        columns.each("object_id", events, |event| event.object.as_str());
        columns.each("player_id", events, |event| event.player.as_str());
        columns.each("kind", events, |event| event.kind.as_str());
        columns.each("caller", events, |event| event.under.caller.as_str());
        columns.each("idempotency_key", events, |event| event.under.key.as_str());
        columns.same("created_at", time);
    });
}

fn insert_payments(writes: &mut Writes, rows: &[&PaymentRow], time: DbTime) -> Result<(), StoreError> {
    let known = texts(rows, |row| text(&row.payment.known))?;
    let parts = texts(rows, |row| text(&row.payment.parts))?;
    writes.insert("payments", |columns| {
        columns.each("provider", rows, |row| row.payment.key.provider.as_str());
        columns.each("object_id", rows, |row| row.payment.key.object.as_str());
        columns.each("player_id", rows, |row| row.payment.player.as_str());
        columns.each("known", &known, String::as_str);
        columns.each("parts", &parts, String::as_str);
        columns.same("version", 1_i64);
        columns.same("created_at", time);
        columns.same("updated_at", time);
    });
    Ok(())
}

fn update_payments(writes: &mut Writes, rows: &[&PaymentRow], time: DbTime) -> Result<(), StoreError> {
    let known = texts(rows, |row| text(&row.payment.known))?;
    let parts = texts(rows, |row| text(&row.payment.parts))?;
    writes.update("payments", rows.len(), |columns| {
        columns.key("provider", rows, |row| row.payment.key.provider.as_str());
        columns.key("object_id", rows, |row| row.payment.key.object.as_str());
        columns.key("player_id", rows, |row| row.payment.player.as_str());
        columns.version(rows, |row| bigint(row.version));
        columns.each("known", &known, String::as_str);
        columns.each("parts", &parts, String::as_str);
        columns.same("updated_at", time);
    });
    Ok(())
}

fn insert_tokens(writes: &mut Writes, rows: &[&TokenRow], time: DbTime) -> Result<(), StoreError> {
    let contexts = texts(rows, |row| context_text(&row.token.note.context))?;
    let uses = uses(rows)?;
    writes.insert("retail_tokens", |columns| {
        columns.each("token", rows, |row| row.token.id.as_str());
        columns.each("player_id", rows, |row| row.token.player.as_str());
        columns.each("provider", rows, |row| row.token.source().0);
        columns.each("object_id", rows, |row| row.token.source().1);
        columns.each("caller", rows, |row| row.token.caller.as_str());
        columns.each("idempotency_key", rows, |row| row.token.issued_under.as_str());
        columns.each("reason", rows, |row| row.token.note.reason.as_str());
        columns.each("context", &contexts, String::as_str);
        columns.each("used", &uses, Option::as_deref);
        columns.same("version", 1_i64);
        columns.same("created_at", time);
        columns.same("updated_at", time);
    });
    Ok(())
}

fn use_tokens(writes: &mut Writes, rows: &[&TokenRow], time: DbTime) -> Result<(), StoreError> {
    let uses = uses(rows)?;
    writes.update("retail_tokens", rows.len(), |columns| {
        columns.key("token", rows, |row| row.token.id.as_str());
        columns.version(rows, |row| bigint(row.version));
        columns.each("used", &uses, Option::as_deref);
        columns.same("updated_at", time);
    });
    Ok(())
}

fn uses(rows: &[&TokenRow]) -> Result<Vec<Option<String>>, StoreError> {
    rows.iter().map(|row| row.token.used.as_ref().map(text).transpose()).collect()
}

fn names<'a>(keys: impl IntoIterator<Item = &'a PaymentKey>) -> (Vec<String>, Vec<String>) {
    keys.into_iter().map(|key| (key.provider.to_string(), key.object.to_string())).unzip()
}
