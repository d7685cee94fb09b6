//! What a batch writes: table by table, and every row counted.
//!
//! What every batch writes is bound value by value; what few have is passed as JSON. `OR FAIL` where whatever fails takes the whole transaction with it:
//! SQLite then keeps no copy of each page that a statement is about to change, to give back what a failed one did.

use std::sync::LazyLock;

use auric_db::{Statement, StoreError, Traced as _};
use auric_events::store::{Batch, sqlite as outbox};
use auric_ids::PlayerId;
use auric_time::Timestamp;
use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::many::{Many, Values};
use super::{array, paid, sql};
use crate::domain::{BalanceKey, Entry, HoldRow, Journal, Player, Record, Row};
use crate::store::rows::{bigint, context_text, first_player, other_players, text};

type Tx = Transaction<'static, Sqlite>;

/// Writes everything, keys first.
pub async fn journal(transaction: &mut Tx, journal: &Journal, slot: i16) -> Result<(), StoreError> {
    INSERT_RECORDS.write(transaction, &journal.records, record).await?;

    let claim = |(guard, key, time): &(crate::domain::Guard, crate::domain::MutationKey, _)| {
        json!([guard.player, guard.claim_type, guard.claim_key, key.caller, key.key, time])
    };
    write(transaction, (sql("INSERT claims"), INSERT_CLAIMS), journal.claims.iter().map(claim).collect()).await?;

    holds(transaction, journal).await?;
    paid::journal(transaction, journal).await?;
    INSERT_ENTRIES.write(transaction, &journal.entries, entry).await?;

    let time = journal.time.micros();
    let (new, known): (Vec<_>, Vec<_>) = journal.balances.iter().partition(|(_, row)| row.version == 1);
    UPDATE_BALANCES.write(transaction, &known, |values, row| Ok(balance(values, row, time))).await?;
    INSERT_BALANCES.write(transaction, &new, |values, row| Ok(balance(values, row, time))).await?;

    let (new, known): (Vec<_>, Vec<_>) = journal.players.iter().partition(|(_, player)| player.loaded.number == 0);
    UPDATE_PLAYERS.write(transaction, &known, |values, row| Ok(player(values, row))).await?;
    UPSERT_PLAYERS.write(transaction, &new, |values, row| Ok(player(values, row))).await?;

    let flows = journal.flows.iter().map(|((asset, reason, day), flow)| {
        json!([asset, reason, day, slot, bigint(flow.issued_units), bigint(flow.burned_units)])
    });
    write(transaction, (sql("INSERT flows"), UPSERT_FLOWS), flows.collect()).await?;

    match Batch::of(&journal.told)? {
        Some(batch) => outbox::write(transaction, slot, journal.time, &batch).await,
        None => Ok(()),
    }
}

async fn holds(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let (new, ended): (Vec<&HoldRow>, Vec<&HoldRow>) = journal.holds.iter().partition(|row| row.version == 1);
    let others =
        new.iter().flat_map(|row| other_players(&row.hold).into_iter().map(|player| json!([player, row.hold.id])));
    let others = others.collect();
    let new = new.into_iter().map(|row| hold(row, journal)).collect::<Result<_, _>>()?;
    write(transaction, (sql("INSERT holds"), INSERT_HOLDS), new).await?;
    write(transaction, (sql("INSERT hold_players"), INSERT_HOLD_PLAYERS), others).await?;
    let ended = ended.into_iter().map(|row| hold(row, journal)).collect::<Result<_, _>>()?;
    write(transaction, (sql("UPDATE holds"), UPDATE_HOLDS), ended).await
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

static INSERT_RECORDS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT mutations",
        7,
        "INSERT OR FAIL INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
         SELECT *
         FROM (VALUES {rows})
         WHERE column1 IS NOT NULL",
    )
});

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

static INSERT_ENTRIES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT entries",
        22,
        "INSERT OR FAIL INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change,
             owed_change, available_after, held_after, room_after, owed_after, clamped, reason, context, caller,
             idempotency_key, trace_id, catalog_hash, created_at, hash)
         SELECT *
         FROM (VALUES {rows})
         WHERE column1 IS NOT NULL",
    )
});

static INSERT_BALANCES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT balances",
        16,
        "INSERT OR FAIL INTO balances (player_id, asset_id, pool_id, available, held, room, owed, generation, settled_at,
             regen_units, interval_micros, capacity, version, period, created_at, updated_at)
         SELECT *
         FROM (VALUES {rows})
         WHERE column1 IS NOT NULL",
    )
});

