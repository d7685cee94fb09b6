//! What a batch writes, a statement a table.

use auric_db::{StoreError, Traced as _};
use serde_json::{Value, json};

use super::super::rows::{answer, bigint, draws, expect_rows, pity};
use super::{Tx, sql};
use crate::domain::Journal;

/// Writes everything but the log of operations.
pub async fn write(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let now = journal.time;
    let records = journal.records.iter().map(|row| {
        let (key, fingerprint) = (&row.key, &row.fingerprint);
        let digest = hex::encode(fingerprint.digest);
        Ok(json!([key.caller, key.key, row.method, digest, fingerprint.fields, row.player, answer(row)?, row.time]))
    });
    put(transaction, ("INSERT mutations", INSERT_RECORDS), records.collect::<Result<_, StoreError>>()?).await?;
    let pulls = journal.pulls.iter().map(|row| {
        let pull = &row.pull;
        json!([
            row.player,
            row.group,
            bigint(pull.number),
            row.banner,
            row.operation,
            pull.slot,
            pull.esprit,
            pull.species,
            pull.rarity,
            pull.featured,
            pull.before,
            pull.after,
            draws(pull),
            bigint(row.nonce),
            row.catalog.to_string(),
            row.time,
            bigint(row.epoch)
        ])
    });
    put(transaction, ("INSERT pulls", INSERT_PULLS), pulls.collect()).await?;
    let rows = journal.pity.iter().map(|((player, group), row)| {
        Ok(json!([player, group, pity(row)?, bigint(row.pulls), bigint(row.version), now]))
    });
    put(transaction, ("INSERT pity", UPSERT_PITY), rows.collect::<Result<_, StoreError>>()?).await?;
    let uses = journal.uses.iter().map(|(key, row)| {
        json!([key.player, key.banner, key.what, row.period, bigint(row.used), bigint(row.version), now])
    });
    put(transaction, ("INSERT uses", UPSERT_USES), uses.collect()).await?;
    let ended = journal.ended.iter().map(|(player, row)| {
        let server = hex::encode(row.seeds.server.reveal());
        let nonces = [row.first_nonce, row.next_nonce].map(bigint);
        json!([player, bigint(row.epoch), server, row.seeds.client.as_str(), nonces[0], nonces[1], row.ended_at])
    });
    put(transaction, ("INSERT seeds", INSERT_ENDED), ended.collect()).await?;
    let players = journal.players.iter().map(|(id, row)| {
        let server = row.seeds.as_ref().map(|seeds| hex::encode(seeds.server.reveal()));
        let client = row.seeds.as_ref().map(|seeds| seeds.client.as_str());
        json!([
            id,
            server,
            client,
            bigint(row.nonce),
            row.last_time,
            bigint(row.version),
            now,
            bigint(row.epoch),
            bigint(row.first_nonce)
        ])
    });
    put(transaction, ("UPDATE players", UPDATE_PLAYERS), players.collect()).await
}

async fn put(
    transaction: &mut Tx,
    (summary, text): (&'static str, &'static str),
    rows: Vec<Value>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let query = sqlx::query(text).bind(Value::Array(rows).to_string());
    expect_rows(expected, query.execute(&mut **transaction).traced(sql(summary)).await?.rows_affected())
}

const INSERT_RECORDS: &str = "
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, player_id, answer, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?1)";

const INSERT_ENDED: &str = "
    INSERT INTO seeds (player_id, epoch, server_seed, client_seed, first_nonce, next_nonce, ended_at)
    SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const INSERT_PULLS: &str = "
    INSERT INTO pulls (player_id, pity_group_id, number, banner_id, operation_id, slot, esprit_id, species_id, rarity, featured,
        pity_before, pity_after, draws, nonce, catalog_hash, created_at, epoch)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, unhex(value ->> 14), value ->> 15, value ->> 16
    FROM json_each(?1)";

const UPSERT_PITY: &str = "
    INSERT INTO pity (player_id, pity_group_id, pity, pulls, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 5
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, pity_group_id) DO UPDATE
    SET pity = excluded.pity, pulls = excluded.pulls, version = excluded.version, updated_at = excluded.updated_at
    WHERE pity.version = excluded.version - 1";

const UPSERT_USES: &str = "
    INSERT INTO uses (player_id, banner_id, what, period, used, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 6
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, banner_id, what) DO UPDATE
    SET period = excluded.period, used = excluded.used, version = excluded.version, updated_at = excluded.updated_at
    WHERE uses.version = excluded.version - 1";

const UPDATE_PLAYERS: &str = "
    UPDATE players
    SET server_seed = unhex(moved.value ->> 1), client_seed = moved.value ->> 2, nonce = moved.value ->> 3,
        last_time = moved.value ->> 4, version = moved.value ->> 5, updated_at = moved.value ->> 6, epoch = moved.value ->> 7,
        first_nonce = moved.value ->> 8
    FROM json_each(?1) AS moved
    WHERE player_id = moved.value ->> 0
      AND version = (moved.value ->> 5) - 1";
