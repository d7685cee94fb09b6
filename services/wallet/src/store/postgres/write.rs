//! What a batch writes: set by set, each in ascending order, and every row counted, in one statement.

use auric_db::{Columns, StoreError, Writes, is_alike};
use auric_events::store::{Batch, postgres as outbox};

use super::{db_time, paid};
use crate::domain::{BalanceKey, Entry, Head, HoldRow, Journal, Movement, Record, Row};
use crate::store::batch::Heads;
use crate::store::rows::{Ended, bigint, context_text, ended, first_player, other_players, text};

/// Everything: balances first, in ascending order, which locks them where they are not locked yet, and keeps everything else from a batch that was decided
/// on what is no longer so; then keys, so that a copy that used one stops the batch before it has written the rest. Counters come last of what is the
/// ledger's: they are what batches of different players have in common, so that their locks are held shortest.
pub fn journal(journal: &Journal, slot: i16, heads: Heads) -> Result<Writes, StoreError> {
    let mut writes = Writes::default();
    balances(&mut writes, journal, heads);
    players(&mut writes, journal);
    records(&mut writes, &journal.records)?;
    claims(&mut writes, journal);
    holds(&mut writes, journal)?;
    paid::write(&mut writes, journal)?;
    entries(&mut writes, &journal.entries)?;
    flows(&mut writes, journal, slot);
    if let Some(batch) = Batch::of(&journal.told)? {
        outbox::add(&mut writes, slot, &batch);
    }
    Ok(writes)
}

/// Most batches make and end no hold that lapses. Behind the locks of those players.
fn players(writes: &mut Writes, journal: &Journal) {
    let changed: Vec<_> = journal.players.iter().filter(|(_, player)| player.expires_otherwise()).collect();
    if changed.is_empty() {
        return;
    }
    writes.update("players", changed.len(), |columns| {
        columns.key("player_id", &changed, |(id, _)| id.as_str());
        columns.each("next_expiry", &changed, |(_, player)| player.next_expiry.map(db_time));
        columns.same("updated_at", db_time(journal.time));
    });
}

/// Inserts plainly: a duplicate means that another copy used the key first.
fn records(writes: &mut Writes, records: &[Record]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let outcomes = texts(records, |record| text(&record.outcome))?;
    writes.insert("mutations", |columns| {
        columns.each("caller", records, |record| record.key.caller.as_str());
        columns.each("idempotency_key", records, |record| record.key.key.as_str());
        columns.each("method", records, |record| record.method.as_str());
        columns.each("fingerprint", records, |record| record.fingerprint.digest.as_slice());
        columns.each("fields", records, |record| record.fingerprint.fields.as_str());
        columns.each("outcome", &outcomes, String::as_str);
        columns.shared("created_at", records, |record| db_time(record.time));
    });
    Ok(())
}

fn claims(writes: &mut Writes, journal: &Journal) {
    let claims = &journal.claims;
    if claims.is_empty() {
        return;
    }
    writes.insert("claims", |columns| {
        columns.each("player_id", claims, |(guard, ..)| guard.player.as_str());
        columns.each("claim_type", claims, |(guard, ..)| guard.claim_type.as_str());
        columns.each("claim_key", claims, |(guard, ..)| guard.claim_key.as_str());
        columns.each("caller", claims, |(_, key, _)| key.caller.as_str());
        columns.each("idempotency_key", claims, |(_, key, _)| key.key.as_str());
        columns.each("created_at", claims, |(.., time)| db_time(*time));
    });
}

/// New holds are inserted plainly: a duplicate means that another copy made the hold first. Others must be open still.
fn holds(writes: &mut Writes, journal: &Journal) -> Result<(), StoreError> {
    let (new, ended): (Vec<&HoldRow>, Vec<&HoldRow>) = journal.holds.iter().partition(|row| row.version == 1);
    if !new.is_empty() {
        insert_holds(writes, &new, journal)?;
    }
    if ended.is_empty() {
        return Ok(());
    }
    let ends = Ends::of(&ended)?;
    writes.update("holds", ended.len(), |columns| {
        columns.key("hold_id", &ended, |row| row.hold.id.as_str());
        columns.had("state", "held");
        ends.write(columns, ends.are_alike());
        columns.same("updated_at", db_time(journal.time));
    });
    Ok(())
}

/// How holds stand and ended, side by side.
struct Ends<'h>(Vec<(&'static str, Ended<'h>)>);

