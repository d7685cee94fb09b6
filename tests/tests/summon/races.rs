//! Many summons at once, over three copies on one PostgreSQL database, and over one on SQLite (R-O5).

use std::sync::atomic::{AtomicBool, Ordering};

use auric_api::wallet::v1 as wallet;
use auric_summon::domain::{ClientSeed, FairDraws, Outcome, Pity, Plan, Refusal, ServerSeed, pulls};
use auric_summon::{Failed, Summoned};
use auric_twophase::{Decision, Step};
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use sqlx::{Connection as _, PgConnection};

use super::faults::{Fault, How};
use super::town::{Town, ask, game_copy, is_delivered};

/// Makes a test of each law for each store: three copies on PostgreSQL, one on SQLite.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            use super::Town;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law(Town::patient_sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law(Town::patient(3).await).await;
            }
        }
    )+};
}

on_every_store!(
    of_two_free_summons_at_once_one_is_free,
    fifty_clicks_with_money_for_seven_are_exactly_seven_summons,
    a_mixed_storm_for_one_player_keeps_every_count,
);

/// Why a summon was refused; nothing when it was delivered.
fn refusal(summoned: &Summoned) -> Option<String> {
    match &summoned.operation.decision {
        Some(Decision::Refuse(text)) => {
            Some(serde_json::from_str::<Refusal>(text).expect("a refusal").reason().to_owned())
        }
        _ => None,
    }
}

/// The earlier bots compared `last_free_summon` with now, and two clicks in one moment were both free (R-S4).
async fn of_two_free_summons_at_once_one_is_free(town: Town) {
    let players = 40;
    let pairs = (0..players).map(|index| {
        let (town, player) = (&town, format!("free-{index}"));
        async move {
            let clicks = (0..3).map(|copy| {
                let ask = ask(&player, &format!("{player}:{copy}"), "standard", Some("free"), 1);
                async move { town.ask(copy, &ask).await }
            });
            let answers = join_all(clicks).await;
            assert_eq!(answers.iter().filter(|answer| is_delivered(answer)).count(), 1, "{player}");
            let refused: Vec<String> = answers.iter().filter_map(refusal).collect();
            assert_eq!(refused, ["FREE_SUMMON_USED", "FREE_SUMMON_USED"], "{player}");
            town.check_player(&player, &[], &answers).await;
        }
    });
    join_all(pairs).await;
    town.settled().await;
    assert_eq!(town.check_ends().await, players * 3);
    town.stop().await;
}

/// A player who spams the button never gets a double draw, never pays twice, never loses a payment (R-S2, R-S5).
async fn fifty_clicks_with_money_for_seven_are_exactly_seven_summons(town: Town) {
    for (player, asset, price, cost) in [("rich", "azurites", 160, "azurites"), ("tokens", "summon_token", 1, "token")]
    {
        let granted = price * 7 + (price - 1);
        town.grant(player, asset, granted).await;
        let clicks = (0..50).map(|click| {
            let (town, ask) = (&town, ask(player, &format!("{player}:{click}"), "standard", Some(cost), 1));
            // Each click goes twice, to two copies: a twin gets the one answer.
            async move {
                let (one, other) = tokio::join!(town.ask(click % 3, &ask), town.ask((click + 1) % 3, &ask));
                assert_eq!(one.operation.decision, other.operation.decision, "a twin got another answer");
                one
            }
        });
        let answers = join_all(clicks).await;
        assert_eq!(answers.iter().filter(|answer| is_delivered(answer)).count(), 7, "{player}");
        let refused = answers.iter().filter_map(refusal).filter(|reason| reason == "INSUFFICIENT_FUNDS").count();
        assert_eq!(refused, 43, "{player}");
        town.check_player(player, &[(asset, granted)], &answers).await;
    }
    town.settled().await;
    town.check_ends().await;
    town.stop().await;
}