static UPDATE_BALANCES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "UPDATE balances",
        16,
        "UPDATE OR FAIL balances
         SET available = moved.column4,
             held = moved.column5,
             room = moved.column6,
             owed = moved.column7,
             generation = moved.column8,
             settled_at = moved.column9,
             regen_units = moved.column10,
             interval_micros = moved.column11,
             capacity = moved.column12,
             version = moved.column13,
             period = moved.column14,
             updated_at = moved.column16
         FROM (VALUES {rows}) AS moved
         WHERE balances.player_id = moved.column1
           AND balances.asset_id = moved.column2
           AND balances.pool_id = moved.column3
           AND balances.version = moved.column13 - 1",
    )
});

// A player without entries may have no row yet.
static UPSERT_PLAYERS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT players",
        7,
        "INSERT INTO players (player_id, last_number, last_hash, last_time, next_expiry, created_at, updated_at)
         SELECT moved.column1, moved.column3, moved.column4, moved.column5, moved.column6, moved.column5, moved.column5
         FROM (VALUES {rows}) AS moved
         WHERE moved.column1 IS NOT NULL
         ON CONFLICT (player_id) DO UPDATE
         SET last_number = excluded.last_number,
             last_hash = excluded.last_hash,
             last_time = excluded.last_time,
             next_expiry = excluded.next_expiry,
             updated_at = excluded.updated_at
         WHERE players.last_number = 0",
    )
});

// The head must be the one that was loaded.
static UPDATE_PLAYERS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "UPDATE players",
        7,
        "UPDATE OR FAIL players
         SET last_number = moved.column3,
             last_hash = moved.column4,
             last_time = moved.column5,
             next_expiry = moved.column6,
             updated_at = moved.column5
         FROM (VALUES {rows}) AS moved
         WHERE players.player_id = moved.column1
           AND players.last_number = moved.column2
           AND players.last_hash = moved.column7",
    )
});

// `WHERE true` keeps SQLite's parser from taking ON CONFLICT for a join's ON.
const UPSERT_FLOWS: &str = "
    INSERT INTO flows (asset_id, reason, day, slot, issued, burned)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
    SET issued = flows.issued + excluded.issued,
        burned = flows.burned + excluded.burned";

fn record<'q>(values: Values<'q>, record: &'q Record) -> Result<Values<'q>, StoreError> {
    let Record { key, method, fingerprint, outcome, time } = record;
    let values = values.bind(key.caller.as_str()).bind(key.key.as_str()).bind(method.as_str());
    let values = values.bind(fingerprint.digest.as_slice()).bind(fingerprint.fields.as_str());
    Ok(values.bind(text(outcome)?).bind(time.micros()))
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

fn entry<'q>(values: Values<'q>, entry: &'q Entry) -> Result<Values<'q>, StoreError> {
    let movement = &entry.movement;
    let key = &movement.key;
    let values = values.bind(key.player.as_str()).bind(bigint(movement.number)).bind(key.asset.as_str());
    let values = values.bind(key.pool.as_str()).bind(movement.kind.as_str());
    let values = movement.change.parts().into_iter().fold(values, Values::bind);
    let values = movement.after.parts().into_iter().fold(values, |values, part| values.bind(bigint(part)));
    let values = values.bind(bigint(movement.clamped_units)).bind(entry.note.reason.as_str());
    let values = values.bind(context_text(&entry.note.context)?).bind(entry.caller.as_str());
    let values = values.bind(entry.idempotency_key.as_str()).bind(entry.trace_id.as_str());
    Ok(values.bind(entry.catalog_hash.as_bytes().as_slice()).bind(entry.time.micros()).bind(entry.hash.as_slice()))
}

fn balance<'q>(values: Values<'q>, (key, row): &'q (BalanceKey, Row), time: i64) -> Values<'q> {
    let values = values.bind(key.player.as_str()).bind(key.asset.as_str()).bind(key.pool.as_str());
    let values = row.balance.parts().into_iter().fold(values, |values, part| values.bind(bigint(part)));
    let settled = row.settled.as_ref();
    let values = values
        .bind(bigint(row.generation))
        .bind(settled.map(|settled| settled.at.micros()))
        .bind(settled.map(|settled| bigint(settled.regen_units)))
        .bind(settled.map(|settled| bigint(settled.interval_micros)))
        .bind(settled.map(|settled| bigint(settled.capacity_units)));
    values.bind(bigint(row.version)).bind(bigint(row.period)).bind(time).bind(time)
}

fn player<'q>(values: Values<'q>, (id, player): &'q (PlayerId, Player)) -> Values<'q> {
    let (loaded, head) = (&player.loaded, &player.head);
    let values = values.bind(id.as_str()).bind(bigint(loaded.number)).bind(bigint(head.number));
    let values = values.bind(head.hash.as_slice()).bind(head.time.micros());
    values.bind(player.next_expiry.map(Timestamp::micros)).bind(loaded.hash.as_slice())
}
