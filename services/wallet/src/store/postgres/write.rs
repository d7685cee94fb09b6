//! What a batch writes: set by set, each in ascending order, and every row counted.
//!
//! Columns are unnested side by side in the list of what is selected: PostgreSQL then makes a row at a time of them. Named after FROM, each column
//! would be written to a store of its own first, and read back from there.

use auric_db::{Statement, StoreError, Traced as _};
use auric_events::store::{Batch, postgres as outbox};
use auric_ids::PlayerId;
use auric_time::Timestamp;
use sqlx::{Postgres, Transaction};

use super::{db_time, paid, sql};
use crate::domain::{BalanceKey, Entry, HoldRow, Journal, Player, Record, Row};
use crate::store::rows::{bigint, context_text, first_player, other_players, text};

type Tx = Transaction<'static, Postgres>;

/// Writes everything: heads first, in ascending order, which locks them where they are not locked yet; then keys, so that a copy that used one stops the
/// batch before it has written the rest.
pub async fn journal(transaction: &mut Tx, journal: &Journal, slot: i16) -> Result<(), StoreError> {
    if !journal.players.is_empty() {
        players(transaction, &journal.players).await?;
    }
    if !journal.records.is_empty() {
        records(transaction, &journal.records).await?;
    }
    if !journal.claims.is_empty() {
        claims(transaction, journal).await?;
    }
    if !journal.holds.is_empty() {
        holds(transaction, journal).await?;
    }
    paid::write(transaction, journal).await?;
    if !journal.balances.is_empty() {
        balances(transaction, journal).await?;
    }
    if !journal.entries.is_empty() {
        entries(transaction, journal, slot).await?;
    }
    if let Some(batch) = Batch::of(&journal.told)? {
        outbox::write(transaction, slot, &batch).await?;
    }
    Ok(())
}

/// Inserts plainly: a duplicate means that another copy used the key first.
async fn records(transaction: &mut Tx, records: &[Record]) -> Result<(), StoreError> {
    let outcomes: Vec<String> = records.iter().map(|record| text(&record.outcome)).collect::<Result<_, _>>()?;
    let written = sqlx::query(
        "INSERT INTO mutations (caller, idempotency_key, method, fingerprint, fields, outcome, created_at)
         SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bytea[]), unnest($5::text[]),
             unnest($6::text[]), unnest($7::timestamptz[])",
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

async fn claims(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let claims = &journal.claims;
    let written = sqlx::query(
        "INSERT INTO claims (player_id, claim_type, claim_key, caller, idempotency_key, created_at)
         SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
             unnest($6::timestamptz[])",
    )
    .bind(column(claims, |(guard, ..)| guard.player.as_str()))
    .bind(column(claims, |(guard, ..)| guard.claim_type.as_str()))
    .bind(column(claims, |(guard, ..)| guard.claim_key.as_str()))
    .bind(column(claims, |(_, key, _)| key.caller.as_str()))
    .bind(column(claims, |(_, key, _)| key.key.as_str()))
    .bind(column(claims, |(.., time)| db_time(*time)))
    .execute(&mut **transaction)
    .traced(sql("INSERT claims"))
    .await?;
    expect_rows(claims.len(), written.rows_affected())
}

/// New holds are inserted plainly: a duplicate means that another copy made the hold first. Others are written over the loaded version.
async fn holds(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let (new, ended): (Vec<&HoldRow>, Vec<&HoldRow>) = journal.holds.iter().partition(|row| row.version == 1);
    if !new.is_empty() {
        insert_holds(transaction, &new, journal).await?;
    }
    if ended.is_empty() {
        return Ok(());
    }
    let states = ended.iter().map(|row| text(&row.hold.state)).collect::<Result<Vec<_>, _>>()?;
    let written = sqlx::query(
        "UPDATE holds
         SET state = moved.state,
             ended = moved.ended,
             version = moved.version,
             updated_at = $5
         FROM (
             SELECT unnest($1::text[]) AS hold_id, unnest($2::text[]) AS state, unnest($3::text[]) AS ended,
                 unnest($4::bigint[]) AS version
         ) AS moved
         WHERE holds.hold_id = moved.hold_id
           AND holds.version = moved.version - 1",
    )
    .bind(column(&ended, |row| row.hold.id.as_str()))
    .bind(column(&ended, |row| row.hold.state.as_str()))
    .bind(states)
    .bind(column(&ended, |row| bigint(row.version)))
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("UPDATE holds"))
    .await?;
    expect_rows(ended.len(), written.rows_affected())
}