/// Summons, rewards and reads of one player at the same time (R-S3): every count is exact, and no read shows a jump.
async fn a_mixed_storm_for_one_player_keeps_every_count(town: Town) {
    let player = "storm";
    town.grant(player, "azurites", 100_000).await;
    let over = AtomicBool::new(false);
    let summons = async {
        let clicks = (0..40).map(|click| {
            let count = if click % 5 == 0 { 10 } else { 1 };
            let (town, ask) = (&town, ask(player, &format!("s:{click}"), "standard", None, count));
            async move { town.ask(click % 3, &ask).await }
        });
        let answers = join_all(clicks).await;
        over.store(true, Ordering::Relaxed);
        answers
    };
    let posts = async {
        let mut wallet = town.wallet.clone();
        for number in 0..60 {
            let leg = wallet::Leg {
                player_id: player.to_owned(),
                asset_id: "azurites".to_owned(),
                direction: wallet::Direction::Credit.into(),
                amount: 3,
                ..wallet::Leg::default()
            };
            let post = wallet::PostRequest {
                idempotency_key: format!("p:{number}"),
                legs: vec![leg],
                reason: "test".to_owned(),
                ..wallet::PostRequest::default()
            };
            wallet.post(post).await.expect("a post");
        }
    };
    let reads = async {
        let (mut looks, mut pulled) = (0_u32, 0);
        while !over.load(Ordering::Relaxed) {
            for copy in &town.copies {
                let banners = copy.banners();
                let banner = banners.get(&"standard".parse().expect("an id")).expect("a banner");
                let view = copy.pity(&banners, banner, &player.parse().expect("an id")).await.expect("a pity");
                assert!(view.pulls >= pulled, "pity went from {pulled} pulls back to {}", view.pulls);
                pulled = view.pulls;
                looks += 1;
            }
        }
        looks
    };
    let (answers, (), looks) = tokio::join!(summons, posts, reads);
    assert!(looks > 3, "nobody looked");
    assert!(answers.iter().all(is_delivered), "somebody was refused");
    town.settled().await;
    town.check_player(player, &[("azurites", 100_000 + 60 * 3)], &answers).await;
    assert_eq!(town.pulls(player, "standard").await.len(), 8 * 10 + 32);
    town.check_ends().await;
    town.stop().await;
}

/// Summons of many players at once never bleed into one another (R-S6).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_players_in_parallel_get_what_they_would_get_one_after_the_other() {
    const PLAYERS: usize = 1_000;
    let town = Town::patient(3).await;
    let players: Vec<String> = (0..PLAYERS).map(|index| format!("player-{index}")).collect();
    let town_of_all = &town;
    let played = stream::iter(&players).map(|player| async move {
        town_of_all.grant(player, "azurites", 1_920).await;
        let mut answers = Vec::new();
        for (number, count) in [1_u32, 10, 1].into_iter().enumerate() {
            let ask = ask(player, &format!("{player}:{number}"), "standard", None, count);
            answers.push(town_of_all.ask(number, &ask).await);
        }
        (player, answers)
    });
    let played: Vec<(&String, Vec<Summoned>)> = played.buffer_unordered(100).collect().await;

    let mut database = PgConnection::connect(&town.urls()[2]).await.expect("a connection");
    let seeds: Vec<(String, Vec<u8>, String)> =
        sqlx::query_as("SELECT player_id, server_seed, client_seed FROM players")
            .fetch_all(&mut database)
            .await
            .expect("seeds");
    assert_eq!(seeds.len(), PLAYERS);
    let banners = town.copies[0].banners();
    let banner = banners.get(&"standard".parse().expect("an id")).expect("a banner");
    for (player, answers) in played {
        let (_, server, client) = seeds.iter().find(|(id, ..)| id == player).expect("a seed");
        let server = ServerSeed::new(server.clone().try_into().expect("32 bytes"));
        let client = ClientSeed::parse(client).expect("a client seed");
        let mut pity = Pity::default();
        for (nonce, answer) in (0_u64..).zip(&answers) {
            let Some(Decision::Commit(outcome)) = &answer.operation.decision else { panic!("{player} was refused") };
            let outcome: Outcome = serde_json::from_str(outcome).expect("an outcome");
            let plan: Plan = serde_json::from_str(&answer.operation.plan).expect("a plan");
            let cost = banner.cost(plan.cost.as_ref().expect("it is drawn")).expect("a cost");
            let mut draws = FairDraws::new(&server, &client, nonce);
            let alone = pulls(banner, cost, plan.count, &pity, &mut draws);
            pity = alone.last().expect("a pull").after.clone();
            let alone: Vec<_> = alone.into_iter().map(|pulled| (pulled.species, pulled.draws)).collect();
            let here: Vec<_> = outcome.pulls.into_iter().map(|pull| (pull.species, pull.draws)).collect();
            assert_eq!(here, alone, "{player}: summon {nonce}");
        }
    }
    town.settled().await;
    let last = players.last().expect("a player");
    assert_eq!(town.balance(last, "azurites").await, (0, 0, 0));
    assert_eq!(town.check_ends().await, PLAYERS * 3);
    town.stop().await;
}

