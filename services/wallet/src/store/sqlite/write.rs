//! What a batch writes: table by table, and every row counted.
//!
//! What every batch writes is bound value by value; what few have is passed as JSON. `OR FAIL` where whatever fails takes the whole transaction with it:
//! SQLite then keeps no copy of each page that a statement is about to change, to give back what a failed one did.

use std::sync::LazyLock;

use auric_db::{Script, StoreError};
use auric_events::store::{Batch, sqlite as outbox};
use auric_time::Timestamp;
use serde_json::{Value, json};

use super::many::{Many, ROWS_MAX, part};
use super::{array, paid};
use crate::domain::{BalanceKey, Entry, HoldRow, Journal, Player, Record, Row};
use crate::store::batch::Heads;
use crate::store::rows::{Ended, bigint, context_text, ended, first_player, other_players, text};

/// Everything, keys first: scripts of as many rows a table as one statement takes, and with the last of them what few batches have.
pub fn journal(journal: &Journal, slot: i16, heads: Heads) -> Result<Vec<Script>, StoreError> {
    let time = journal.time.micros();
    let (new_balances, balances): (Vec<_>, Vec<_>) = journal.balances.iter().partition(|(_, row)| row.version == 1);
    let players: Vec<_> = journal.players.iter().filter(|(_, player)| is_written(player)).collect();
    let (records, entries) = (&journal.records, &journal.entries);
    let lengths = [records.len(), entries.len(), balances.len(), new_balances.len(), players.len()];
    let longest = lengths.into_iter().max().unwrap_or(0);

    let mut scripts = Vec::new();
    for number in 0..longest.div_ceil(ROWS_MAX).max(1) {
        let size = lengths.into_iter().map(|length| length.saturating_sub(number * ROWS_MAX)).max().unwrap_or(0);
        let mut script = Script::default();
        INSERT_RECORDS.add(&mut script, size, part(records, number), record)?;
        INSERT_ENTRIES.add(&mut script, size, part(entries, number), entry)?;
        UPDATE_BALANCES.add(&mut script, size, part(&balances, number), |script, (key, row)| {
            balance(script, key, row, time);
            let head = (heads == Heads::Remembered).then(|| journal.loaded_head(&key.player));
            let head = head.as_ref();
            script.bind(head.map(|head| bigint(head.number))).bind(head.map(|head| head.hash.as_slice()));
            Ok(())
        })?;
        INSERT_BALANCES.add(&mut script, size, part(&new_balances, number), |script, (key, row)| {
            balance(script, key, row, time);
            Ok(())
        })?;
        UPSERT_PLAYERS.add(&mut script, size, part(&players, number), |script, (id, player)| {
            script.bind(id.as_str()).bind(player.next_expiry.map(Timestamp::micros)).bind(time);
            Ok(())
        })?;
        scripts.push(script);
    }
    if let Some(last) = scripts.last_mut() {
        few(last, journal, slot)?;
    }
    Ok(scripts)
}

/// Whether there is no row of the player yet, or another time in it.
fn is_written(player: &Player) -> bool {
    player.loaded.number == 0 || player.expires_otherwise()
}

/// What is passed as JSON.
fn few(script: &mut Script, journal: &Journal, slot: i16) -> Result<(), StoreError> {
    let claim = |(guard, key, time): &(crate::domain::Guard, crate::domain::MutationKey, _)| {
        json!([guard.player, guard.claim_type, guard.claim_key, key.caller, key.key, time])
    };
    write(script, INSERT_CLAIMS, journal.claims.iter().map(claim).collect());
    holds(script, journal)?;
    paid::journal(script, journal)?;
    let flows = journal.flows.iter().map(|((asset, reason, day), flow)| {
        json!([asset, reason, day, slot, bigint(flow.issued_units), bigint(flow.burned_units)])
    });
    write(script, UPSERT_FLOWS, flows.collect());
    if let Some(batch) = Batch::of(&journal.told)? {
        outbox::add(script, slot, journal.time, &batch);
    }
    Ok(())
}

fn holds(script: &mut Script, journal: &Journal) -> Result<(), StoreError> {
    let (new, ended): (Vec<&HoldRow>, Vec<&HoldRow>) = journal.holds.iter().partition(|row| row.version == 1);
    let others =
        new.iter().flat_map(|row| other_players(&row.hold).into_iter().map(|player| json!([player, row.hold.id])));
    let others = others.collect();
    write(script, INSERT_HOLDS, new.into_iter().map(|row| new_hold(row, journal)).collect::<Result<_, _>>()?);
    write(script, INSERT_HOLD_PLAYERS, others);
    write(script, UPDATE_HOLDS, ended.into_iter().map(|row| ended_hold(row, journal)).collect::<Result<_, _>>()?);
    Ok(())
}

/// Adds the rows of one table, as one JSON array.
pub fn write(script: &mut Script, text: &str, rows: Vec<Value>) {
    if !rows.is_empty() {
        script.statement(text, rows.len());
        script.bind(array(rows, |row| row));
    }
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
    FROM json_each(?)";

const INSERT_HOLDS: &str = "
    INSERT INTO holds (hold_id, player_id, caller, made_under, terms, expires_at, state, ended_by, ended_under, amounts,
        created_at, updated_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 10
    FROM json_each(?)";

const INSERT_HOLD_PLAYERS: &str = "
    INSERT INTO hold_players (player_id, hold_id)
    SELECT value ->> 0, value ->> 1
    FROM json_each(?)";

const UPDATE_HOLDS: &str = "
    UPDATE holds
    SET state = moved.value ->> 1,
        ended_by = moved.value ->> 2,
        ended_under = moved.value ->> 3,
        amounts = moved.value ->> 4,
        updated_at = moved.value ->> 5
    FROM json_each(?) AS moved
    WHERE holds.hold_id = moved.value ->> 0
      AND holds.state = 'held'";

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
        18,
        "INSERT OR FAIL INTO balances (player_id, asset_id, pool_id, available, held, room, owed, generation, settled_at,
             regen_units, interval_micros, capacity, version, period, last_number, last_hash, created_at, updated_at)
         SELECT *
         FROM (VALUES {rows})
         WHERE column1 IS NOT NULL",
    )
});

