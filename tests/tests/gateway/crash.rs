//! Whatever dies between the provider's 200 and the balance, nothing is lost and nothing comes twice (R-W9).

use std::sync::Arc;

use tokio::task::JoinSet;

use super::on_every_store;
use super::town::{Town, credits, events};

on_every_store!(
    a_gateway_that_is_killed_after_it_took_events_applies_them,
    a_wallet_that_is_killed_and_away_is_told_in_the_end,
);

async fn a_gateway_that_is_killed_after_it_took_events_applies_them(town: Town) {
    // Nobody can apply anything: what the gateways answer 200 to is in their inbox alone.
    town.kill_wallet();
    let mut wanted = Vec::new();
    for number in 0..30 {
        let player = format!("discord:{}", number % 3);
        town.send(&events::bought(&player, &format!("b{number}"), "bulk_50")).await;
        wanted.push(player);
    }
    for copy in 0..town.gateways() {
        town.kill_gateway(copy);
    }
    town.start_wallet();
    for copy in 0..town.gateways() {
        town.start_gateway(copy);
    }
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    for player in &wanted {
        assert_eq!(town.credits(player).await, credits(0, 500), "{player}");
    }
    town.verify();
}

async fn a_wallet_that_is_killed_and_away_is_told_in_the_end(town: Town) {
    let town = Arc::new(town);
    let mut sending = JoinSet::new();
    for player in 0..4 {
        let town = Arc::clone(&town);
        sending.spawn(async move {
            for number in 0..20 {
                let object = format!("p{player}b{number}");
                town.send(&events::bought(&format!("discord:{player}"), &object, "bulk_50")).await;
                town.send(&events::refunded(&object, 500)).await;
            }
        });
    }
    let breaking = tokio::task::spawn_blocking({
        let town = Arc::clone(&town);
        move || {
            for round in 0..3 {
                town.kill_wallet();
                let copy = round % town.gateways();
                town.kill_gateway(copy);
                town.start_gateway(copy);
                town.start_wallet();
            }
        }
    });
    sending.join_all().await;
    breaking.await.expect("everything starts again");
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    for player in 0..4 {
        assert_eq!(town.credits(&format!("discord:{player}")).await, credits(0, 500), "{player}");
    }
    town.verify();
}
