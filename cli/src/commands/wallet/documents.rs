//! The wallet's answers as documents: the field names are those of the API, and stay.

use std::collections::BTreeMap;

use auric_api::wallet::v1 as api;
use serde::Serialize;

use crate::output::{self, Output, grouped, signed};

/// What one player has of one asset, in one pool.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BalanceDocument {
    player_id: String,
    asset_id: String,
    pool_id: String,
    available: i64,
    held: i64,
    room: i64,
    maximum: Option<i64>,
}

/// The change of one balance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct MovementDocument {
    player_id: String,
    number: i64,
    asset_id: String,
    pool_id: String,
    kind: String,
    available_change: i64,
    held_change: i64,
    room_change: i64,
    available_after: i64,
    held_after: i64,
    room_after: i64,
    clamped_units: i64,
}

/// One line of a player's audit.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EntryDocument {
    #[serde(flatten)]
    movement: MovementDocument,
    reason: String,
    context: BTreeMap<String, String>,
    caller: String,
    idempotency_key: String,
    trace_id: String,
    catalog_hash: String,
    create_time: String,
    chain_hash: String,
}

impl From<api::Balance> for BalanceDocument {
    fn from(balance: api::Balance) -> Self {
        let api::Balance { player_id, asset_id, pool_id, available, held, room, maximum } = balance;
        Self { player_id, asset_id, pool_id, available, held, room, maximum }
    }
}

impl From<api::Movement> for MovementDocument {
    fn from(movement: api::Movement) -> Self {
        let kind = movement.kind().as_str_name().trim_start_matches("MOVEMENT_KIND_").to_owned();
        Self {
            kind,
            player_id: movement.player_id,
            number: movement.number,
            asset_id: movement.asset_id,
            pool_id: movement.pool_id,
            available_change: movement.available_change,
            held_change: movement.held_change,
            room_change: movement.room_change,
            available_after: movement.available_after,
            held_after: movement.held_after,
            room_after: movement.room_after,
            clamped_units: movement.clamped_units,
        }
    }
}

impl From<api::Entry> for EntryDocument {
    fn from(entry: api::Entry) -> Self {
        Self {
            movement: entry.movement.unwrap_or_default().into(),
            reason: entry.reason,
            context: entry.context.into_iter().collect(),
            caller: entry.caller,
            idempotency_key: entry.idempotency_key,
            trace_id: entry.trace_id,
            catalog_hash: entry.catalog_hash,
            create_time: output::time(entry.create_time.as_ref()),
            chain_hash: entry.chain_hash,
        }
    }
}

/// Makes documents of a list.
pub fn documents<T, D: From<T>>(list: Vec<T>) -> Vec<D> {
    list.into_iter().map(D::from).collect()
}

/// Shows balances as a table.
pub fn balances_text(balances: &[BalanceDocument], output: Output) -> String {
    let mut table = output.table(&["player", "asset", ">available", ">held", ">room", ">maximum"]);
    for balance in balances {
        table.add_row([
            balance.player_id.clone(),
            with_pool(&balance.asset_id, &balance.pool_id),
            grouped(balance.available),
            grouped(balance.held),
            grouped(balance.room),
            balance.maximum.map(grouped).unwrap_or_default(),
        ]);
    }
    output::render(&table)
}

/// Shows movements as a table; what was cut at a maximum only where something was.
pub fn movements_text(movements: &[MovementDocument], output: Output) -> String {
    let is_clamped = movements.iter().any(|movement| movement.clamped_units != 0);
    let mut heads = vec!["player", ">number", "asset", ">change", ">available"];
    if is_clamped {
        heads.push(">cut at maximum");
    }
    let mut table = output.table(&heads);
    for movement in movements {
        let mut row = vec![
            movement.player_id.clone(),
            movement.number.to_string(),
            with_pool(&movement.asset_id, &movement.pool_id),
            signed(movement.available_change),
            grouped(movement.available_after),
        ];
        if is_clamped {
            row.push(grouped(movement.clamped_units));
        }
        table.add_row(row);
    }
    output::render(&table)
}