// Where heads are remembered, the newest entry of each player must be the one that was decided on.
static UPDATE_BALANCES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "UPDATE balances",
        20,
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
             last_number = moved.column15,
             last_hash = moved.column16,
             updated_at = moved.column18
         FROM (VALUES {rows}) AS moved
         WHERE balances.player_id = moved.column1
           AND balances.asset_id = moved.column2
           AND balances.pool_id = moved.column3
           AND balances.version = moved.column13 - 1
           AND (moved.column19 IS NULL
               OR balances.last_number = moved.column19 AND balances.last_hash = moved.column20
               OR EXISTS (
                   SELECT 1
                   FROM entries
                   WHERE entries.player_id = moved.column1
                     AND entries.number = moved.column19
                     AND entries.hash = moved.column20
               ))",
    )
});

// A player without entries may have a row already.
static UPSERT_PLAYERS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT players",
        3,
        "INSERT INTO players (player_id, next_expiry, created_at, updated_at)
         SELECT moved.column1, moved.column2, moved.column3, moved.column3
         FROM (VALUES {rows}) AS moved
         WHERE moved.column1 IS NOT NULL
         ON CONFLICT (player_id) DO UPDATE
         SET next_expiry = excluded.next_expiry,
             updated_at = excluded.updated_at",
    )
});

// `WHERE true` keeps SQLite's parser from taking ON CONFLICT for a join's ON.
const UPSERT_FLOWS: &str = "
    INSERT INTO flows (asset_id, reason, day, slot, issued, burned)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?)
    WHERE true
    ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
    SET issued = flows.issued + excluded.issued,
        burned = flows.burned + excluded.burned";

fn record(script: &mut Script, record: &Record) -> Result<(), StoreError> {
    let Record { key, method, fingerprint, outcome, time } = record;
    script.bind(key.caller.as_str()).bind(key.key.as_str()).bind(method.as_str());
    script.bind(fingerprint.digest.as_slice()).bind(fingerprint.fields.as_str());
    script.bind(text(outcome)?).bind(time.micros());
    Ok(())
}

fn new_hold(row: &HoldRow, journal: &Journal) -> Result<Value, StoreError> {
    let hold = &row.hold;
    let Ended { under, amounts } = ended(hold)?;
    Ok(json!([
        hold.id,
        first_player(hold),
        hold.caller,
        hold.made_under,
        text(&*hold.terms)?,
        hold.expires_at,
        hold.state.as_str(),
        under.map(|key| &key.caller),
        under.map(|key| &key.key),
        amounts,
        journal.time,
    ]))
}

fn ended_hold(row: &HoldRow, journal: &Journal) -> Result<Value, StoreError> {
    let hold = &row.hold;
    let Ended { under, amounts } = ended(hold)?;
    let (by, under) = (under.map(|key| &key.caller), under.map(|key| &key.key));
    Ok(json!([hold.id, hold.state.as_str(), by, under, amounts, journal.time]))
}

fn entry(script: &mut Script, entry: &Entry) -> Result<(), StoreError> {
    let movement = &entry.movement;
    let key = &movement.key;
    script.bind(key.player.as_str()).bind(bigint(movement.number)).bind(key.asset.as_str());
    script.bind(key.pool.as_str()).bind(movement.kind.as_str());
    movement.change.parts().into_iter().fold(&mut *script, Script::bind);
    movement.after.parts().into_iter().fold(&mut *script, |script, part| script.bind(bigint(part)));
    script.bind(bigint(movement.clamped_units)).bind(entry.note.reason.as_str());
    script.bind(context_text(&entry.note.context)?).bind(entry.caller.as_str());
    script.bind(entry.idempotency_key.as_str()).bind(entry.trace_id.as_str());
    script.bind(entry.catalog_hash.as_bytes().as_slice()).bind(entry.time.micros()).bind(entry.hash.as_slice());
    Ok(())
}

fn balance(script: &mut Script, key: &BalanceKey, row: &Row, time: i64) {
    script.bind(key.player.as_str()).bind(key.asset.as_str()).bind(key.pool.as_str());
    row.balance.parts().into_iter().fold(&mut *script, |script, part| script.bind(bigint(part)));
    let settled = row.settled.as_ref();
    script
        .bind(bigint(row.generation))
        .bind(settled.map(|settled| settled.at.micros()))
        .bind(settled.map(|settled| bigint(settled.regen_units)))
        .bind(settled.map(|settled| bigint(settled.interval_micros)))
        .bind(settled.map(|settled| bigint(settled.capacity_units)));
    let newest = row.newest.as_ref();
    script
        .bind(bigint(row.version))
        .bind(bigint(row.period))
        .bind(newest.map(|newest| bigint(newest.number)))
        .bind(newest.map(|newest| newest.hash.as_slice()))
        .bind(time)
        .bind(time);
}