async fn insert_holds(transaction: &mut Tx, new: &[&HoldRow], journal: &Journal) -> Result<(), StoreError> {
    let mut texts = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for row in new {
        let hold = &row.hold;
        let row = [text(&hold.legs)?, context_text(&hold.note.context)?, text(&hold.reserved)?, text(&hold.state)?];
        texts.iter_mut().zip(row).for_each(|(column, text)| column.push(text));
    }
    let [legs, contexts, reserved, ended] = texts;
    let written = sqlx::query(
        "INSERT INTO holds (hold_id, caller, made_under, state, player_id, legs, whole, expires_at, reason, context, asked,
             reserved, ended, version, created_at, updated_at)
         SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
             unnest($6::text[]), unnest($7::boolean[]), unnest($8::timestamptz[]), unnest($9::text[]), unnest($10::text[]),
             unnest($11::bytea[]), unnest($12::text[]), unnest($13::text[]), 1, $14, $14",
    )
    .bind(column(new, |row| row.hold.id.as_str()))
    .bind(column(new, |row| row.hold.caller.as_str()))
    .bind(column(new, |row| row.hold.made_under.as_str()))
    .bind(column(new, |row| row.hold.state.as_str()))
    .bind(column(new, |row| first_player(&row.hold)))
    .bind(legs)
    .bind(column(new, |row| row.hold.whole))
    .bind(column(new, |row| row.hold.expires_at.map(db_time)))
    .bind(column(new, |row| row.hold.note.reason.as_str()))
    .bind(contexts)
    .bind(column(new, |row| row.hold.asked.as_slice()))
    .bind(reserved)
    .bind(ended)
    .bind(db_time(journal.time))
    .execute(&mut **transaction)
    .traced(sql("INSERT holds"))
    .await?;
    expect_rows(new.len(), written.rows_affected())?;

    let others: Vec<(PlayerId, &str)> = new
        .iter()
        .flat_map(|row| other_players(&row.hold).into_iter().map(|player| (player, row.hold.id.as_str())))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    sqlx::query("INSERT INTO hold_players (player_id, hold_id) SELECT * FROM unnest($1::text[], $2::text[])")
        .bind(column(&others, |(player, _)| player.as_str()))
        .bind(column(&others, |(_, hold)| *hold))
        .execute(&mut **transaction)
        .traced(sql("INSERT hold_players"))
        .await?;
    Ok(())
}

/// The counters come with the entries that they count. Written late: counters are what batches of different players have in common, so that their locks
/// are held shortest.
const INSERT_ENTRIES: &str = "
    WITH counted AS (
        INSERT INTO flows AS stored (asset_id, reason, day, issued, burned, slot)
        SELECT *, $28
        FROM unnest($23::text[], $24::text[], $25::integer[], $26::bigint[], $27::bigint[])
        ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
        SET issued = stored.issued + excluded.issued,
            burned = stored.burned + excluded.burned
    )
    INSERT INTO entries (player_id, number, asset_id, pool_id, kind, available_change, held_change, room_change,
        owed_change, available_after, held_after, room_after, owed_after, clamped, reason, context, caller,
        idempotency_key, trace_id, catalog_hash, created_at, hash)
    SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
        unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]), unnest($10::bigint[]),
        unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::text[]),
        unnest($16::text[]), unnest($17::text[]), unnest($18::text[]), unnest($19::text[]), unnest($20::bytea[]),
        unnest($21::timestamptz[]), unnest($22::bytea[])";

