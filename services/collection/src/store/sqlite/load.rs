//! What a batch reads. `CROSS JOIN` keeps the planner from scanning a table once for each wanted row.

use auric_db::{StoreError, Traced as _};
use auric_time::Timestamp;
use serde_json::json;
use sqlx::{Sqlite, Transaction};

use super::{array, sql};
use crate::domain::{BatchKeys, Opened};
use crate::store::rows::{EspritDbRow, PartDbRow, PieceDbRow, PlayerRow, RecordDbRow, hash};

type Tx = Transaction<'static, Sqlite>;

/// Reads all that `keys` names.
pub async fn book(transaction: &mut Tx, keys: &BatchKeys, now: Timestamp) -> Result<Opened, StoreError> {
    let mut opened = Opened { now, ..Opened::default() };

    let players: Vec<PlayerRow> = sqlx::query_as(
        "SELECT players.*
         FROM json_each(?1) AS wanted
         CROSS JOIN players ON player_id = wanted.value",
    )
    .bind(array(&keys.players, |player| json!(player)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT players"))
    .await?;
    opened.players = players.into_iter().map(PlayerRow::into_domain).collect::<Result<_, _>>()?;

    let parts: Vec<PartDbRow> = sqlx::query_as(
        "SELECT participations.*
         FROM json_each(?1) AS wanted
         CROSS JOIN participations ON operation_id = wanted.value",
    )
    .bind(array(&keys.operations, |operation| json!(operation)))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT participations"))
    .await?;
    opened.parts = parts.into_iter().map(PartDbRow::into_domain).collect::<Result<_, _>>()?;

    if !keys.esprits.is_empty() {
        let esprits: Vec<EspritDbRow> = sqlx::query_as(
            "SELECT esprits.*
             FROM json_each(?1) AS wanted
             CROSS JOIN esprits ON player_id = wanted.value ->> 0 AND esprit_id = wanted.value ->> 1",
        )
        .bind(array(&keys.esprits, |(player, esprit)| json!([player, esprit])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT esprits"))
        .await?;
        opened.esprits = esprits.into_iter().map(EspritDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    keyed(transaction, keys, &mut opened).await?;
    opened.log = auric_twophase::store::sqlite::load(transaction, &keys.log).await?;
    if !keys.catalogs.is_empty() {
        let found: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT catalogs.hash
             FROM json_each(?1) AS wanted
             CROSS JOIN catalogs ON hash = unhex(wanted.value)",
        )
        .bind(array(&keys.catalogs, |hash| json!(hash.to_string())))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT catalogs"))
        .await?;
        opened.catalogs = found.into_iter().map(hash).collect::<Result<_, StoreError>>()?;
    }
    Ok(opened)
}

/// Reads what only keyed changes look at: their answers, and what players have to wear.
async fn keyed(transaction: &mut Tx, keys: &BatchKeys, opened: &mut Opened) -> Result<(), StoreError> {
    if !keys.mutations.is_empty() {
        let records: Vec<RecordDbRow> = sqlx::query_as(
            "SELECT mutations.*
             FROM json_each(?1) AS wanted
             CROSS JOIN mutations ON caller = wanted.value ->> 0 AND idempotency_key = wanted.value ->> 1",
        )
        .bind(array(&keys.mutations, |key| json!([key.caller, key.key])))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT mutations"))
        .await?;
        opened.records = records.into_iter().map(RecordDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    if !keys.armories.is_empty() {
        let pieces: Vec<PieceDbRow> = sqlx::query_as(
            "SELECT equipment.*
             FROM json_each(?1) AS wanted
             CROSS JOIN equipment ON player_id = wanted.value",
        )
        .bind(array(&keys.armories, |player| json!(player)))
        .fetch_all(&mut **transaction)
        .traced(sql("SELECT equipment"))
        .await?;
        opened.pieces = pieces.into_iter().map(PieceDbRow::into_domain).collect::<Result<_, _>>()?;
    }
    Ok(())
}
