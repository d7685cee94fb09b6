//! What a batch reads: locks first, and everything else in new statements.

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{OperationId, PlayerId};
use auric_time::Timestamp;
use sqlx::{Postgres, Row as _, Transaction};

use super::sql;
use crate::domain::{BatchKeys, Opened, Player};
use crate::store::rows::{EspritDbRow, PartDbRow, PieceDbRow, PlayerRow, RecordDbRow, hash};

type Tx = Transaction<'static, Postgres>;

/// Locks players in ascending order, and tells how many of them exist. Nothing that it returns is decided on.
pub async fn lock(transaction: &mut Tx, players: &[&str]) -> Result<usize, StoreError> {
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
pub async fn book(transaction: &mut Tx, keys: &BatchKeys) -> Result<Opened, StoreError> {
    let (now, players) = clock_and_players(transaction, keys).await?;
    let mut opened = Opened { now, players, ..Opened::default() };

    let operations: Vec<&str> = keys.operations.iter().map(OperationId::as_str).collect();
    let parts: Vec<PartDbRow> = sqlx::query_as("SELECT * FROM participations WHERE operation_id = ANY($1)")
        .bind(operations)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT participations"))
        .await?;
    opened.parts = parts.into_iter().map(PartDbRow::into_domain).collect::<Result<_, _>>()?;

    if !keys.esprits.is_empty() {
        let wanted = keys.esprits.iter();
        let (owners, esprits): (Vec<&str>, Vec<&str>) =
            wanted.map(|(player, esprit)| (player.as_str(), esprit.as_str())).unzip();
        let rows: Vec<EspritDbRow> = sqlx::query_as(
            "SELECT esprits.*
             FROM unnest($1::text[], $2::text[]) AS wanted (player_id, esprit_id)
             JOIN esprits USING (player_id, esprit_id)",
        )
        .bind(owners)
        .bind(esprits)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT esprits"))
        .await?;
        opened.esprits = rows.into_iter().map(EspritDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    keyed(transaction, keys, &mut opened).await?;
    opened.log = auric_twophase::store::postgres::load(transaction, &keys.log).await?;
    if !keys.catalogs.is_empty() {
        let wanted: Vec<&[u8]> = keys.catalogs.iter().map(|hash| hash.as_bytes().as_slice()).collect();
        let found: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM catalogs WHERE hash = ANY($1)")
            .bind(wanted)
            .fetch_all(&mut **transaction)
            .traced(sql("SELECT catalogs"))
            .await?;
        opened.catalogs = found.into_iter().map(hash).collect::<Result<_, StoreError>>()?;
    }
    Ok(opened)
}

/// Reads the database's clock and the players.
async fn clock_and_players(
    transaction: &mut Tx,
    keys: &BatchKeys,
) -> Result<(Timestamp, Vec<(PlayerId, Player)>), StoreError> {
    let names: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
    let rows = sqlx::query(
        "SELECT clock.now, player.player_id, player.esprits, player.promised, player.last_number, player.equipment,
             player.team, player.team_version, player.version, player.updated_at
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN players AS player ON player.player_id = ANY($1)",
    )
    .bind(names)
    .fetch_all(&mut **transaction)
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

/// Reads what only keyed changes look at: their answers, and what players have to wear.
async fn keyed(transaction: &mut Tx, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
    if !keys.mutations.is_empty() {
        let wanted = keys.mutations.iter();
        let (callers, names): (Vec<&str>, Vec<&str>) =
            wanted.map(|key| (key.caller.as_str(), key.key.as_str())).unzip();
        let rows: Vec<RecordDbRow> = sqlx::query_as(
            "SELECT mutations.*
             FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
             JOIN mutations USING (caller, idempotency_key)",
        )
        .bind(callers)
        .bind(names)
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT mutations"))
        .await?;
        opened.records = rows.into_iter().map(RecordDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.armories.is_empty() {
        let owners: Vec<&str> = keys.armories.iter().map(PlayerId::as_str).collect();
        let rows: Vec<PieceDbRow> = sqlx::query_as("SELECT * FROM equipment WHERE player_id = ANY($1)")
            .bind(owners)
            .fetch_all(&mut **transaction)
            .traced(sql("SELECT equipment"))
            .await?;
        opened.pieces = rows.into_iter().map(PieceDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(())
}