async fn entries(transaction: &mut Tx, journal: &Journal, slot: i16) -> Result<(), StoreError> {
    let (entries, flows) = (&journal.entries, journal.flows.iter().collect::<Vec<_>>());
    let contexts = entries.iter().map(|entry| context_text(&entry.note.context)).collect::<Result<Vec<_>, _>>()?;
    let change = |part: usize| column(entries, move |entry: &Entry| entry.movement.change.parts()[part]);
    let after = |part: usize| column(entries, move |entry: &Entry| bigint(entry.movement.after.parts()[part]));
    let written = sqlx::query(INSERT_ENTRIES)
        .bind(column(entries, |entry| entry.movement.key.player.as_str()))
        .bind(column(entries, |entry| bigint(entry.movement.number)))
        .bind(column(entries, |entry| entry.movement.key.asset.as_str()))
        .bind(column(entries, |entry| entry.movement.key.pool.as_str()))
        .bind(column(entries, |entry| entry.movement.kind.as_str()))
        .bind(change(0))
        .bind(change(1))
        .bind(change(2))
        .bind(change(3))
        .bind(after(0))
        .bind(after(1))
        .bind(after(2))
        .bind(after(3))
        .bind(column(entries, |entry| bigint(entry.movement.clamped_units)))
        .bind(column(entries, |entry| entry.note.reason.as_str()))
        .bind(contexts)
        .bind(column(entries, |entry| entry.caller.as_str()))
        .bind(column(entries, |entry| entry.idempotency_key.as_str()))
        .bind(column(entries, |entry| entry.trace_id.as_str()))
        .bind(column(entries, |entry| entry.catalog_hash.as_bytes().as_slice()))
        .bind(column(entries, |entry| db_time(entry.time)))
        .bind(column(entries, |entry| entry.hash.as_slice()))
        .bind(column(&flows, |((asset, ..), _)| asset.as_str()))
        .bind(column(&flows, |((_, reason, _), _)| reason.as_str()))
        .bind(column(&flows, |((.., day), _)| *day))
        .bind(column(&flows, |(_, flow)| bigint(flow.issued_units)))
        .bind(column(&flows, |(_, flow)| bigint(flow.burned_units)))
        .bind(slot)
        .execute(&mut **transaction)
        .traced(sql("INSERT entries"))
        .await?;
    expect_rows(entries.len(), written.rows_affected())
}

/// New balances are inserted plainly, others are written only over the version that was loaded.
async fn balances(transaction: &mut Tx, journal: &Journal) -> Result<(), StoreError> {
    let (new, known): (Vec<_>, Vec<_>) = journal.balances.iter().partition(|(_, row)| row.version == 1);
    if !known.is_empty() {
        // An upsert would lock each row first and then write it: twice the work.
        let update = "UPDATE balances
             SET available = moved.available,
                 held = moved.held,
                 room = moved.room,
                 owed = moved.owed,
                 generation = moved.generation,
                 settled_at = moved.settled_at,
                 regen_units = moved.regen_units,
                 interval_micros = moved.interval_micros,
                 capacity = moved.capacity,
                 version = moved.version,
                 period = moved.period,
                 updated_at = $15
             FROM (
                 SELECT unnest($1::text[]) AS player_id, unnest($2::text[]) AS asset_id, unnest($3::text[]) AS pool_id,
                     unnest($4::bigint[]) AS available, unnest($5::bigint[]) AS held, unnest($6::bigint[]) AS room,
                     unnest($7::bigint[]) AS owed, unnest($8::bigint[]) AS generation,
                     unnest($9::timestamptz[]) AS settled_at, unnest($10::bigint[]) AS regen_units,
                     unnest($11::bigint[]) AS interval_micros, unnest($12::bigint[]) AS capacity,
                     unnest($13::bigint[]) AS version, unnest($14::bigint[]) AS period
             ) AS moved
             WHERE balances.player_id = moved.player_id
               AND balances.asset_id = moved.asset_id
               AND balances.pool_id = moved.pool_id
               AND balances.version = moved.version - 1";
        write_balances(transaction, (sql("UPDATE balances"), update), &known, journal.time).await?;
    }
    if !new.is_empty() {
        let insert = "INSERT INTO balances (player_id, asset_id, pool_id, available, held, room, owed, generation,
                 settled_at, regen_units, interval_micros, capacity, version, period, created_at, updated_at)
             SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::bigint[]),
                 unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::timestamptz[]),
                 unnest($10::bigint[]), unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]),
                 unnest($14::bigint[]), $15, $15";
        write_balances(transaction, (sql("INSERT balances"), insert), &new, journal.time).await?;
    }
    Ok(())
}