/// Shows entries as a table.
pub fn entries_text(entries: &[EntryDocument], output: Output) -> String {
    let mut table = output.table(&[">number", "time", "asset", ">change", ">available", "reason", "caller", "key"]);
    for entry in entries {
        let movement = &entry.movement;
        table.add_row([
            movement.number.to_string(),
            entry.create_time.clone(),
            with_pool(&movement.asset_id, &movement.pool_id),
            signed(movement.available_change),
            grouped(movement.available_after),
            entry.reason.clone(),
            entry.caller.clone(),
            entry.idempotency_key.clone(),
        ]);
    }
    output::render(&table)
}

fn with_pool(asset: &str, pool: &str) -> String {
    if pool.is_empty() { asset.to_owned() } else { format!("{asset} ({pool})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> Output {
        Output::new(false, true)
    }

    fn movement(number: i64, pool_id: &str, change: i64, after: i64, clamped_units: i64) -> api::Movement {
        api::Movement {
            player_id: "discord:1".to_owned(),
            number,
            asset_id: "generation_credit".to_owned(),
            pool_id: pool_id.to_owned(),
            kind: api::MovementKind::Posted.into(),
            available_change: change,
            available_after: after,
            clamped_units,
            ..api::Movement::default()
        }
    }

    #[test]
    fn balances_are_a_table() {
        let balance = |asset_id: &str, pool_id: &str, available, maximum| api::Balance {
            player_id: "discord:1".to_owned(),
            asset_id: asset_id.to_owned(),
            pool_id: pool_id.to_owned(),
            available,
            maximum,
            ..api::Balance::default()
        };
        let balances =
            vec![balance("lumees", "", 1_000, Some(1_000_000_000)), balance("generation_credit", "bulk", 0, None)];
        insta::assert_snapshot!(balances_text(&documents(balances), output()), @r"
        player     asset                     available  held  room        maximum
        discord:1  lumees                        1,000     0     0  1,000,000,000
        discord:1  generation_credit (bulk)          0     0     0
        ");
    }

    #[test]
    fn movements_say_what_was_cut_only_where_something_was() {
        let plain = vec![movement(1, "bulk", 100, 100, 0), movement(2, "subscription", -1_000, 0, 0)];
        insta::assert_snapshot!(movements_text(&documents(plain), output()), @r"
        player     number  asset                             change  available
        discord:1       1  generation_credit (bulk)            +100        100
        discord:1       2  generation_credit (subscription)  -1,000          0
        ");
        let cut = vec![movement(3, "", 5, 10, 95)];
        insta::assert_snapshot!(movements_text(&documents(cut), output()), @r"
        player     number  asset              change  available  cut at maximum
        discord:1       3  generation_credit      +5         10              95
        ");
    }

    #[test]
    fn an_entry_is_a_row_and_a_flat_document() {
        let entry = api::Entry {
            movement: Some(movement(7, "bulk", -3, 47, 0)),
            reason: "quest.reward".to_owned(),
            context: [("quest".to_owned(), "9".to_owned())].into(),
            caller: "local".to_owned(),
            idempotency_key: "k-1".to_owned(),
            create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            ..api::Entry::default()
        };
        let documents: Vec<EntryDocument> = documents(vec![entry]);
        insta::assert_snapshot!(entries_text(&documents, output()), @r"
        number  time                      asset                     change  available  reason        caller  key
             7  2023-11-14T22:13:20.000Z  generation_credit (bulk)      -3         47  quest.reward  local   k-1
        ");
        insta::assert_snapshot!(serde_json::to_string_pretty(&documents[0]).unwrap(), @r#"
        {
          "player_id": "discord:1",
          "number": 7,
          "asset_id": "generation_credit",
          "pool_id": "bulk",
          "kind": "POSTED",
          "available_change": -3,
          "held_change": 0,
          "room_change": 0,
          "available_after": 47,
          "held_after": 0,
          "room_after": 0,
          "clamped_units": 0,
          "reason": "quest.reward",
          "context": {
            "quest": "9"
          },
          "caller": "local",
          "idempotency_key": "k-1",
          "trace_id": "",
          "catalog_hash": "",
          "create_time": "2023-11-14T22:13:20.000Z",
          "chain_hash": ""
        }
        "#);
    }
}
