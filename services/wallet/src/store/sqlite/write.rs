//! What a batch writes: table by table, and every row counted.

use auric_db::{Statement, StoreError, Traced as _};
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::{array, paid, sql};
use crate::domain::{Entry, HoldRow, Journal, Record};
use crate::store::rows::{bigint, context_text, first_player, other_players, text};

type Tx = Transaction<'static, Sqlite>;

/// Writes everything, keys first.
pub async fn journal(transaction: &mut Tx, journal: &Journal, slot: i16) -> Result<(), StoreError> {
    let records = journal.records.iter().map(record).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT mutations"), INSERT_RECORDS), records).await?;

    let claim = |(guard, key, time): &(crate::domain::Guard, crate::domain::MutationKey, _)| {
        json!([guard.player, guard.claim_type, guard.claim_key, key.caller, key.key, time])
    };
    write(transaction, (sql("INSERT claims"), INSERT_CLAIMS), journal.claims.iter().map(claim).collect()).await?;

    let (new, ended): (Vec<&HoldRow>, Vec<&HoldRow>) = journal.holds.iter().partition(|row| row.version == 1);
    let others =
        new.iter().flat_map(|row| other_players(&row.hold).into_iter().map(|player| json!([player, row.hold.id])));
    let others = others.collect();
    let new = new.into_iter().map(|row| hold(row, journal)).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT holds"), INSERT_HOLDS), new).await?;
    write(transaction, (sql("INSERT hold_players"), INSERT_HOLD_PLAYERS), others).await?;
    let ended = ended.into_iter().map(|row| hold(row, journal)).collect::<Result<_, _>>()?;
    write(transaction, (sql("UPDATE holds"), UPDATE_HOLDS), ended).await?;

    paid::journal(transaction, journal).await?;

    let entries = journal.entries.iter().map(entry).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT entries"), INSERT_ENTRIES), entries).await?;

    let balances = journal.balances.iter().map(|(key, row)| {
        let [available, held, room, owed] = row.balance.parts().map(bigint);
        let settled = row.settled.as_ref();
        json!([
            key.player,
            key.asset,
            key.pool,
            available,
            held,
            room,
            owed,
            bigint(row.generation),
            settled.map(|settled| settled.at),
            settled.map(|settled| bigint(settled.regen_units)),
            settled.map(|settled| bigint(settled.interval_micros)),
            settled.map(|settled| bigint(settled.capacity_units)),
            bigint(row.version),
            journal.time,
            bigint(row.period),
        ])
    });
    write(transaction, (sql("INSERT balances"), UPSERT_BALANCES), balances.collect()).await?;

    let players = journal.players.iter().map(|(id, player)| {
        let (loaded, head) = (bigint(player.loaded.number), player.head);
        json!([id, loaded, bigint(head.number), hex::encode(head.hash), head.time, player.next_expiry])
    });
    write(transaction, (sql("INSERT players"), UPSERT_PLAYERS), players.collect()).await?;

    let flows = journal.flows.iter().map(|((asset, reason, day), flow)| {
        json!([asset, reason, day, slot, bigint(flow.issued_units), bigint(flow.burned_units)])
    });
    write(transaction, (sql("INSERT flows"), UPSERT_FLOWS), flows.collect()).await
}

/// Writes the rows of one table by one statement, and counts them.
pub async fn write(
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

const INSERT_RECORDS: &str = "
    INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?1)";

const INSERT_CLAIMS: &str = "
    INSERT INTO claims (player_id, claim_type, claim_key, caller, idempotency_key, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?1)";

const INSERT_HOLDS: &str = "
    INSERT INTO holds (hold_id, caller, made_under, state, player_id, legs, whole, expires_at, reason, context, asked,
        reserved, ended, version, created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, unhex(value ->> 10), value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 14
    FROM json_each(?1)";

const INSERT_HOLD_PLAYERS: &str = "
    INSERT INTO hold_players (player_id, hold_id)
    SELECT value ->> 0, value ->> 1
    FROM json_each(?1)";

const UPDATE_HOLDS: &str = "
    UPDATE holds
    SET state = moved.value ->> 3,
        ended = moved.value ->> 12,
        version = moved.value ->> 13,
        updated_at = moved.value ->> 14
    FROM json_each(?1) AS moved
    WHERE holds.hold_id = moved.value ->> 0
      AND holds.version = (moved.value ->> 13) - 1";

const INSERT_ENTRIES: &str = "
    INSERT INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change, owed_change,
        available_after, held_after, room_after, owed_after, clamped, reason, context, caller, idempotency_key, trace_id,
        catalog_hash, created_at, hash)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16,
        value ->> 17, value ->> 18, unhex(value ->> 19), value ->> 20, unhex(value ->> 21)
    FROM json_each(?1)";

