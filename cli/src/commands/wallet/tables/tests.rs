use auric_api::wallet::v1 as api;

use super::*;
use crate::commands::wallet::documents::documents;

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
      "owed_change": 0,
      "available_after": 47,
      "held_after": 0,
      "room_after": 0,
      "owed_after": 0,
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

#[test]
fn a_movement_says_what_is_held_and_what_brought_it_about_only_where_that_is_something() {
    let reserved = api::Movement {
        kind: api::MovementKind::Reserved.into(),
        held_change: 40,
        held_after: 40,
        ..movement(8, "bulk", -40, 60, 0)
    };
    insta::assert_snapshot!(movements_text(&documents(vec![reserved]), output()), @r"
    player     number  asset                     change  available  held  kind
    discord:1       8  generation_credit (bulk)     -40         60    40  reserved
    ");
}

#[test]
fn a_replay_is_told_first() {
    let posted = PostedDocument::new(
        "trade-77".to_owned(),
        true,
        api::Posted {
            create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            ..api::Posted::default()
        },
    );
    insta::assert_snapshot!(posted_text("posted", &posted, output()), @r"
    replayed: this is the first answer to this key, given again; nothing was done now
    posted at 2023-11-14T22:13:20.000Z under trade-77
    ");
}

#[test]
fn a_hold_is_shown_with_what_was_taken_of_it() {
    let end = |player_id: &str| {
        Some(api::BalanceRef { player_id: player_id.to_owned(), asset_id: "lumees".to_owned(), pool_id: String::new() })
    };
    let hold = api::Hold {
        hold_id: "auction-9".to_owned(),
        caller: "local".to_owned(),
        legs: vec![
            api::HoldLeg { from: end("a"), to: end("b"), amount: 40 },
            api::HoldLeg { from: end("c"), to: None, amount: 5 },
        ],
        reason: "auction.bid".to_owned(),
        state: api::HoldState::Committed.into(),
        committed_amounts: vec![25, 0],
        create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        update_time: Some(prost_types::Timestamp { seconds: 1_700_000_060, nanos: 0 }),
        ..api::Hold::default()
    };
    let document = HoldDocument::from(hold);
    insta::assert_snapshot!(hold_text(&document, output()), @r"
    auction-9 of local is committed
    made at 2023-11-14T22:13:20.000Z, changed at 2023-11-14T22:14:20.000Z
    reason: auction.bid
    from         to           amount  taken
    lumees of a  lumees of b      40     25
    lumees of c                    5      0
    ");
    insta::assert_snapshot!(holds_text(&[document], output()), @r"
    hold       caller  made at                   state      legs                          reason
    auction-9  local   2023-11-14T22:13:20.000Z  committed  40 lumees a → b, -5 lumees c  auction.bid
    ");
}
