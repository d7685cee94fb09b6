//! What a batch reads: locks first, and everything else in new statements.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use auric_time::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{FromRow as _, Postgres, Row as _, Transaction};

use super::{paid, sql};
use crate::domain::{BalanceKey, BatchKeys, HoldRow, MutationKey, Opened, Player, Record, Row};
use crate::store::rows::{BalanceRow, ClaimDbRow, HoldDbRow, PlayerRow, RecordRow};

/// Locks players in ascending order, then their balances in theirs; tells how many of the players exist.
///
/// The balances too: a batch that is decided on what is remembered locks no player. It writes over balances, of which it makes none, before it adds an
/// entry, and so waits here for whoever locked first. Nothing that this returns is decided on: another table's rows are as they were before the wait.
pub async fn lock(transaction: &mut Transaction<'static, Postgres>, names: &[&str]) -> Result<usize, StoreError> {
    let (players, _): (i64, i64) = sqlx::query_as(
        "WITH locked AS MATERIALIZED (
             SELECT player_id
             FROM players
             WHERE player_id = ANY($1)
             ORDER BY player_id
             FOR UPDATE
         ), funds AS MATERIALIZED (
             SELECT 1
             FROM locked
             JOIN balances USING (player_id)
             ORDER BY balances.player_id, asset_id, pool_id
             FOR UPDATE OF balances
         )
         SELECT (SELECT count(*) FROM locked), (SELECT count(*) FROM funds)",
    )
    .bind(names)
    .fetch_one(&mut **transaction)
    .traced(sql("SELECT players FOR UPDATE"))
    .await?;
    Ok(usize::try_from(players).unwrap_or_default())
}

/// Players in ascending order, and balances.
pub type Funds = (Vec<(PlayerId, Player)>, Vec<(BalanceKey, Row)>);

/// Reads the heads of the players of `wanted` who exist, and their balances of the assets that are named with them.
pub async fn funds(connection: &mut PgConnection, wanted: &[(&str, Option<&str>)]) -> Result<Funds, StoreError> {
    let (names, assets): (Vec<&str>, Vec<Option<&str>>) = wanted.iter().copied().unzip();
    // Two tables by one statement: whoever wants a balance wants its player's head too.
    let rows = sqlx::query(
        "SELECT players.player_id, players.next_expiry, head.number, head.hash, head.created_at AS told_at, balances.asset_id,
             pool_id, available, held, room, owed, generation, period, settled_at, regen_units, interval_micros, capacity,
             last_number, last_hash, version
         FROM (SELECT unnest($1::text[]) AS player_id, unnest($2::text[]) AS asset_id) AS wanted
         JOIN players USING (player_id)
         LEFT JOIN LATERAL (
             SELECT number, hash, created_at
             FROM entries
             WHERE entries.player_id = players.player_id
             ORDER BY number DESC
             LIMIT 1
         ) AS head ON true
         LEFT JOIN balances ON balances.player_id = players.player_id AND balances.asset_id = wanted.asset_id",
    )
    .bind(names)
    .bind(assets)
    .fetch_all(connection)
    .traced(sql("SELECT players"))
    .await?;
    let (mut players, mut balances) = (BTreeMap::new(), Vec::new());
    for row in &rows {
        let (id, player) = PlayerRow::from_row(row)?.into_domain()?;
        players.insert(id, player);
        if row.try_get::<Option<&str>, _>("asset_id")?.is_some() {
            balances.push(BalanceRow::from_row(row)?.into_domain()?);
        }
    }
    Ok((players.into_iter().collect(), balances))
}

/// Reads the heads of players, and nothing of what they have.
pub async fn heads(connection: &mut PgConnection, names: &[&str]) -> Result<Vec<(PlayerId, Player)>, StoreError> {
    let wanted: Vec<_> = names.iter().map(|name| (*name, None)).collect();
    Ok(funds(connection, &wanted).await?.0)
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
    let rows: Vec<HoldDbRow> = sqlx::query_as("SELECT * FROM answered_holds WHERE hold_id = ANY($1)")
        .bind(names)
        .fetch_all(connection)
        .traced(sql("SELECT holds"))
        .await?;
    rows.into_iter().map(HoldDbRow::into_domain).collect()
}

/// Reads all that `keys` names but for the holds, which were read before.
pub async fn book(
    transaction: &mut Transaction<'static, Postgres>,
    keys: &BatchKeys,
    holds: Vec<HoldRow>,
) -> Result<Opened, StoreError> {
    let mut opened = Opened { holds, ..Opened::default() };
    let mut keys = Cow::Borrowed(keys);
    if keys.has_paid() {
        opened.paid = paid::load(transaction, &keys).await?;
        opened.paid.payments.iter().for_each(|row| keys.to_mut().add_payment(row));
    }
    let keys: &BatchKeys = &keys;
    let with_assets: BTreeSet<&PlayerId> = keys.assets.iter().map(|(player, _)| player).collect();
    let others = keys.players.iter().filter(|player| !with_assets.contains(player));
    let assets = keys.assets.iter().map(|(player, asset)| (player.as_str(), Some(asset.as_str())));
    let wanted: Vec<_> = assets.chain(others.map(|player| (player.as_str(), None))).collect();
    (opened.players, opened.balances) = funds(transaction, &wanted).await?;
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
    claims(connection, keys, opened).await
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
            records.push(RecordRow::from_row(row)?.into_domain()?);
        }
    }
    Ok((now, records))
}

/// Reads those of the claims that were made.
pub async fn claims(connection: &mut PgConnection, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
    if keys.guards.is_empty() {
        return Ok(());
    }
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
         FROM answered_holds
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
