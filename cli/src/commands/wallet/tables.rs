//! The wallet's answers as a person reads them. A column that would say nothing in any row is left out.

use std::fmt::Write as _;

use super::documents::{
    BalanceDocument, EndDocument, EntryDocument, FlowDocument, HoldDocument, HoldLegDocument, MovementDocument,
    PostedDocument, SupplyDocument,
};
use crate::output::{self, Output, REPLAYED, grouped, signed};

/// One column of a table.
struct Column<T> {
    head: &'static str,
    cell: fn(&T) -> String,
    /// Whether a row gives cause to show it.
    is_due: fn(&T) -> bool,
}

impl<T> Column<T> {
    const fn always(head: &'static str, cell: fn(&T) -> String) -> Self {
        Self { head, cell, is_due: |_| true }
    }

    const fn when(is_due: fn(&T) -> bool, head: &'static str, cell: fn(&T) -> String) -> Self {
        Self { head, cell, is_due }
    }
}

fn table<T>(rows: &[T], columns: &[Column<T>], output: Output) -> String {
    // Without a row every column says what would be there.
    let shown: Vec<&Column<T>> =
        columns.iter().filter(|column| rows.is_empty() || rows.iter().any(column.is_due)).collect();
    let heads: Vec<&str> = shown.iter().map(|column| column.head).collect();
    let mut table = output.table(&heads);
    for row in rows {
        table.add_row(shown.iter().map(|column| (column.cell)(row)));
    }
    output::render(&table)
}

/// Shows balances.
pub fn balances_text(balances: &[BalanceDocument], output: Output) -> String {
    let columns = [
        Column::<BalanceDocument>::always("player", |row| row.player_id.clone()),
        Column::always("asset", |row| with_pool(&row.asset_id, &row.pool_id)),
        Column::always(">available", |row| grouped(row.available)),
        Column::always(">held", |row| grouped(row.held)),
        Column::always(">room", |row| grouped(row.room)),
        Column::always(">maximum", |row| row.maximum.map(grouped).unwrap_or_default()),
        Column::when(|row| row.owed != 0, ">owed", |row| grouped(row.owed)),
        Column::when(|row| !row.full_time.is_empty(), "full at", |row| row.full_time.clone()),
    ];
    table(balances, &columns, output)
}

