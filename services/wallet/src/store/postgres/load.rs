//! What a batch reads: locks first, and everything else in new statements.

use std::borrow::Cow;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{AssetId, HoldId, PlayerId};
use auric_time::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Row as _, Transaction};

use super::{paid, sql};
use crate::domain::{BalanceKey, BatchKeys, HoldRow, MutationKey, Opened, Player, Record, Row};
use crate::store::recent::Recent;
use crate::store::rows::{BalanceRow, ClaimDbRow, HoldDbRow, PlayerRow, RecordRow};

/// Locks players in ascending order, and returns those of them who exist, each as it is behind its lock.
///
/// A locked row comes back as it was left by whoever held it before, not as it was when the statement began: the wait is over for it alone. So
/// heads may be decided on, and nothing else may be joined here: a row of another table would be as it was before the wait.
pub async fn lock(
    transaction: &mut Transaction<'static, Postgres>,
    names: &[&str],
) -> Result<Vec<(PlayerId, Player)>, StoreError> {
    let locked: Vec<PlayerRow> = sqlx::query_as(
        "SELECT player_id, last_number, last_hash, last_time, next_expiry
         FROM players
         WHERE player_id = ANY($1)
         ORDER BY player_id
         FOR UPDATE",
    )
    .bind(names)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT players FOR UPDATE"))
    .await?;
    locked.into_iter().map(PlayerRow::into_domain).collect()
}

/// Reads those of `names` who exist, and locks nobody.
pub async fn players(connection: &mut PgConnection, names: &[&str]) -> Result<Vec<(PlayerId, Player)>, StoreError> {
    let rows: Vec<PlayerRow> = sqlx::query_as(
        "SELECT player_id, last_number, last_hash, last_time, next_expiry
         FROM players
         WHERE player_id = ANY($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .traced(sql("SELECT players"))
    .await?;
    rows.into_iter().map(PlayerRow::into_domain).collect()
}

/// Reads the holds that `keys` names, after the locks of `players`, but for those that `recent` knows.
pub async fn holds(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
    players: &[(PlayerId, Player)],
    recent: &Recent,
) -> Result<Vec<HoldRow>, StoreError> {
    let mut known = recent.holds(players, keys);
    known.rows.extend(holds_of(&mut **transaction, &known.rest).await?);
    Ok(known.rows)
}

/// Reads the holds of those names.
pub async fn holds_of<'c>(
    connection: impl sqlx::PgExecutor<'c>,
    names: &[&HoldId],
) -> Result<Vec<HoldRow>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = names.iter().map(|id| id.as_str()).collect();
    let rows: Vec<HoldDbRow> = sqlx::query_as("SELECT * FROM holds WHERE hold_id = ANY($1)")
        .bind(names)
        .fetch_all(connection)
        .traced(sql("SELECT holds"))
        .await?;
    rows.into_iter().map(HoldDbRow::into_domain).collect()
}

/// Reads all else that `keys` names of `players`, after their locks, but for the balances that `recent` knows.
pub async fn book(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
    (players, holds): (Vec<(PlayerId, Player)>, Vec<HoldRow>),
    recent: &Recent,
) -> Result<Opened, StoreError> {
    let mut opened = Opened { players, holds, ..Opened::default() };
    let mut keys = Cow::Borrowed(keys);
    if keys.has_paid() {
        opened.paid = paid::load(transaction, &keys).await?;
        opened.paid.payments.iter().for_each(|row| keys.to_mut().add_payment(row));
    }
    let keys: &BatchKeys = &keys;
    let known = recent.balances(&opened.players, keys);
    opened.balances = known.rows;
    opened.balances.extend(balances(transaction, &known.rest).await?);
    unknown(transaction, keys, &keys.mutations.iter().collect::<Vec<_>>(), &mut opened).await?;
    due(transaction, &mut opened).await?;
    Ok(opened)
}

/// Reads what nobody can know without a look: the clock, those of `mutations` that were used, and the claims that were made.
pub async fn unknown(
    connection: &mut PgConnection,
    keys: &BatchKeys,
    mutations: &[&MutationKey],
    opened: &mut Opened,
) -> Result<(), StoreError> {
    if mutations.is_empty() {
        opened.now = clock(&mut *connection).await?;
    } else {
        (opened.now, opened.records) = clock_and_records(connection, mutations).await?;
    }
    if !keys.guards.is_empty() {
        claims(connection, keys, opened).await?;
    }
    Ok(())
}

/// Reads the database's clock.
///
/// By itself: with no keys to look up the statement below would be planned anew each time, since that promises to be cheaper.
pub async fn clock(connection: impl sqlx::PgExecutor<'_>) -> Result<Timestamp, StoreError> {
    let now: DbTime =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(connection).traced(sql("SELECT")).await?;
    Ok(now.0)
}

/// Reads the database's clock, and what the requests under those keys were answered before.
pub async fn clock_and_records(
    connection: &mut PgConnection,
    keys: &[&MutationKey],
) -> Result<(Timestamp, Vec<Record>), StoreError> {
    let (callers, names): (Vec<&str>, Vec<&str>) =
        keys.iter().map(|key| (key.caller.as_str(), key.key.as_str())).unzip();
    let rows = sqlx::query(
        "SELECT clock.now, kept.*
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN (
             SELECT mutations.*
             FROM (SELECT unnest($1::text[]) AS caller, unnest($2::text[]) AS idempotency_key) AS wanted
             JOIN mutations USING (caller, idempotency_key)
         ) AS kept ON true",
    )
    .bind(callers)
    .bind(names)
    .fetch_all(connection)
    .traced(sql("SELECT mutations"))
    .await?;
    let mut now = Timestamp::EPOCH;
    let mut records = Vec::new();
    for row in &rows {
        now = row.try_get::<DbTime, _>("now")?.0;
        if row.try_get::<Option<String>, _>("caller")?.is_some() {
            records.push(<RecordRow as sqlx::FromRow<'_, _>>::from_row(row)?.into_domain()?);
        }
    }
    Ok((now, records))
}

async fn balances(
    transaction: &mut Transaction<'static, Postgres>,
    wanted: &[&(PlayerId, AssetId)],
) -> Result<Vec<(BalanceKey, Row)>, StoreError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (owners, assets): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(player, asset)| (player.as_str(), asset.as_str())).unzip();
    let rows: Vec<BalanceRow> = sqlx::query_as(
        "SELECT balances.*
         FROM (SELECT unnest($1::text[]) AS player_id, unnest($2::text[]) AS asset_id) AS wanted
         JOIN balances USING (player_id, asset_id)",
    )
    .bind(owners)
    .bind(assets)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT balances"))
    .await?;
    rows.into_iter().map(BalanceRow::into_domain).collect()
}

async fn claims(connection: &mut PgConnection, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
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
    .fetch_all(connection)
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