/// A summon is drawn from the catalog that it was begun under; what begins later sees the new one (R-P3).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_catalog_that_is_swapped_in_the_middle_changes_no_summon_that_has_begun() {
    let folder = game_copy();
    let town = Town::postgres_in(3, folder.path()).await;
    let before = town.copies[0].banners().hash;
    let players: Vec<String> = (0..30).map(|index| format!("swap-{index}")).collect();
    for player in &players {
        town.grant(player, "azurites", 1_600).await;
        // Their coordinators die before they have asked anybody: the next attempt is begun later.
        let step = if player.ends_with('0') { Step::Prepare } else { Step::Finish };
        town.faults.plan(player, &[Fault { step, participant: Some("wallet"), how: How::DiesBefore }]);
    }
    let begun = |player: &String| ask(player, &format!("{player}:1"), "standard", None, 1);
    let first = join_all(players.iter().map(|player| {
        let (town, ask) = (&town, begun(player));
        async move {
            let trace = "".parse().expect("a trace may be absent");
            let soon = Some(tokio::time::Instant::now() + std::time::Duration::from_millis(200));
            town.copies[0].summon(ask, &trace, soon).await
        }
    }))
    .await;
    assert!(first.iter().all(|answer| matches!(answer, Ok(_) | Err(Failed::Lane(_)))), "{first:?}");

    let banners = std::fs::read_to_string(folder.path().join("banners.toml")).expect("banners");
    let closed = banners.replace("[banners.standard]\n", "[banners.standard]\nis_enabled = false\n");
    assert_ne!(banners, closed);
    std::fs::write(folder.path().join("banners.toml"), closed).expect("written");
    for copy in &town.copies {
        copy.reload(town.game()).await.expect("a valid catalog");
    }

    let mut delivered = 0;
    for (player, copy) in players.iter().zip([0, 1, 2].into_iter().cycle()) {
        let answer = town.ask(copy, &begun(player)).await;
        match refusal(&answer) {
            // What was decided before is delivered, as it was drawn then.
            None => {
                let plan: Plan = serde_json::from_str(&answer.operation.plan).expect("a plan");
                assert_eq!(plan.catalog, before, "{player}");
                delivered += 1;
            }
            Some(reason) => assert_eq!(reason, "BANNER_CLOSED", "{player}"),
        }
        let late = town.ask(copy, &ask(player, &format!("{player}:2"), "standard", None, 1)).await;
        assert_eq!(refusal(&late).as_deref(), Some("BANNER_CLOSED"), "{player}");
        town.check_player(player, &[("azurites", 1_600)], &[answer, late]).await;
    }
    assert!(delivered >= 20, "only {delivered} had begun");
    town.settled().await;
    town.check_ends().await;
    town.stop().await;
}

/// However long nobody was there: what was decided is delivered, what was not is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operations_that_were_left_for_hours_end_as_they_were_decided() {
    // A lease of ten seconds: nobody takes anything up until its time is moved.
    let town = Town::patient(1).await;
    let left = [(Step::Prepare, "undecided"), (Step::Finish, "decided")];
    for (step, player) in left {
        town.grant(player, "azurites", 160).await;
        town.faults.plan(player, &[Fault { step, participant: Some("collection"), how: How::DiesBefore }]);
        let trace = "".parse().expect("a trace may be absent");
        let soon = Some(tokio::time::Instant::now() + std::time::Duration::from_millis(300));
        let click = ask(player, player, "standard", None, 1);
        let _ = town.copies[0].summon(click, &trace, soon).await;
    }
    let mut database = PgConnection::connect(&town.urls()[2]).await.expect("a connection");
    let moved = sqlx::query(
        "UPDATE operations
         SET begun_at = begun_at - interval '9 hours', decided_at = decided_at - interval '9 hours', due_at = due_at - interval '9 hours'
         WHERE done_at IS NULL",
    )
    .execute(&mut database)
    .await
    .expect("moved");
    assert_eq!(moved.rows_affected(), 2, "both are open");
    town.settled().await;
    let operations = town.operations().await;
    let of =
        |player: &str| operations.iter().find(|operation| operation.player.as_str() == player).expect("it is there");
    assert!(of("undecided").is_given_up(), "{:?}", of("undecided"));
    assert!(of("decided").state.is_commit(), "{:?}", of("decided"));
    assert_eq!(town.balance("undecided", "azurites").await, (160, 0, 0));
    assert_eq!(town.balance("decided", "azurites").await, (0, 0, 0));
    assert_eq!((town.esprits("undecided").await.len(), town.esprits("decided").await.len()), (0, 1));
    town.check_ends().await;
    town.stop().await;
}

/// A hold that nobody's log knows of, after a restore for one, is given back, and its operation can never be paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_held_for_an_operation_that_nobody_knows_is_given_back() {
    let town = Town::postgres(1).await;
    town.grant("orphan", "azurites", 500).await;
    let id = "0123456789abcdef0123456789abcdef";
    let from = wallet::BalanceRef {
        player_id: "orphan".to_owned(),
        asset_id: "azurites".to_owned(),
        ..wallet::BalanceRef::default()
    };
    let reserve = wallet::ReserveRequest {
        idempotency_key: format!("reserve:{id}"),
        hold_id: format!("summon:{id}"),
        legs: vec![wallet::HoldLeg { from: Some(from), to: None, amount: 160 }],
        whole: true,
        reason: "summon".to_owned(),
        ..wallet::ReserveRequest::default()
    };
    town.wallet_as("summon").await.reserve(reserve).await.expect("a hold");
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while town.balance("orphan", "azurites").await != (500, 0, 0) {
        assert!(tokio::time::Instant::now() < give_up, "it is still held");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    town.settled().await;
    let operations = town.operations().await;
    assert!(operations.iter().any(|operation| operation.id.as_str() == id && operation.is_given_up()));
    town.check_ends().await;
    town.stop().await;
}