/// Shows what a mutation did, in the word of `verb`.
pub fn posted_text(verb: &str, posted: &PostedDocument, output: Output) -> String {
    let mut text = String::new();
    if posted.replayed {
        text.push_str(REPLAYED);
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let PostedDocument { create_time, idempotency_key, expire_time, .. } = posted;
    let _ = writeln!(text, "{verb} at {create_time} under {idempotency_key}");
    if !expire_time.is_empty() {
        let _ = writeln!(text, "lapses at {expire_time}");
    }
    if posted.voided {
        text.push_str("it was not made before, and never will be\n");
    }
    if !posted.retail_token.is_empty() {
        let _ = writeln!(text, "retail token {}", posted.retail_token);
    }
    if !posted.movements.is_empty() {
        text.push_str(&movements_text(&posted.movements, output));
    }
    text
}

/// Shows movements.
pub fn movements_text(movements: &[MovementDocument], output: Output) -> String {
    let columns = [
        Column::<MovementDocument>::always("player", |row| row.player_id.clone()),
        Column::always(">number", |row| row.number.to_string()),
        Column::always("asset", |row| with_pool(&row.asset_id, &row.pool_id)),
        Column::always(">change", |row| signed(row.available_change)),
        Column::always(">available", |row| grouped(row.available_after)),
        Column::when(|row| row.held_change != 0, ">held", |row| grouped(row.held_after)),
        Column::when(|row| row.room_change != 0, ">room", |row| grouped(row.room_after)),
        Column::when(|row| row.owed_change != 0, ">owed", |row| grouped(row.owed_after)),
        Column::when(|row| row.clamped_units != 0, ">cut at maximum", |row| grouped(row.clamped_units)),
        Column::when(|row| row.kind != "POSTED", "kind", |row| row.kind.to_lowercase()),
    ];
    table(movements, &columns, output)
}

/// Shows entries.
pub fn entries_text(entries: &[EntryDocument], output: Output) -> String {
    let columns = [
        Column::<EntryDocument>::always(">number", |row| row.movement.number.to_string()),
        Column::always("time", |row| row.create_time.clone()),
        Column::always("asset", |row| with_pool(&row.movement.asset_id, &row.movement.pool_id)),
        Column::always(">change", |row| signed(row.movement.available_change)),
        Column::always(">available", |row| grouped(row.movement.available_after)),
        Column::when(|row| row.movement.held_change != 0, ">held", |row| grouped(row.movement.held_after)),
        Column::when(|row| row.movement.room_change != 0, ">room", |row| grouped(row.movement.room_after)),
        Column::when(|row| row.movement.owed_change != 0, ">owed", |row| grouped(row.movement.owed_after)),
        Column::when(|row| row.movement.kind != "POSTED", "kind", |row| row.movement.kind.to_lowercase()),
        Column::always("reason", |row| row.reason.clone()),
        Column::always("caller", |row| row.caller.clone()),
        Column::always("key", |row| row.idempotency_key.clone()),
    ];
    table(entries, &columns, output)
}

/// Shows one entry as a line that needs no table around it.
pub fn entry_line(entry: &EntryDocument) -> String {
    let EntryDocument { movement, create_time, reason, caller, idempotency_key, .. } = entry;
    let asset = with_pool(&movement.asset_id, &movement.pool_id);
    let change = signed(movement.available_change);
    let after = grouped(movement.available_after);
    let kind = movement.kind.to_lowercase();
    format!(
        "{:>6}  {create_time}  {asset:<28} {change:>12} {after:>14}  {kind:<11}  {reason}  {caller}  {idempotency_key}\n",
        movement.number
    )
}

/// Shows one hold.
pub fn hold_text(hold: &HoldDocument, output: Output) -> String {
    let HoldDocument { hold_id, caller, state, create_time, update_time, reason, .. } = hold;
    let whole = if hold.whole { ", whole or not at all" } else { "" };
    let mut text = format!("{hold_id} of {caller} is {}{whole}\n", state.to_lowercase());
    let _ = writeln!(text, "made at {create_time}, changed at {update_time}");
    if !hold.expire_time.is_empty() {
        let _ = writeln!(text, "lapses at {}", hold.expire_time);
    }
    if !reason.is_empty() {
        let _ = writeln!(text, "reason: {reason}");
    }
    let rows: Vec<(&HoldLegDocument, Option<i64>)> =
        hold.legs.iter().enumerate().map(|(index, leg)| (leg, hold.committed_amounts.get(index).copied())).collect();
    let columns = [
        Column::<(&HoldLegDocument, Option<i64>)>::always("from", |(leg, _)| end(leg.from.as_ref())),
        Column::always("to", |(leg, _)| end(leg.to.as_ref())),
        Column::always(">amount", |(leg, _)| grouped(leg.amount)),
        Column::when(|(_, taken)| taken.is_some(), ">taken", |(_, taken)| taken.map(grouped).unwrap_or_default()),
    ];
    if !rows.is_empty() {
        text.push_str(&table(&rows, &columns, output));
    }
    text
}

/// Shows holds, a line each.
pub fn holds_text(holds: &[HoldDocument], output: Output) -> String {
    let columns = [
        Column::<HoldDocument>::always("hold", |row| row.hold_id.clone()),
        Column::always("caller", |row| row.caller.clone()),
        Column::always("made at", |row| row.create_time.clone()),
        Column::when(|row| !row.expire_time.is_empty(), "lapses at", |row| row.expire_time.clone()),
        Column::always("state", |row| row.state.to_lowercase()),
        Column::always("legs", |row| row.legs.iter().map(leg).collect::<Vec<_>>().join(", ")),
        Column::always("reason", |row| row.reason.clone()),
    ];
    table(holds, &columns, output)
}

/// Shows how much there is.
pub fn supplies_text(supplies: &[SupplyDocument], output: Output) -> String {
    let columns = [
        Column::<SupplyDocument>::always("asset", |row| row.asset_id.clone()),
        Column::always(">issued", |row| grouped(row.issued)),
        Column::always(">burned", |row| grouped(row.burned)),
        Column::always(">outstanding", |row| grouped(row.outstanding)),
    ];
    table(supplies, &columns, output)
}

/// Shows what came and went.
pub fn flows_text(flows: &[FlowDocument], output: Output) -> String {
    let columns = [
        Column::<FlowDocument>::always("day", |row| row.day.clone()),
        Column::always("asset", |row| row.asset_id.clone()),
        Column::always("reason", |row| row.reason.clone()),
        Column::always(">issued", |row| grouped(row.issued)),
        Column::always(">burned", |row| grouped(row.burned)),
    ];
    table(flows, &columns, output)
}

/// Names an asset with its pool.
pub fn with_pool(asset: &str, pool: &str) -> String {
    if pool.is_empty() { asset.to_owned() } else { format!("{asset} ({pool})") }
}

fn end(end: Option<&EndDocument>) -> String {
    end.map(|end| format!("{} of {}", with_pool(&end.asset_id, &end.pool_id), end.player_id)).unwrap_or_default()
}

fn leg(leg: &HoldLegDocument) -> String {
    let player = |end: &EndDocument| end.player_id.clone();
    let asset = |end: &EndDocument| with_pool(&end.asset_id, &end.pool_id);
    match (&leg.from, &leg.to) {
        (Some(from), Some(to)) => format!("{} {} {} → {}", grouped(leg.amount), asset(to), player(from), player(to)),
        (Some(from), None) => format!("-{} {} {}", grouped(leg.amount), asset(from), player(from)),
        (None, Some(to)) => format!("+{} {} {}", grouped(leg.amount), asset(to), player(to)),
        (None, None) => grouped(leg.amount),
    }
}

#[cfg(test)]
mod tests;
