//! What a batch reads. `CROSS JOIN` keeps the planner from scanning a table once for each wanted row.

use std::borrow::Cow;
use std::sync::LazyLock;

use auric_db::{StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use auric_time::Timestamp;
use serde_json::json;
use sqlx::{Sqlite, Transaction};

use super::many::Many;
use super::{array, paid, sql};
use crate::domain::{BatchKeys, HoldRow, MutationKey, Opened, Player, Record};
use crate::store::rows::{BalanceRow, ClaimDbRow, HoldDbRow, PlayerRow, RecordRow};

type Tx = Transaction<'static, Sqlite>;

/// Reads the heads of those of `wanted` who exist.
pub async fn players(transaction: &mut Tx, wanted: &[&PlayerId]) -> Result<Vec<(PlayerId, Player)>, StoreError> {
    let rows: Vec<PlayerRow> = PLAYERS.read(transaction, wanted, |values, id| values.bind(id.as_str())).await?;
    rows.into_iter().map(PlayerRow::into_domain).collect()
}

/// Reads the holds of those names.
pub async fn holds_of(transaction: &mut Tx, names: &[&HoldId]) -> Result<Vec<HoldRow>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<HoldDbRow> = sqlx::query_as(
        "SELECT *
         FROM answered_holds
         WHERE hold_id IN (SELECT value FROM json_each(?1))",
    )
    .bind(array(names, |id| json!(id)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT holds"))
    .await?;
    rows.into_iter().map(HoldDbRow::into_domain).collect()
}

static PLAYERS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT players",
        1,
        "SELECT json_group_array(json_array(players.player_id, next_expiry, number, hex(hash), head.created_at))
         FROM (VALUES {rows}) AS wanted
         CROSS JOIN players ON players.player_id = wanted.column1
         LEFT JOIN entries AS head ON head.player_id = players.player_id
             AND head.number = (SELECT max(number) FROM entries WHERE entries.player_id = players.player_id)",
    )
});

static BALANCES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT balances",
        2,
        "SELECT json_group_array(json_array(player_id, asset_id, pool_id, available, held, room, owed, generation, period,
             settled_at, regen_units, interval_micros, capacity, last_number, hex(last_hash),
             version))
         FROM (VALUES {rows}) AS wanted
         CROSS JOIN balances ON player_id = wanted.column1 AND asset_id = wanted.column2",
    )
});

static RECORDS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT mutations",
        2,
        "SELECT mutations.*
         FROM (VALUES {rows}) AS wanted
         CROSS JOIN mutations ON caller = wanted.column1 AND idempotency_key = wanted.column2",
    )
});

/// Reads all that `keys` names but for the holds, which were read before.
pub async fn book(
    transaction: &mut Tx,
    keys: &BatchKeys,
    holds: Vec<HoldRow>,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let mut opened = Opened { now, holds, ..Opened::default() };
    let mut keys = Cow::Borrowed(keys);
    if keys.has_paid() {
        opened.paid = paid::load(transaction, &keys).await?;
        opened.paid.payments.iter().for_each(|row| keys.to_mut().add_payment(row));
    }
    let keys: &BatchKeys = &keys;

    opened.players = players(transaction, &keys.players.iter().collect::<Vec<_>>()).await?;
    let assets: Vec<_> = keys.assets.iter().collect();
    let rows: Vec<BalanceRow> = BALANCES
        .read(transaction, &assets, |values, (player, asset)| values.bind(player.as_str()).bind(asset.as_str()))
        .await?;
    opened.balances = rows.into_iter().map(BalanceRow::into_domain).collect::<Result<_, _>>()?;
    unknown(transaction, keys, &keys.mutations.iter().collect::<Vec<_>>(), &mut opened).await?;
    due(transaction, &mut opened).await?;
    Ok(opened)
}

/// Reads what nobody can know without a look: those of `mutations` that were used, and the claims that were made.
pub async fn unknown(
    transaction: &mut Tx,
    keys: &BatchKeys,
    mutations: &[&MutationKey],
    opened: &mut Opened,
) -> Result<(), StoreError> {
    opened.records = records(transaction, mutations).await?;
    if !keys.guards.is_empty() {
        let rows: Vec<ClaimDbRow> = sqlx::query_as(
            "SELECT claims.player_id, claims.claim_type, claims.claim_key, claims.caller, claims.idempotency_key,
                 mutations.outcome
             FROM json_each(?1) AS wanted
             CROSS JOIN claims ON player_id = wanted.value ->> 0
                 AND claim_type = wanted.value ->> 1
                 AND claim_key = wanted.value ->> 2
             CROSS JOIN mutations USING (caller, idempotency_key)",
        )
        .bind(array(&keys.guards, |guard| json!([guard.player, guard.claim_type, guard.claim_key])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT claims"))
        .await?;
        opened.claims = rows.into_iter().map(ClaimDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// Reads what the requests under those keys were answered before.
pub async fn records(transaction: &mut Tx, keys: &[&MutationKey]) -> Result<Vec<Record>, StoreError> {
    let rows: Vec<RecordRow> =
        RECORDS.rows(transaction, keys, |values, key| values.bind(key.caller.as_str()).bind(key.key.as_str())).await?;
    rows.into_iter().map(RecordRow::into_domain).collect()
}

/// Reads every lapsing hold of the players of whom one may have lapsed, and the balances that it set aside.
async fn due(transaction: &mut Tx, opened: &mut Opened) -> Result<(), StoreError> {
    let due = opened.due_players();
    if due.is_empty() {
        return Ok(());
    }
    let names = array(&due, |player| json!(player));
    // A lapsing hold is of one player, so that the first is the only one.
    let rows: Vec<HoldDbRow> = sqlx::query_as(
        "SELECT *
         FROM answered_holds
         WHERE player_id IN (SELECT value FROM json_each(?1))
           AND state = 'held'
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
    let rows: Vec<BalanceRow> = sqlx::query_as(
        "SELECT balances.* FROM json_each(?1) AS wanted CROSS JOIN balances ON player_id = wanted.value",
    )
    .bind(&names)
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT balances"))
    .await?;
    opened.balances.extend(rows.into_iter().map(BalanceRow::into_domain).collect::<Result<Vec<_>, _>>()?);
    Ok(())
}
