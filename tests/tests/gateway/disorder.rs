//! Every order of one object's events, and every copy at once (R-W9): the same end.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::on_every_store;
use super::town::{Credits, Town, credits, events};

on_every_store!(
    every_order_of_one_objects_events_ends_the_same,
    fifty_at_once_count_once,
    what_is_unknown_is_shown_and_moves_nothing
);

/// Every order of `items`.
fn orders(items: &[String]) -> Vec<Vec<String>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in items.iter().enumerate() {
        let rest: Vec<String> = [&items[..index], &items[index + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|order| [vec![first.clone()], order].concat()));
    }
    all
}

async fn every_order_of_one_objects_events_ends_the_same(town: Town) {
    let town = Arc::new(town);
    let won = |object: &str, player: &str| {
        let refunds = [events::refunded(object, 200), events::refunded(object, 400)];
        let dispute = [events::disputed(object), events::decided(object, "won")];
        [vec![events::bought(player, object, "bulk_50")], refunds.to_vec(), dispute.to_vec()].concat()
    };
    let lost = |object: &str, player: &str| {
        let dispute = [events::disputed(object), events::decided(object, "lost")];
        [vec![events::bought(player, object, "bulk_50"), events::refunded(object, 200)], dispute.to_vec()].concat()
    };
    let mut wanted: Vec<(String, Credits)> = Vec::new();
    let mut sending = JoinSet::new();
    let mut begin = |name: &str, of: &dyn Fn(&str, &str) -> Vec<String>, end: Credits| {
        let count = orders(&of("", "")).len();
        for index in 0..count {
            let (player, object) = (format!("discord:{name}{index}"), format!("{name}{index}"));
            let order = orders(&of(&object, &player)).swap_remove(index);
            wanted.push((player, end));
            let town = Arc::clone(&town);
            sending.spawn(async move {
                for event in &order {
                    town.send(event).await;
                }
                // The provider is not sure of the first one.
                town.send(&order[0]).await;
            });
        }
    };
    begin("won", &won, credits(0, 30));
    begin("lost", &lost, credits(0, 0));
    sending.join_all().await;
    assert_eq!(wanted.len(), 120 + 24);
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    for (player, end) in wanted {
        assert_eq!(town.credits(&player).await, end, "{player}");
    }
    town.verify();
}

async fn fifty_at_once_count_once(town: Town) {
    let town = Arc::new(town);
    let mut sending = JoinSet::new();
    for number in 0..50 {
        let town = Arc::clone(&town);
        // Lengths differ, and with them the copy that is asked first.
        let event = events::bought("discord:1", "once", "bulk_50") + &" ".repeat(number);
        sending.spawn(async move { town.send(&event).await });
    }
    sending.join_all().await;
    town.settle().await;
    assert_eq!(town.credits("discord:1").await, credits(0, 50));
    town.verify();
}

async fn what_is_unknown_is_shown_and_moves_nothing(town: Town) {
    town.send(&events::bought("discord:1", "nothing", "price_of_nothing")).await;
    town.send(&events::bought("no player", "nobody", "bulk_50")).await;
    town.send(&events::refunded("never_paid", 400)).await;
    let mut parked: Vec<(String, String)> = Vec::new();
    for event in town.settle_but_for("evt_never_paid_refunded_400").await {
        let text = |key: &str| event[key].as_str().expect("a text").to_owned();
        parked.push((text("event_id"), text("reason")));
    }
    parked.sort();
    let pair = |event: &str, reason: &str| (event.to_owned(), reason.to_owned());
    let wanted = [
        pair("evt_never_paid_refunded_400", "OBJECT_UNKNOWN"),
        pair("evt_nobody_bought", "PLAYER_UNKNOWN"),
        pair("evt_nothing_bought", "PRICE_UNKNOWN"),
    ];
    assert_eq!(parked, wanted);
    assert_eq!(town.credits("discord:1").await, credits(0, 0));
}
