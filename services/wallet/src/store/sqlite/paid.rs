//! Payments, their events and retail tokens.

use std::collections::HashMap;

use auric_db::{Script, StoreError, Traced as _};
use auric_ids::{PlayerId, RetailTokenId};
use auric_time::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

use super::write::write;
use super::{array, sql};
use crate::domain::{BatchKeys, EventRow, Journal, PaidRows, PaymentKey, PaymentRow, RetailToken, TokenRow};
use crate::store::paid_rows::{EventDbRow, PaymentDbRow, TokenDbRow};
use crate::store::rows::{bigint, context_text, text};
use crate::store::{GenerationsQuery, KeptPayment};

type Tx = Transaction<'static, Sqlite>;

/// Reads what `keys` names.
pub async fn load(transaction: &mut Tx, keys: &BatchKeys) -> Result<PaidRows, StoreError> {
    let mut rows = PaidRows::default();
    let names = array(&keys.payments, |key| json!([key.provider, key.object]));
    if !keys.payments.is_empty() {
        let payments: Vec<PaymentDbRow> = sqlx::query_as(
            "SELECT payments.*
             FROM json_each(?1) AS wanted
             CROSS JOIN payments ON provider = wanted.value ->> 0 AND object_id = wanted.value ->> 1",
        )
        .bind(&names)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT payments"))
        .await?;
        rows.payments = payments.into_iter().map(PaymentDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.events.is_empty() {
        let events: Vec<EventDbRow> = sqlx::query_as(
            "SELECT payment_events.*, mutations.outcome
             FROM json_each(?1) AS wanted
             CROSS JOIN payment_events ON provider = wanted.value ->> 0 AND event_id = wanted.value ->> 1
             CROSS JOIN mutations USING (caller, idempotency_key)",
        )
        .bind(array(&keys.events, |key| json!([key.provider, key.event])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT payment_events"))
        .await?;
        rows.events = events.into_iter().map(EventDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !(keys.tokens.is_empty() && keys.payments.is_empty()) {
        // The empty provider is of those that no payment was made for.
        let tokens: Vec<TokenDbRow> = sqlx::query_as(
            "SELECT retail_tokens.*
             FROM json_each(?1) AS wanted
             CROSS JOIN retail_tokens ON token = wanted.value
             UNION
             SELECT retail_tokens.*
             FROM json_each(?2) AS wanted
             CROSS JOIN retail_tokens ON provider = wanted.value ->> 0
                 AND object_id = wanted.value ->> 1
                 AND provider <> ''",
        )
        .bind(array(&keys.tokens, |token| json!(token)))
        .bind(&names)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT retail_tokens"))
        .await?;
        rows.tokens = tokens.into_iter().map(TokenDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(rows)
}

/// Reads payments in the order of their names, each with what every event of it was answered, as they were at one moment.
pub async fn payments(
    readers: &SqlitePool,
    after: Option<&PaymentKey>,
    limit: u32,
) -> Result<Vec<KeptPayment>, StoreError> {
    let mut snapshot = readers.begin().traced(sql("BEGIN")).await?;
    let payments: Vec<PaymentDbRow> = sqlx::query_as(
        "SELECT *
         FROM payments
         WHERE (provider, object_id) > (?1, ?2)
         ORDER BY provider, object_id
         LIMIT ?3",
    )
    .bind(after.map_or("", |key| key.provider.as_str()))
    .bind(after.map_or("", |key| key.object.as_str()))
    .bind(i64::from(limit))
    .fetch_all(&mut *snapshot)
    .traced(sql("SELECT payments"))
    .await?;
    let payments: Vec<PaymentRow> = payments.into_iter().map(PaymentDbRow::into_domain).collect::<Result<_, _>>()?;
    let events: Vec<EventDbRow> = sqlx::query_as(
        "SELECT payment_events.*, mutations.outcome
         FROM json_each(?1) AS wanted
         CROSS JOIN payment_events ON provider = wanted.value ->> 0 AND object_id = wanted.value ->> 1
         CROSS JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(array(&payments, |row| json!([row.payment.key.provider, row.payment.key.object])))
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
pub async fn token(readers: &SqlitePool, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
    let row: Option<TokenDbRow> = sqlx::query_as("SELECT * FROM retail_tokens WHERE token = ?1")
        .bind(id.as_str())
        .fetch_optional(readers)
        .traced(sql("SELECT retail_tokens"))
        .await?;
    row.map(|row| Ok(row.into_domain()?.token)).transpose()
}

/// Reads used retail tokens, in the order of their names.
pub async fn generations(readers: &SqlitePool, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError> {
    let rows: Vec<TokenDbRow> = sqlx::query_as(
        "SELECT *
         FROM retail_tokens
         WHERE used IS NOT NULL
           AND token > ?1
           AND (?2 IS NULL OR player_id = ?2)
         ORDER BY token
         LIMIT ?3",
    )
    .bind(query.after.as_ref().map_or("", RetailTokenId::as_str))
    .bind(query.player.as_ref().map(PlayerId::as_str))
    .bind(i64::from(query.limit))
    .fetch_all(readers)
    .traced(sql("SELECT retail_tokens"))
    .await?;
    rows.into_iter().map(|row| Ok(row.into_domain()?.token)).collect()
}

/// Adds what was decided: events and new rows are inserted plainly, others are written over the version that was loaded.
pub fn journal(script: &mut Script, journal: &Journal) -> Result<(), StoreError> {
    let PaidRows { payments, events, tokens } = &journal.paid;
    let time = journal.time;
    let events = events.iter().map(|event| {
        let EventRow { key, object, player, kind, under, answer: _ } = event;
        json!([key.provider, key.event, object, player, kind, under.caller, under.key, time])
    });
    write(script, INSERT_EVENTS, events.collect());

    let (new, known): (Vec<&PaymentRow>, Vec<&PaymentRow>) = payments.iter().partition(|row| row.version == 1);
    write(script, INSERT_PAYMENTS, new.into_iter().map(|row| payment(row, time)).collect::<Result<_, _>>()?);
    write(script, UPDATE_PAYMENTS, known.into_iter().map(|row| payment(row, time)).collect::<Result<_, _>>()?);

    // A token that is issued and used in one batch has its use written with it.
    let (new, used): (Vec<&TokenRow>, Vec<&TokenRow>) = tokens.iter().partition(|row| row.version == 1);
    write(script, INSERT_TOKENS, new.into_iter().map(|row| retail_token(row, time)).collect::<Result<_, _>>()?);
    write(script, UPDATE_TOKENS, used.into_iter().map(|row| retail_token(row, time)).collect::<Result<_, _>>()?);
    Ok(())
}

const INSERT_EVENTS: &str = "
    INSERT INTO payment_events (provider, event_id, object_id, player_id, kind, caller, idempotency_key, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?)";

const INSERT_PAYMENTS: &str = "
    INSERT INTO payments (provider, object_id, player_id, known, parts, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 6
    FROM json_each(?)";

const UPDATE_PAYMENTS: &str = "
    UPDATE payments
    SET known = moved.value ->> 3,
        parts = moved.value ->> 4,
        version = moved.value ->> 5,
        updated_at = moved.value ->> 6
    FROM json_each(?) AS moved
    WHERE payments.provider = moved.value ->> 0
      AND payments.object_id = moved.value ->> 1
      AND payments.player_id = moved.value ->> 2
      AND payments.version = (moved.value ->> 5) - 1";

const INSERT_TOKENS: &str = "
    INSERT INTO retail_tokens (token, player_id, provider, object_id, caller, idempotency_key, reason, context, used,
        version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 10
    FROM json_each(?)";

const UPDATE_TOKENS: &str = "
    UPDATE retail_tokens
    SET used = moved.value ->> 8,
        version = moved.value ->> 9,
        updated_at = moved.value ->> 10
    FROM json_each(?) AS moved
    WHERE retail_tokens.token = moved.value ->> 0
      AND retail_tokens.version = (moved.value ->> 9) - 1";

fn payment(row: &PaymentRow, time: Timestamp) -> Result<Value, StoreError> {
    let payment = &row.payment;
    let (known, parts) = (text(&payment.known)?, text(&payment.parts)?);
    let PaymentKey { provider, object } = &payment.key;
    Ok(json!([provider, object, payment.player, known, parts, bigint(row.version), time]))
}

fn retail_token(row: &TokenRow, time: Timestamp) -> Result<Value, StoreError> {
    let token = &row.token;
    let (provider, object) = token.source();
    Ok(json!([
        token.id,
        token.player,
        provider,
        object,
        token.caller,
        token.issued_under,
        token.note.reason,
        context_text(&token.note.context)?,
        token.used.as_ref().map(text).transpose()?,
        bigint(row.version),
        time,
    ]))
}
