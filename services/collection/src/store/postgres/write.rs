//! What a batch writes: set by set, each in ascending order, and every row counted.

use auric_db::{StoreError, Traced as _};
use auric_events::store::{Batch, postgres as outbox};
use auric_ids::OperationId;
use sqlx::{Postgres, Transaction};

use super::{db_time, keyed, sql};
use crate::domain::{EspritRow, Journal, PartRow, StateTag, word_of};
use crate::store::rows::{bigint, integer, optional_text, text};

type Tx = Transaction<'static, Postgres>;

/// Writes everything: keys and parts first, so that a copy that used one stops the batch before it has written anything else.
pub async fn journal(transaction: &mut Tx, journal: &Journal, tag: StateTag) -> Result<(), StoreError> {
    if !journal.records.is_empty() {
        keyed::records(transaction, &journal.records).await?;
    }
    auric_twophase::store::postgres::write(transaction, &journal.log).await?;
    let (known, new): (Vec<&PartRow>, Vec<&PartRow>) = journal.parts.iter().partition(|row| row.is_known);
    if !new.is_empty() {
        insert_parts(transaction, &new).await?;
    }
    if !known.is_empty() {
        end_parts(transaction, &known).await?;
    }
    let new: Vec<&EspritRow> = journal.esprits.iter().filter(|row| row.loaded_version == 0).collect();
    if !new.is_empty() {
        insert_esprits(transaction, &new).await?;
    }
    let known: Vec<&EspritRow> = journal.esprits.iter().filter(|row| row.loaded_version > 0).collect();
    if !known.is_empty() {
        keyed::esprits(transaction, &known).await?;
    }
    if !journal.pieces.is_empty() {
        keyed::pieces(transaction, &journal.pieces).await?;
    }
    if !journal.players.is_empty() {
        players(transaction, journal, tag).await?;
    }
    if let Some(batch) = Batch::of(&journal.news)? {
        outbox::write(transaction, journal.lane, &batch).await?;
    }
    Ok(())
}

/// Inserts plainly: a duplicate means that another copy took the part first.
async fn insert_parts(transaction: &mut Tx, new: &[&PartRow]) -> Result<(), StoreError> {
    let intents =
        new.iter().map(|row| optional_text(row.part.intent.as_ref())).collect::<Result<Vec<_>, StoreError>>()?;
    let outcomes =
        new.iter().map(|row| optional_text(row.part.outcome.as_ref())).collect::<Result<Vec<_>, StoreError>>()?;
    let written = sqlx::query(
        "INSERT INTO participations (operation_id, player_id, coordinator, state, catalog_hash, intent, outcome, created_at,
             updated_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
             $8::timestamptz[], $9::timestamptz[])",
    )
    .bind(column(new, |row| row.part.operation.as_str()))
    .bind(column(new, |row| row.part.player.as_str()))
    .bind(column(new, |row| row.part.coordinator.as_str()))
    .bind(column(new, |row| word_of(row.part.state)))
    .bind(column(new, |row| row.part.catalog.as_ref().map(|hash| hash.as_bytes().as_slice())))
    .bind(intents)
    .bind(outcomes)
    .bind(column(new, |row| db_time(row.part.created_at)))
    .bind(column(new, |row| db_time(row.part.updated_at)))
    .execute(&mut **transaction)
    .traced(sql("INSERT participations"))
    .await?;
    expect_rows(new.len(), written.rows_affected())
}

/// A part that was there can only have been prepared: nothing else ever changes.
///
/// The state is written so that no index answers it: where the statistics saw no prepared part, the planner would go through the index by state, with
/// an entry of every part that was prepared lately, for each batch.
async fn end_parts(transaction: &mut Tx, known: &[&PartRow]) -> Result<(), StoreError> {
    let outcomes =
        known.iter().map(|row| optional_text(row.part.outcome.as_ref())).collect::<Result<Vec<_>, StoreError>>()?;
    let written = sqlx::query(
        "UPDATE participations
         SET state = moved.state,
             outcome = moved.outcome,
             updated_at = moved.updated_at
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
             AS moved (operation_id, state, outcome, updated_at)
         WHERE participations.operation_id = moved.operation_id
           AND participations.state || '' = 'prepared'",
    )
    .bind(column(known, |row| OperationId::as_str(&row.part.operation)))
    .bind(column(known, |row| word_of(row.part.state)))
    .bind(outcomes)
    .bind(column(known, |row| db_time(row.part.updated_at)))
    .execute(&mut **transaction)
    .traced(sql("UPDATE participations"))
    .await?;
    expect_rows(known.len(), written.rows_affected())
}

async fn insert_esprits(transaction: &mut Tx, new: &[&EspritRow]) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO esprits (player_id, esprit_id, number, species_id, level, version, operation_id, locked,
             busy_operation_id, created_at, updated_at, dissolved_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::bigint[], $7::text[], $8::boolean[],
             $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])",
    )
    .bind(column(new, |row| row.esprit.player.as_str()))
    .bind(column(new, |row| row.esprit.id.as_str()))
    .bind(column(new, |row| bigint(row.esprit.number)))
    .bind(column(new, |row| row.esprit.species.as_str()))
    .bind(column(new, |row| integer(row.esprit.level)))
    .bind(column(new, |row| bigint(row.esprit.version)))
    .bind(column(new, |row| row.esprit.operation.as_str()))
    .bind(column(new, |row| row.esprit.locked))
    .bind(column(new, |row| row.esprit.busy.as_ref().map(OperationId::as_str)))
    .bind(column(new, |row| db_time(row.esprit.created_at)))
    .bind(column(new, |row| db_time(row.esprit.updated_at)))
    .bind(column(new, |row| row.esprit.dissolved_at.map(db_time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT esprits"))
    .await?;
    expect_rows(new.len(), written.rows_affected())
}

/// Writes only over the version that was loaded.
async fn players(transaction: &mut Tx, journal: &Journal, tag: StateTag) -> Result<(), StoreError> {
    let players = &journal.players;
    let teams = players.iter().map(|(_, player)| text(&player.team)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "UPDATE players
         SET esprits = moved.esprits,
             promised = moved.promised,
             last_number = moved.last_number,
             version = moved.version,
             state_tag = $8,
             equipment = moved.equipment,
             team = moved.team,
             team_version = moved.team_version,
             updated_at = moved.updated_at
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                 $9::bigint[], $10::text[], $11::bigint[])
             AS moved (player_id, loaded_version, esprits, promised, last_number, version, updated_at, equipment, team,
                 team_version)
         WHERE players.player_id = moved.player_id
           AND players.version = moved.loaded_version",
    )
    .bind(column(players, |(id, _)| id.as_str()))
    .bind(column(players, |(_, player)| bigint(player.loaded_version)))
    .bind(column(players, |(_, player)| bigint(player.esprits)))
    .bind(column(players, |(_, player)| bigint(player.promised)))
    .bind(column(players, |(_, player)| bigint(player.last_number)))
    .bind(column(players, |(_, player)| bigint(player.version)))
    .bind(column(players, |(_, player)| db_time(player.updated_at)))
    .bind(tag.as_slice())
    .bind(column(players, |(_, player)| bigint(player.equipment)))
    .bind(teams)
    .bind(column(players, |(_, player)| bigint(player.team_version)))
    .execute(&mut **transaction)
    .traced(sql("UPDATE players"))
    .await?;
    expect_rows(players.len(), written.rows_affected())
}

/// One column of many rows, as an array parameter.
pub fn column<'rows, R, T>(rows: &'rows [R], of: impl Fn(&'rows R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Tells a statement that wrote fewer rows than it should: another copy was first.
pub fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}
