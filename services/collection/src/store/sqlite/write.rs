//! What a batch writes: table by table, and every row counted.

use auric_db::{Statement, StoreError, Traced as _};
use auric_events::store::{Batch, sqlite as outbox};
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::{array, sql};
use crate::domain::{EspritRow, Journal, PartRow, PieceRow, Record, StateTag, word_of};
use crate::store::rows::{bigint, optional_text, text};

type Tx = Transaction<'static, Sqlite>;

/// Writes everything, parts first.
pub async fn journal(transaction: &mut Tx, journal: &Journal, tag: StateTag) -> Result<(), StoreError> {
    let records = journal.records.iter().map(record).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT mutations"), INSERT_RECORDS), records).await?;
    auric_twophase::store::sqlite::write(transaction, &journal.log, journal.time).await?;
    let (known, new): (Vec<&PartRow>, Vec<&PartRow>) = journal.parts.iter().partition(|row| row.is_known);
    let new = new.into_iter().map(part).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT participations"), INSERT_PARTS), new).await?;
    let known = known.into_iter().map(part).collect::<Result<_, _>>()?;
    write(transaction, (sql("UPDATE participations"), END_PARTS), known).await?;

    let new = journal.esprits.iter().filter(|row| row.loaded_version == 0).map(esprit).collect();
    write(transaction, (sql("INSERT esprits"), INSERT_ESPRITS), new).await?;

    let known = journal.esprits.iter().filter(|row| row.loaded_version > 0).map(esprit).collect();
    write(transaction, (sql("UPDATE esprits"), UPDATE_ESPRITS), known).await?;
    let (new, known): (Vec<&PieceRow>, Vec<&PieceRow>) = journal.pieces.iter().partition(|row| row.loaded_version == 0);
    write(transaction, (sql("INSERT equipment"), INSERT_PIECES), new.into_iter().map(piece).collect()).await?;
    write(transaction, (sql("UPDATE equipment"), UPDATE_PIECES), known.into_iter().map(piece).collect()).await?;

    let tag = hex::encode(tag);
    let players = journal.players.iter().map(|(id, player)| {
        Ok(json!([
            id,
            bigint(player.loaded_version),
            bigint(player.esprits),
            bigint(player.promised),
            bigint(player.last_number),
            bigint(player.version),
            tag,
            player.updated_at,
            bigint(player.equipment),
            text(&player.team)?,
            bigint(player.team_version),
        ]))
    });
    let players = players.collect::<Result<_, StoreError>>()?;
    write(transaction, (sql("INSERT players"), UPSERT_PLAYERS), players).await?;

    match Batch::of(&journal.news)? {
        Some(batch) => outbox::write(transaction, journal.lane, journal.time, &batch).await,
        None => Ok(()),
    }
}

/// Writes the rows of one table by one statement, and counts them.
async fn write(
    transaction: &mut Tx,
    (statement, text): (Statement, &'static str),
    rows: Vec<Value>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let query = sqlx::query(text).bind(array(rows, |row| row));
    let written = query.execute(&mut **transaction).traced(statement).await?.rows_affected();
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}

fn part(row: &PartRow) -> Result<Value, StoreError> {
    let part = &row.part;
    Ok(json!([
        part.operation,
        part.player,
        part.coordinator,
        word_of(part.state),
        part.catalog.map(|hash| hash.to_string()),
        optional_text(part.intent.as_ref())?,
        optional_text(part.outcome.as_ref())?,
        part.created_at,
        part.updated_at,
    ]))
}

fn esprit(row: &EspritRow) -> Value {
    let esprit = &row.esprit;
    json!([
        esprit.player,
        esprit.id,
        bigint(esprit.number),
        esprit.species,
        esprit.level,
        bigint(esprit.version),
        esprit.operation,
        i64::from(esprit.locked),
        esprit.busy,
        esprit.created_at,
        esprit.updated_at,
        esprit.dissolved_at,
        bigint(row.loaded_version),
    ])
}

fn piece(row: &PieceRow) -> Value {
    let piece = &row.piece;
    json!([
        piece.player,
        piece.id,
        piece.kind,
        piece.esprit,
        bigint(piece.version),
        piece.created_at,
        piece.updated_at,
        bigint(row.loaded_version),
    ])
}

fn record(record: &Record) -> Result<Value, StoreError> {
    Ok(json!([
        record.key.caller,
        record.key.key,
        record.method,
        hex::encode(record.fingerprint.digest),
        record.fingerprint.fields,
        text(&record.outcome)?,
        record.time,
    ]))
}

const INSERT_RECORDS: &str = "
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const UPDATE_ESPRITS: &str = "
    UPDATE esprits
    SET level = moved.value ->> 4,
        version = moved.value ->> 5,
        locked = moved.value ->> 7,
        busy_operation_id = moved.value ->> 8,
        updated_at = moved.value ->> 10,
        dissolved_at = moved.value ->> 11
    FROM json_each(?1) AS moved
    WHERE esprits.player_id = moved.value ->> 0
      AND esprits.esprit_id = moved.value ->> 1
      AND esprits.version = moved.value ->> 12";

const INSERT_PIECES: &str = "
    INSERT INTO equipment (player_id, equipment_id, kind_id, esprit_id, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const UPDATE_PIECES: &str = "
    UPDATE equipment
    SET esprit_id = moved.value ->> 3,
        version = moved.value ->> 4,
        updated_at = moved.value ->> 6
    FROM json_each(?1) AS moved
    WHERE equipment.player_id = moved.value ->> 0
      AND equipment.equipment_id = moved.value ->> 1
      AND equipment.version = moved.value ->> 7";

const INSERT_PARTS: &str = "
    INSERT INTO participations (operation_id, player_id, coordinator, state, catalog_hash, intent, outcome, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, value ->> 6, value ->> 7,
        value ->> 8
    FROM json_each(?1)";

// A part that was there can only have been prepared: nothing else ever changes.
const END_PARTS: &str = "
    UPDATE participations
    SET state = moved.value ->> 3,
        outcome = moved.value ->> 6,
        updated_at = moved.value ->> 8
    FROM json_each(?1) AS moved
    WHERE participations.operation_id = moved.value ->> 0
      AND participations.state = 'prepared'";

const INSERT_ESPRITS: &str = "
    INSERT INTO esprits (player_id, esprit_id, number, species_id, level, version, operation_id, locked, busy_operation_id,
        created_at, updated_at, dissolved_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11
    FROM json_each(?1)";

// A player who was never written counts as version 0.
const UPSERT_PLAYERS: &str = "
    INSERT INTO players (player_id, esprits, promised, last_number, version, state_tag, created_at, updated_at,
        equipment, team, team_version)
    SELECT moved.value ->> 0, moved.value ->> 2, moved.value ->> 3, moved.value ->> 4, moved.value ->> 5,
        unhex(moved.value ->> 6), moved.value ->> 7, moved.value ->> 7, moved.value ->> 8, moved.value ->> 9,
        moved.value ->> 10
    FROM json_each(?1) AS moved
    LEFT JOIN players AS stored ON stored.player_id = moved.value ->> 0
    WHERE ifnull(stored.version, 0) = moved.value ->> 1
    ON CONFLICT (player_id) DO UPDATE
    SET esprits = excluded.esprits,
        promised = excluded.promised,
        last_number = excluded.last_number,
        version = excluded.version,
        state_tag = excluded.state_tag,
        updated_at = excluded.updated_at,
        equipment = excluded.equipment,
        team = excluded.team,
        team_version = excluded.team_version";
