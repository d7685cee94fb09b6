//! What keyed changes write: their answers, and over the versions that were loaded.

use auric_db::{StoreError, Traced as _};
use auric_ids::{EspritId, OperationId};
use sqlx::{Postgres, Transaction};

use super::write::{column, expect_rows};
use super::{db_time, sql};
use crate::domain::{EspritRow, PieceRow, Record};
use crate::store::rows::{bigint, integer, text};

type Tx = Transaction<'static, Postgres>;

/// Inserts plainly: a duplicate means that another copy used the key first.
pub async fn records(transaction: &mut Tx, records: &[Record]) -> Result<(), StoreError> {
    let outcomes = records.iter().map(|record| text(&record.outcome)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[])",
    )
    .bind(column(records, |record| record.key.caller.as_str()))
    .bind(column(records, |record| record.key.key.as_str()))
    .bind(column(records, |record| record.method.as_str()))
    .bind(column(records, |record| record.fingerprint.digest.as_slice()))
    .bind(column(records, |record| record.fingerprint.fields.as_str()))
    .bind(outcomes)
    .bind(column(records, |record| db_time(record.time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT mutations"))
    .await?;
    expect_rows(records.len(), written.rows_affected())
}

/// Writes esprits only over the version that was loaded.
pub async fn esprits(transaction: &mut Tx, known: &[&EspritRow]) -> Result<(), StoreError> {
    let written = sqlx::query(
        "UPDATE esprits
         SET level = moved.level,
             version = moved.version,
             locked = moved.locked,
             busy_operation_id = moved.busy_operation_id,
             updated_at = moved.updated_at,
             dissolved_at = moved.dissolved_at
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::bigint[], $6::boolean[], $7::text[],
                 $8::timestamptz[], $9::timestamptz[])
             AS moved (player_id, esprit_id, loaded_version, level, version, locked, busy_operation_id, updated_at,
                 dissolved_at)
         WHERE esprits.player_id = moved.player_id
           AND esprits.esprit_id = moved.esprit_id
           AND esprits.version = moved.loaded_version",
    )
    .bind(column(known, |row| row.esprit.player.as_str()))
    .bind(column(known, |row| row.esprit.id.as_str()))
    .bind(column(known, |row| bigint(row.loaded_version)))
    .bind(column(known, |row| integer(row.esprit.level)))
    .bind(column(known, |row| bigint(row.esprit.version)))
    .bind(column(known, |row| row.esprit.locked))
    .bind(column(known, |row| row.esprit.busy.as_ref().map(OperationId::as_str)))
    .bind(column(known, |row| db_time(row.esprit.updated_at)))
    .bind(column(known, |row| row.esprit.dissolved_at.map(db_time)))
    .execute(&mut **transaction)
    .traced(sql("UPDATE esprits"))
    .await?;
    expect_rows(known.len(), written.rows_affected())
}

/// New pieces are inserted plainly, others are written only over the version that was loaded.
pub async fn pieces(transaction: &mut Tx, rows: &[PieceRow]) -> Result<(), StoreError> {
    let (new, known): (Vec<&PieceRow>, Vec<&PieceRow>) = rows.iter().partition(|row| row.loaded_version == 0);
    if !new.is_empty() {
        let written = sqlx::query(
            "INSERT INTO equipment (player_id, equipment_id, kind_id, esprit_id, version, created_at, updated_at)
             SELECT *
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[])",
        )
        .bind(column(&new, |row| row.piece.player.as_str()))
        .bind(column(&new, |row| row.piece.id.as_str()))
        .bind(column(&new, |row| row.piece.kind.as_str()))
        .bind(column(&new, |row| row.piece.esprit.as_ref().map(EspritId::as_str)))
        .bind(column(&new, |row| bigint(row.piece.version)))
        .bind(column(&new, |row| db_time(row.piece.created_at)))
        .bind(column(&new, |row| db_time(row.piece.updated_at)))
        .execute(&mut **transaction)
        .traced(sql("INSERT equipment"))
        .await?;
        expect_rows(new.len(), written.rows_affected())?;
    }
    if known.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "UPDATE equipment
         SET esprit_id = moved.esprit_id,
             version = moved.version,
             updated_at = moved.updated_at
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::timestamptz[])
             AS moved (player_id, equipment_id, loaded_version, esprit_id, version, updated_at)
         WHERE equipment.player_id = moved.player_id
           AND equipment.equipment_id = moved.equipment_id
           AND equipment.version = moved.loaded_version",
    )
    .bind(column(&known, |row| row.piece.player.as_str()))
    .bind(column(&known, |row| row.piece.id.as_str()))
    .bind(column(&known, |row| bigint(row.loaded_version)))
    .bind(column(&known, |row| row.piece.esprit.as_ref().map(EspritId::as_str)))
    .bind(column(&known, |row| bigint(row.piece.version)))
    .bind(column(&known, |row| db_time(row.piece.updated_at)))
    .execute(&mut **transaction)
    .traced(sql("UPDATE equipment"))
    .await?;
    expect_rows(known.len(), written.rows_affected())
}