impl<'h> Ends<'h> {
    fn of(rows: &[&'h HoldRow]) -> Result<Self, StoreError> {
        let of = |row: &&'h HoldRow| Ok((row.hold.state.as_str(), ended(&row.hold)?));
        rows.iter().map(of).collect::<Result<_, StoreError>>().map(Self)
    }

    /// Most batches end holds of one caller, in one way, all of them whole.
    fn are_alike(&self) -> bool {
        is_alike(&self.0, |(state, end)| (*state, end.under.map(|key| &key.caller), &end.amounts))
    }

    fn write(&self, columns: &mut Columns<'_>, are_alike: bool) {
        columns.alike(are_alike, "state", &self.0, |(state, _)| *state);
        columns.alike(are_alike, "ended_by", &self.0, |(_, end)| end.under.map(|key| key.caller.as_str()));
        columns.each("ended_under", &self.0, |(_, end)| end.under.map(|key| key.key.as_str()));
        columns.alike(are_alike, "amounts", &self.0, |(_, end)| end.amounts.as_deref());
    }
}

fn insert_holds(writes: &mut Writes, new: &[&HoldRow], journal: &Journal) -> Result<(), StoreError> {
    let terms = texts(new, |row| text(&*row.hold.terms))?;
    let ends = Ends::of(new)?;
    // Most batches make holds of one caller without an end, and end none of them.
    let are_open = new.iter().all(|row| row.hold.is_open());
    let are_plain = are_open && is_alike(new, |row| (&row.hold.caller, row.hold.expires_at));
    writes.insert("holds", |columns| {
        columns.each("hold_id", new, |row| row.hold.id.as_str());
        columns.each("player_id", new, |row| first_player(&row.hold));
        columns.alike(are_plain, "caller", new, |row| row.hold.caller.as_str());
        columns.each("made_under", new, |row| row.hold.made_under.as_str());
        columns.each("terms", &terms, String::as_str);
        columns.alike(are_plain, "expires_at", new, |row| row.hold.expires_at.map(db_time));
        if are_open {
            columns.same("state", "held");
        } else {
            ends.write(columns, false);
        }
        columns.same("created_at", db_time(journal.time));
        columns.same("updated_at", db_time(journal.time));
    });
    let of =
        |row: &&HoldRow| other_players(&row.hold).into_iter().map(|player| (player, row.hold.id.clone())).collect();
    let others: Vec<_> = new.iter().flat_map::<Vec<_>, _>(of).collect();
    if !others.is_empty() {
        writes.insert("hold_players", |columns| {
            columns.each("player_id", &others, |(player, _)| player.as_str());
            columns.each("hold_id", &others, |(_, hold)| hold.as_str());
        });
    }
    Ok(())
}

fn entries(writes: &mut Writes, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let contexts = texts(entries, |entry| context_text(&entry.note.context))?;
    let change = |part: usize| move |entry: &Entry| entry.movement.change.parts()[part];
    let after = |part: usize| move |entry: &Entry| bigint(entry.movement.after.parts()[part]);
    // Most batches have none but plain entries: no pool, no room, nothing owed, nothing cut, nothing said.
    let are_plain = is_alike(entries, |entry| {
        let Movement { key, change, after, clamped_units, .. } = &entry.movement;
        let ([_, _, room, owed], [_, _, room_after, owed_after]) = (change.parts(), after.parts());
        (&key.pool, &entry.note.context, room, owed, room_after, owed_after, *clamped_units)
    });
    writes.insert("entries", |columns| {
        columns.each("player_id", entries, |entry| entry.movement.key.player.as_str());
        columns.each("number", entries, |entry| bigint(entry.movement.number));
        columns.each("asset_id", entries, |entry| entry.movement.key.asset.as_str());
        columns.alike(are_plain, "pool_id", entries, |entry| entry.movement.key.pool.as_str());
        columns.each("kind", entries, |entry| entry.movement.kind.as_str());
        columns.each("available_change", entries, change(0));
        columns.each("held_change", entries, change(1));
        columns.alike(are_plain, "room_change", entries, change(2));
        columns.alike(are_plain, "owed_change", entries, change(3));
        columns.each("available_after", entries, after(0));
        columns.each("held_after", entries, after(1));
        columns.alike(are_plain, "room_after", entries, after(2));
        columns.alike(are_plain, "owed_after", entries, after(3));
        columns.alike(are_plain, "clamped", entries, |entry| bigint(entry.movement.clamped_units));
        columns.each("reason", entries, |entry| entry.note.reason.as_str());
        columns.alike(are_plain, "context", &contexts, String::as_str);
        columns.each("caller", entries, |entry| entry.caller.as_str());
        columns.each("idempotency_key", entries, |entry| entry.idempotency_key.as_str());
        columns.each("trace_id", entries, |entry| entry.trace_id.as_str());
        columns.shared("catalog_hash", entries, |entry| entry.catalog_hash.as_bytes().as_slice());
        columns.shared("created_at", entries, |entry| db_time(entry.time));
        columns.each("hash", entries, |entry| entry.hash.as_slice());
    });
    Ok(())
}

fn flows(writes: &mut Writes, journal: &Journal, slot: i16) {
    let flows: Vec<_> = journal.flows.iter().collect();
    if flows.is_empty() {
        return;
    }
    let add = "ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
         SET issued = stored.issued + excluded.issued,
             burned = stored.burned + excluded.burned";
    writes.upsert("flows", add, |columns| {
        columns.each("asset_id", &flows, |((asset, ..), _)| asset.as_str());
        columns.each("reason", &flows, |((_, reason, _), _)| reason.as_str());
        columns.each("day", &flows, |((.., day), _)| *day);
        columns.each("issued", &flows, |(_, flow)| bigint(flow.issued_units));
        columns.each("burned", &flows, |(_, flow)| bigint(flow.burned_units));
        columns.same("slot", slot);
    });
}

/// New balances are inserted plainly, others are written only over the version that was loaded: an upsert would lock each row first and then write it,
/// twice the work.
///
/// Where heads are remembered, the newest entry of each player must be the one that was decided on. That there is none after it its own number tells,
/// when the next one is inserted.
fn balances(writes: &mut Writes, journal: &Journal, heads: Heads) {
    let (new, known): (Vec<_>, Vec<_>) = journal.balances.iter().partition(|(_, row)| row.version == 1);
    if !known.is_empty() {
        writes.update("balances", known.len(), |columns| {
            columns.key("player_id", &known, |(key, _)| key.player.as_str());
            columns.key("asset_id", &known, |(key, _)| key.asset.as_str());
            columns.key("pool_id", &known, |(key, _)| key.pool.as_str());
            columns.version(&known, |(_, row)| bigint(row.version));
            if heads == Heads::Remembered {
                let loaded: Vec<Head> = known.iter().map(|(key, _)| journal.loaded_head(&key.player)).collect();
                columns.beside("head_number", &loaded, |head| bigint(head.number));
                columns.beside("head_hash", &loaded, |head| head.hash.as_slice());
                // The newest entry of a balance is mostly the newest of its player, and then needs no look.
                columns.also(
                    "(stored.last_number = moved.head_number AND stored.last_hash = moved.head_hash
                      OR EXISTS (
                          SELECT
                          FROM entries
                          WHERE entries.player_id = moved.player_id
                            AND entries.number = moved.head_number
                            AND entries.hash = moved.head_hash
                      ))",
                );
            }
            unit_columns(columns, &known);
            // These are never set back: balances that have none had none before.
            if known.iter().any(|(_, row)| row.generation > 0 || row.period > 0 || row.settled.is_some()) {
                term_columns(columns, &known);
            }
            columns.same("updated_at", db_time(journal.time));
        });
    }
    if !new.is_empty() {
        writes.insert("balances", |columns| {
            columns.each("player_id", &new, |(key, _)| key.player.as_str());
            columns.each("asset_id", &new, |(key, _)| key.asset.as_str());
            columns.each("pool_id", &new, |(key, _)| key.pool.as_str());
            columns.same("version", 1_i64);
            unit_columns(columns, &new);
            term_columns(columns, &new);
            columns.same("created_at", db_time(journal.time));
            columns.same("updated_at", db_time(journal.time));
        });
    }
}

