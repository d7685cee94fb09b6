//! What a batch reads: locks first, and everything else in new statements.

use std::borrow::Cow;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{AssetId, PlayerId};
use auric_time::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Row as _, Transaction};

use super::{paid, sql};
use crate::domain::{BalanceKey, BatchKeys, Opened, Player, Row};
use crate::store::rows::{BalanceRow, ClaimDbRow, HoldDbRow, PlayerRow, RecordRow};

/// Locks players in ascending order, and tells how many of them exist. Nothing that it returns is decided on.
pub async fn lock(transaction: &mut Transaction<'static, Postgres>, players: &[&str]) -> Result<usize, StoreError> {
    let locked = sqlx::query(
        "SELECT player_id
         FROM players
         WHERE player_id = ANY($1)
         ORDER BY player_id
         FOR UPDATE",
    )
    .bind(players)
    .execute(&mut **transaction)
    .traced(sql("SELECT players FOR UPDATE"))
    .await?;
    Ok(usize::try_from(locked.rows_affected()).unwrap_or(usize::MAX))
}

/// Reads all that `keys` names, after the locks.
pub async fn book(transaction: &mut Transaction<'static, Postgres>, keys: &BatchKeys) -> Result<Opened, StoreError> {
    let names: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
    let (now, players) = clock_and_players(transaction, &names).await?;
    let mut opened = Opened { now, players, ..Opened::default() };
    let mut keys = Cow::Borrowed(keys);
    if keys.has_paid() {
        opened.paid = paid::load(transaction, &keys).await?;
        opened.paid.payments.iter().for_each(|row| keys.to_mut().add_payment(row));
    }
    let keys: &BatchKeys = &keys;
    opened.balances = balances(transaction, keys).await?;

    let wanted = keys.mutations.iter();
    let (callers, names): (Vec<&str>, Vec<&str>) = wanted.map(|key| (key.caller.as_str(), key.key.as_str())).unzip();
    let records: Vec<RecordRow> = sqlx::query_as(
        "SELECT mutations.*
         FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(callers)
    .bind(names)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT mutations"))
    .await?;
    opened.records = records.into_iter().map(RecordRow::into_domain).collect::<Result<_, _>>()?;

    if !keys.holds.is_empty() {
        for row in holds(&mut **transaction, keys).await? {
            let row = row.into_domain()?;
            // One that came up since its players were looked up has players who are not locked: it counts as not there yet.
            if row.hold.balances().all(|key| keys.players.contains(&key.player)) {
                opened.holds.push(row);
            }
        }
    }
    if !keys.guards.is_empty() {
        claims(transaction, keys, &mut opened).await?;
    }
    due(transaction, &mut opened).await?;
    Ok(opened)
}

/// Reads the database's clock and those of `names` who exist.
pub async fn clock_and_players(
    connection: &mut PgConnection,
    names: &[&str],
) -> Result<(Timestamp, Vec<(PlayerId, Player)>), StoreError> {
    let rows = sqlx::query(
        "SELECT clock.now, player.player_id, player.last_number, player.last_hash, player.last_time, player.next_expiry
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN players AS player ON player.player_id = ANY($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .traced(sql("SELECT players"))
    .await?;
    let mut now = Timestamp::EPOCH;
    let mut players = Vec::with_capacity(rows.len());
    for row in &rows {
        now = row.try_get::<DbTime, _>("now")?.0;
        if row.try_get::<Option<String>, _>("player_id")?.is_some() {
            players.push(<PlayerRow as sqlx::FromRow<'_, _>>::from_row(row)?.into_domain()?);
        }
    }
    Ok((now, players))
}

/// Reads the holds that `keys` names.
pub async fn holds<'c>(connection: impl sqlx::PgExecutor<'c>, keys: &BatchKeys) -> Result<Vec<HoldDbRow>, StoreError> {
    let names: Vec<&str> = keys.holds.iter().map(auric_ids::HoldId::as_str).collect();
    Ok(sqlx::query_as("SELECT * FROM holds WHERE hold_id = ANY($1)")
        .bind(names)
        .fetch_all(connection)
        .traced(sql("SELECT holds"))
        .await?)
}

async fn balances(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
) -> Result<Vec<(BalanceKey, Row)>, StoreError> {
    let wanted = keys.assets.iter();
    let (owners, assets): (Vec<&str>, Vec<&str>) =
        wanted.map(|(player, asset): &(PlayerId, AssetId)| (player.as_str(), asset.as_str())).unzip();
    let rows: Vec<BalanceRow> = sqlx::query_as(
        "SELECT balances.*
         FROM unnest($1::text[], $2::text[]) AS wanted (player_id, asset_id)
         JOIN balances USING (player_id, asset_id)",
    )
    .bind(owners)
    .bind(assets)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT balances"))
    .await?;
    rows.into_iter().map(BalanceRow::into_domain).collect()
}

async fn claims(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
    opened: &mut Opened,
) -> Result<(), StoreError> {
    let guards: Vec<_> = keys.guards.iter().collect();
    let claims: Vec<ClaimDbRow> = sqlx::query_as(
        "SELECT claims.player_id, claims.claim_type, claims.claim_key, claims.caller, claims.idempotency_key,
             mutations.outcome
         FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (player_id, claim_type, claim_key)
         JOIN claims USING (player_id, claim_type, claim_key)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(guards.iter().map(|guard| guard.player.as_str()).collect::<Vec<_>>())
    .bind(guards.iter().map(|guard| guard.claim_type.as_str()).collect::<Vec<_>>())
    .bind(guards.iter().map(|guard| guard.claim_key.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT claims"))
    .await?;
    opened.claims = claims.into_iter().map(ClaimDbRow::into_domain).collect::<Result<_, _>>()?;
    Ok(())
}

/// Reads every lapsing hold of the players of whom one may have lapsed, and the balances that it set aside.
///
/// The players' own times count too: a mutation is never dated before the newest of them.
async fn due(transaction: &mut Transaction<'static, Postgres>, opened: &mut Opened) -> Result<(), StoreError> {
    let due = opened.due_players();
    if due.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = due.iter().map(PlayerId::as_str).collect();
    // A lapsing hold is of one player, so that the first is the only one.
    let rows: Vec<HoldDbRow> = sqlx::query_as(
        "SELECT *
         FROM holds
         WHERE state = 'held'
           AND player_id = ANY($1)
           AND expires_at IS NOT NULL",
    )
    .bind(&names)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT holds"))
    .await?;
    for row in rows {
        let row = row.into_domain()?;
        if opened.holds.iter().all(|known| known.hold.id != row.hold.id) {
            opened.holds.push(row);
        }
    }
    let rows: Vec<BalanceRow> = sqlx::query_as("SELECT * FROM balances WHERE player_id = ANY($1)")
        .bind(&names)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT balances"))
        .await?;
    opened.balances.extend(rows.into_iter().map(BalanceRow::into_domain).collect::<Result<Vec<_>, _>>()?);
    Ok(())
}
