//! What three services tell of summons agrees: what was drawn came, once, and what was held was taken, or given back.

use std::collections::BTreeMap;

use auric_api::events::v1::event::Payload;
use auric_api::wallet::v1::HoldState;
use futures::future::join_all;

use super::told::{collection_told, everything_told};
use crate::summon::town::{Town, ask};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_sqlite() {
    three_services_tell_the_same_of_summons(Town::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_postgres() {
    three_services_tell_the_same_of_summons(Town::postgres(3).await).await;
}

async fn three_services_tell_the_same_of_summons(town: Town) {
    const PLAYERS: usize = 6;
    const SUMMONS: usize = 8;
    for player in 0..PLAYERS {
        // Enough for some of them: refusals tell nothing.
        town.grant(&format!("told-{player}"), "azurites", 160 * 14).await;
    }
    let clicks = (0..PLAYERS * SUMMONS).map(|click| {
        let player = format!("told-{}", click % PLAYERS);
        let count = if click % 4 == 0 { 10 } else { 1 };
        let ask = ask(&player, &format!("click-{click}"), "standard", Some("azurites"), count);
        let town = &town;
        async move { town.ask(click, &ask).await }
    });
    join_all(clicks).await;
    town.settled().await;

    let [at_wallet, at_collection, at_summon] = town.addresses();
    let mut drawn: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut operations = BTreeMap::new();
    let mut numbers: BTreeMap<String, i64> = BTreeMap::new();
    for event in everything_told(at_summon, "summon").await {
        let Some(Payload::PullsDrawn(told)) = event.payload else { panic!("{event:?}") };
        assert!(operations.insert(told.operation_id.clone(), told.pulls.len()).is_none(), "told once a summon");
        for pull in told.pulls {
            let number = numbers.entry(event.player_id.clone()).or_default();
            *number += 1;
            assert_eq!(pull.number, *number, "the log of {} in its order", event.player_id);
            drawn.insert(pull.esprit_id, (event.player_id.clone(), pull.species_id));
        }
    }
    assert!(!drawn.is_empty());

    let mut came = BTreeMap::new();
    for player in 0..PLAYERS {
        for (id, esprit) in collection_told(at_collection, &format!("told-{player}")).await.esprits {
            came.insert(id, (esprit.player_id, esprit.species_id));
        }
    }
    assert_eq!(came, drawn, "what was drawn came, and nothing else");

    let mut holds: BTreeMap<String, Vec<HoldState>> = BTreeMap::new();
    for event in everything_told(at_wallet, "wallet").await {
        if let Some(Payload::Hold(hold)) = event.payload {
            holds.entry(hold.hold_id.clone()).or_default().push(hold.state());
        }
    }
    for operation in operations.keys() {
        let told = holds.remove(&format!("summon:{operation}"));
        assert_eq!(told, Some(vec![HoldState::Held, HoldState::Committed]), "{operation} is paid");
    }
    // What took too long is given up, and begun again as another operation.
    for (hold, told) in holds {
        let is_given_back = told == [HoldState::Held, HoldState::Released] || told == [HoldState::Voided];
        assert!(is_given_back, "nothing was drawn for {hold}: {told:?}");
    }
    town.stop().await;
}