// `WHERE true` keeps SQLite's parser from taking ON CONFLICT for a join's ON.
const UPSERT_BALANCES: &str = "
    INSERT INTO balances (player_id, asset_id, pool_id, available, held, room, owed, generation, settled_at, regen_units,
        interval_micros, capacity, version, created_at, updated_at, period)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 13, value ->> 14
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (player_id, asset_id, pool_id) DO UPDATE
    SET available = excluded.available,
        held = excluded.held,
        room = excluded.room,
        owed = excluded.owed,
        generation = excluded.generation,
        settled_at = excluded.settled_at,
        regen_units = excluded.regen_units,
        interval_micros = excluded.interval_micros,
        capacity = excluded.capacity,
        version = excluded.version,
        period = excluded.period,
        updated_at = excluded.updated_at
    WHERE balances.version = excluded.version - 1";

// The head must be the one that was loaded: a player's number is looked up in the batch by its name.
const UPSERT_PLAYERS: &str = "
    INSERT INTO players (player_id, last_number, last_hash, last_time, next_expiry, created_at, updated_at)
    SELECT moved.value ->> 0, moved.value ->> 2, unhex(moved.value ->> 3), moved.value ->> 4, moved.value ->> 5,
        moved.value ->> 4, moved.value ->> 4
    FROM json_each(?1) AS moved
    LEFT JOIN players AS stored ON stored.player_id = moved.value ->> 0
    WHERE ifnull(stored.last_number, 0) = moved.value ->> 1
    ON CONFLICT (player_id) DO UPDATE
    SET last_number = excluded.last_number,
        last_hash = excluded.last_hash,
        last_time = excluded.last_time,
        next_expiry = excluded.next_expiry,
        updated_at = excluded.updated_at";

const UPSERT_FLOWS: &str = "
    INSERT INTO flows (asset_id, reason, day, slot, issued, burned)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
    SET issued = flows.issued + excluded.issued,
        burned = flows.burned + excluded.burned";

fn record(record: &Record) -> Result<Value, StoreError> {
    let Record { key, method, fingerprint, outcome, time } = record;
    let digest = hex::encode(fingerprint.digest);
    Ok(json!([key.caller, key.key, method.as_str(), digest, fingerprint.fields, text(outcome)?, time]))
}

fn hold(row: &HoldRow, journal: &Journal) -> Result<Value, StoreError> {
    let hold = &row.hold;
    Ok(json!([
        hold.id,
        hold.caller,
        hold.made_under,
        hold.state.as_str(),
        first_player(hold),
        text(&hold.legs)?,
        hold.whole,
        hold.expires_at,
        hold.note.reason,
        context_text(&hold.note.context)?,
        hex::encode(hold.asked),
        text(&hold.reserved)?,
        text(&hold.state)?,
        bigint(row.version),
        journal.time,
    ]))
}

fn entry(entry: &Entry) -> Result<Value, StoreError> {
    let movement = &entry.movement;
    let key = &movement.key;
    let change = movement.change.parts();
    let after = movement.after.parts().map(bigint);
    Ok(json!([
        key.player,
        bigint(movement.number),
        key.asset,
        key.pool,
        movement.kind.as_str(),
        change[0],
        change[1],
        change[2],
        change[3],
        after[0],
        after[1],
        after[2],
        after[3],
        bigint(movement.clamped_units),
        entry.note.reason,
        context_text(&entry.note.context)?,
        entry.caller,
        entry.idempotency_key,
        entry.trace_id,
        hex::encode(entry.catalog_hash.as_bytes()),
        entry.time,
        hex::encode(entry.hash),
    ]))
}