async fn write_balances(
    transaction: &mut Tx,
    (statement, text): (Statement, &'static str),
    rows: &[&(BalanceKey, Row)],
    time: Timestamp,
) -> Result<(), StoreError> {
    let part = |part: usize| column(rows, move |(_, row)| bigint(row.balance.parts()[part]));
    let written = sqlx::query(text)
        .bind(column(rows, |(key, _)| key.player.as_str()))
        .bind(column(rows, |(key, _)| key.asset.as_str()))
        .bind(column(rows, |(key, _)| key.pool.as_str()))
        .bind(part(0))
        .bind(part(1))
        .bind(part(2))
        .bind(part(3))
        .bind(column(rows, |(_, row)| bigint(row.generation)))
        .bind(column(rows, |(_, row)| row.settled.map(|settled| db_time(settled.at))))
        .bind(column(rows, |(_, row)| row.settled.map(|settled| bigint(settled.regen_units))))
        .bind(column(rows, |(_, row)| row.settled.map(|settled| bigint(settled.interval_micros))))
        .bind(column(rows, |(_, row)| row.settled.map(|settled| bigint(settled.capacity_units))))
        .bind(column(rows, |(_, row)| bigint(row.version)))
        .bind(column(rows, |(_, row)| bigint(row.period)))
        .bind(db_time(time))
        .execute(&mut **transaction)
        .traced(statement)
        .await?;
    expect_rows(rows.len(), written.rows_affected())
}

/// Writes only over the head that was loaded.
async fn players(transaction: &mut Tx, players: &[(PlayerId, Player)]) -> Result<(), StoreError> {
    let written = sqlx::query(
        "UPDATE players
         SET last_number = moved.last_number,
             last_hash = moved.last_hash,
             last_time = moved.last_time,
             next_expiry = moved.next_expiry,
             updated_at = moved.last_time
         FROM (
             SELECT unnest($1::text[]) AS player_id, unnest($2::bigint[]) AS loaded_number,
                 unnest($3::bigint[]) AS last_number, unnest($4::bytea[]) AS last_hash,
                 unnest($5::timestamptz[]) AS last_time, unnest($6::timestamptz[]) AS next_expiry,
                 unnest($7::bytea[]) AS loaded_hash
         ) AS moved
         WHERE players.player_id = moved.player_id
           AND players.last_number = moved.loaded_number
           AND players.last_hash = moved.loaded_hash",
    )
    .bind(column(players, |(id, _)| id.as_str()))
    .bind(column(players, |(_, player)| bigint(player.loaded.number)))
    .bind(column(players, |(_, player)| bigint(player.head.number)))
    .bind(column(players, |(_, player)| player.head.hash.as_slice()))
    .bind(column(players, |(_, player)| db_time(player.head.time)))
    .bind(column(players, |(_, player)| player.next_expiry.map(db_time)))
    .bind(column(players, |(_, player)| player.loaded.hash.as_slice()))
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
