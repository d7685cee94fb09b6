//! What a batch writes, set by set.

use auric_db::{DbTime, StoreError, Traced as _};

use super::super::rows::{answer, bigint, draws, expect_rows, pity};
use super::{Tx, sql};
use crate::domain::{Journal, LoggedPull};

/// Writes everything but the log of operations.
pub async fn write(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    write_records(transaction, journal).await?;
    write_pulls(transaction, &journal.pulls).await?;
    write_pity(transaction, journal).await?;
    write_uses(transaction, journal).await?;
    write_ended(transaction, journal).await?;
    write_players(transaction, journal).await
}

/// Inserts plainly: a duplicate means that another copy used the key first.
async fn write_records(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.records;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, player_id, answer, created_at)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])",
    )
    .bind(column(rows, |row| row.key.caller.as_str()))
    .bind(column(rows, |row| row.key.key.as_str()))
    .bind(column(rows, |row| row.method.as_str()))
    .bind(column(rows, |row| row.fingerprint.digest.as_slice()))
    .bind(column(rows, |row| row.fingerprint.fields.as_str()))
    .bind(column(rows, |row| row.player.as_str()))
    .bind(rows.iter().map(answer).collect::<Result<Vec<_>, _>>()?)
    .bind(column(rows, |row| DbTime(row.time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT mutations"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_ended(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.ended;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO seeds (player_id, epoch, server_seed, client_seed, first_nonce, next_nonce, ended_at)
         SELECT *
         FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[])",
    )
    .bind(column(rows, |(player, _)| player.as_str()))
    .bind(column(rows, |(_, row)| bigint(row.epoch)))
    .bind(column(rows, |(_, row)| row.seeds.server.reveal().as_slice()))
    .bind(column(rows, |(_, row)| row.seeds.client.as_str()))
    .bind(column(rows, |(_, row)| bigint(row.first_nonce)))
    .bind(column(rows, |(_, row)| bigint(row.next_nonce)))
    .bind(column(rows, |(_, row)| DbTime(row.ended_at)))
    .execute(&mut **transaction)
    .traced(sql("INSERT seeds"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_pulls(transaction: &mut Tx, pulls: &[LoggedPull]) -> Result<(), StoreError> {
    if pulls.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO pulls (player_id, pity_group_id, number, banner_id, operation_id, slot, esprit_id, species_id, rarity, featured,
             pity_before, pity_after, draws, nonce, catalog_hash, created_at, epoch)
         SELECT *
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
             $10::boolean[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bytea[], $16::timestamptz[],
             $17::bigint[])",
    )
    .bind(column(pulls, |row| row.player.as_str()))
    .bind(column(pulls, |row| row.group.as_str()))
    .bind(column(pulls, |row| bigint(row.pull.number)))
    .bind(column(pulls, |row| row.banner.as_str()))
    .bind(column(pulls, |row| row.operation.as_str()))
    .bind(column(pulls, |row| i64::from(row.pull.slot)))
    .bind(column(pulls, |row| row.pull.esprit.as_str()))
    .bind(column(pulls, |row| row.pull.species.as_str()))
    .bind(column(pulls, |row| row.pull.rarity.as_str()))
    .bind(column(pulls, |row| row.pull.featured))
    .bind(column(pulls, |row| row.pull.before.as_str()))
    .bind(column(pulls, |row| row.pull.after.as_str()))
    .bind(column(pulls, |row| draws(&row.pull)))
    .bind(column(pulls, |row| bigint(row.nonce)))
    .bind(column(pulls, |row| row.catalog.as_bytes().as_slice()))
    .bind(column(pulls, |row| DbTime(row.time)))
    .bind(column(pulls, |row| bigint(row.epoch)))
    .execute(&mut **transaction)
    .traced(sql("INSERT pulls"))
    .await?;
    expect_rows(pulls.len(), written.rows_affected())
}

async fn write_pity(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.pity;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO pity (player_id, pity_group_id, pity, pulls, version, created_at, updated_at)
         SELECT player_id, pity_group_id, pity, pulls, version, $6, $6
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
             AS new (player_id, pity_group_id, pity, pulls, version)
         ON CONFLICT (player_id, pity_group_id) DO UPDATE
         SET pity = excluded.pity, pulls = excluded.pulls, version = excluded.version, updated_at = excluded.updated_at
         WHERE pity.version = excluded.version - 1",
    )
    .bind(column(rows, |((player, _), _)| player.as_str()))
    .bind(column(rows, |((_, group), _)| group.as_str()))
    .bind(rows.iter().map(|(_, row)| pity(row)).collect::<Result<Vec<_>, _>>()?)
    .bind(column(rows, |(_, row)| bigint(row.pulls)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT pity"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_uses(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.uses;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "INSERT INTO uses (player_id, banner_id, what, period, used, version, created_at, updated_at)
         SELECT player_id, banner_id, what, period, used, version, $7, $7
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
             AS new (player_id, banner_id, what, period, used, version)
         ON CONFLICT (player_id, banner_id, what) DO UPDATE
         SET period = excluded.period, used = excluded.used, version = excluded.version, updated_at = excluded.updated_at
         WHERE uses.version = excluded.version - 1",
    )
    .bind(column(rows, |(key, _)| key.player.as_str()))
    .bind(column(rows, |(key, _)| key.banner.as_str()))
    .bind(column(rows, |(key, _)| key.what.as_str()))
    .bind(column(rows, |(_, row)| row.period.as_str()))
    .bind(column(rows, |(_, row)| bigint(row.used)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT uses"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

async fn write_players(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let rows = &journal.players;
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "UPDATE players
         SET server_seed = moved.server_seed, client_seed = moved.client_seed, nonce = moved.nonce, last_time = moved.last_time,
             version = moved.version, updated_at = $7, epoch = moved.epoch, first_nonce = moved.first_nonce
         FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[], $8::bigint[], $9::bigint[])
             AS moved (player_id, server_seed, client_seed, nonce, last_time, version, epoch, first_nonce)
         WHERE players.player_id = moved.player_id
           AND players.version = moved.version - 1",
    )
    .bind(column(rows, |(id, _)| id.as_str()))
    .bind(column(rows, |(_, row)| row.seeds.as_ref().map(|seeds| seeds.server.reveal().as_slice())))
    .bind(column(rows, |(_, row)| row.seeds.as_ref().map(|seeds| seeds.client.as_str())))
    .bind(column(rows, |(_, row)| bigint(row.nonce)))
    .bind(column(rows, |(_, row)| DbTime(row.last_time)))
    .bind(column(rows, |(_, row)| bigint(row.version)))
    .bind(DbTime(journal.time))
    .bind(column(rows, |(_, row)| bigint(row.epoch)))
    .bind(column(rows, |(_, row)| bigint(row.first_nonce)))
    .execute(&mut **transaction)
    .traced(sql("UPDATE players"))
    .await?;
    expect_rows(rows.len(), written.rows_affected())
}

fn column<'a, T, C>(rows: &'a [T], of: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}