fn unit_columns(columns: &mut Columns<'_>, rows: &[&(BalanceKey, Row)]) {
    let part = |part: usize| move |(_, row): &&(BalanceKey, Row)| bigint(row.balance.parts()[part]);
    // Mostly nothing is promised, and nothing owed.
    let are_plain = is_alike(rows, |(_, row)| {
        let [_, _, room, owed] = row.balance.parts();
        (room, owed)
    });
    columns.each("available", rows, part(0));
    columns.each("held", rows, part(1));
    columns.alike(are_plain, "room", rows, part(2));
    columns.alike(are_plain, "owed", rows, part(3));
    columns.each("last_number", rows, |(_, row)| row.newest.map(|newest| bigint(newest.number)));
    columns.each("last_hash", rows, |(_, row)| row.newest.as_ref().map(|newest| newest.hash.as_slice()));
}

/// What pools and recharging balances have beside their units.
fn term_columns(columns: &mut Columns<'_>, rows: &[&(BalanceKey, Row)]) {
    columns.each("generation", rows, |(_, row)| bigint(row.generation));
    columns.each("period", rows, |(_, row)| bigint(row.period));
    columns.each("settled_at", rows, |(_, row)| row.settled.map(|settled| db_time(settled.at)));
    columns.each("regen_units", rows, |(_, row)| row.settled.map(|settled| bigint(settled.regen_units)));
    columns.each("interval_micros", rows, |(_, row)| row.settled.map(|settled| bigint(settled.interval_micros)));
    columns.each("capacity", rows, |(_, row)| row.settled.map(|settled| bigint(settled.capacity_units)));
}

/// One column of texts that are made for it.
pub fn texts<R>(rows: &[R], of: impl Fn(&R) -> Result<String, StoreError>) -> Result<Vec<String>, StoreError> {
    rows.iter().map(of).collect()
}
