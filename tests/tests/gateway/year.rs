//! A subscription's year (R-W8, R-W9, R-W14): as it happens, and all of it at once in any order.

use std::sync::Arc;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tokio::task::JoinSet;

use super::on_every_store;
use super::town::{Town, credits, events};

on_every_store!(a_year_as_it_happens, a_year_in_any_order);

/// With the earlier shop's numbers: 5 left and 50 bought become 20 and 50; 50 + 100 + 250 are 400.
async fn a_year_as_it_happens(town: Town) {
    let player = "discord:1";
    let month = |month: i64| events::renewed(player, &format!("m{month}"), month);
    town.send(&events::subscribed(player, "m0")).await;
    town.send(&month(0)).await;
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    assert_eq!(town.credits(player).await, credits(20, 0));

    town.send(&events::bought(player, "b50", "bulk_50")).await;
    town.settle().await;
    town.spend(player, "january", 15).await;
    assert_eq!(town.credits(player).await, credits(5, 50));
    town.send(&month(1)).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(20, 50));

    town.send(&events::bought(player, "b100", "bulk_100")).await;
    town.send(&events::bought(player, "b250", "bulk_250")).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(20, 400));
    town.spend(player, "march", 30).await;
    assert_eq!(town.credits(player).await, credits(0, 390), "the subscription is spent first");

    for of in [5, 4, 5, 4, 2] {
        town.send(&month(of)).await;
        town.settle().await;
    }
    assert_eq!(town.credits(player).await, credits(20, 390));
    town.spend(player, "june", 20).await;
    town.send(&month(4)).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(0, 390), "May's renewal after June's changes nothing");

    town.send(&events::refunded("b100", 500)).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(0, 340));
    town.send(&events::disputed("b250")).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(0, 90));
    town.send(&events::decided("b250", "won")).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(0, 340));

    town.spend(player, "october", 340).await;
    town.send(&events::refunded("b50", 1_000)).await;
    town.settle().await;
    assert_eq!(town.credits(player).await.owed, 50, "it was spent");
    town.send(&events::bought(player, "late", "bulk_100")).await;
    town.settle().await;
    assert_eq!(town.credits(player).await, credits(0, 50), "what is owed is paid first");
    town.send(&month(11)).await;
    town.send(&events::changed(player, "m11", "deleted")).await;
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    assert_eq!(town.credits(player).await, credits(20, 50));
    town.verify();
}

/// Every event of the year twice, shuffled, at every copy at once, for many players: one end.
async fn a_year_in_any_order(town: Town) {
    let town = Arc::new(town);
    let mut players = JoinSet::new();
    for seed in 0..8_u64 {
        let town = Arc::clone(&town);
        players.spawn(async move {
            let player = format!("discord:{seed}");
            let object = |name: &str| format!("p{seed}{name}");
            let mut year: Vec<String> =
                (0..12).map(|month| events::renewed(&player, &object(&format!("m{month}")), month)).collect();
            for (name, price) in [("b50", "bulk_50"), ("b100", "bulk_100"), ("b250", "bulk_250")] {
                year.push(events::bought(&player, &object(name), price));
            }
            year.push(events::subscribed(&player, &object("m0")));
            year.extend(["updated", "deleted"].map(|how| events::changed(&player, &object("m11"), how)));
            year.extend([250, 500].map(|amount| events::refunded(&object("b100"), amount)));
            year.extend([events::disputed(&object("b250")), events::decided(&object("b250"), "won")]);
            year.extend([events::disputed(&object("b50")), events::decided(&object("b50"), "lost")]);
            let mut sent = [year.clone(), year].concat();
            sent.shuffle(&mut StdRng::seed_from_u64(seed));
            for event in &sent {
                town.send(event).await;
            }
            player
        });
    }
    let players = players.join_all().await;
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    for player in players {
        // 50 were lost, half of 100 paid back, 250 won.
        assert_eq!(town.credits(&player).await, credits(20, 300), "{player}");
    }
    town.verify();
}
