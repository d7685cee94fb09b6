//! Spark points: taken once, for what the banner offers, whatever happens at the same time or in between (R-S2, R-S3, R-W6).

use auric_api::summon::v1 as api;
use auric_status::Problem;
use auric_summon::domain::{Pity, Refusal};
use auric_twophase::Decision;
use futures::StreamExt as _;
use futures::future::join_all;
use tonic::Code;

use super::faults::{self, Fault};
use super::town::{SPARK_PRICE, Town, ask, cheap_sparks, exchange, is_delivered};

/// What a pull from the premium banner costs.
const PULL: i64 = 300;

/// Makes a test of each law for each store: three copies on PostgreSQL, one on SQLite.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            use super::{Town, cheap_sparks};

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                let game = cheap_sparks();
                super::$law(Town::patient_sqlite_in(game.path()).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                let game = cheap_sparks();
                super::$law(Town::postgres_in(3, game.path()).await).await;
            }
        }
    )+};
}

on_every_store!(points_for_one_buy_one_however_many_ask, what_is_not_offered_is_refused_and_named);

/// Draws for as many points as one item costs.
async fn earn(town: &Town, player: &str) -> Vec<auric_summon::Summoned> {
    town.grant(player, "aether", PULL * SPARK_PRICE).await;
    let mut answers = Vec::new();
    for number in 0..SPARK_PRICE {
        answers.push(town.ask(0, &ask(player, &format!("{player}:{number}"), "premium", None, 1)).await);
    }
    answers
}

fn problem<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Problem {
    Problem::from_status(&answer.expect_err("it was not refused"))
}

fn exchange_request(key: &str, banner: &str, species: &str) -> api::ExchangeSparkRequest {
    api::ExchangeSparkRequest {
        idempotency_key: key.to_owned(),
        player_id: "p".to_owned(),
        banner_id: banner.to_owned(),
        species_id: species.to_owned(),
    }
}

async fn points_for_one_buy_one_however_many_ask(town: Town) {
    let mut answers = earn(&town, "p").await;
    let clicks = (0..8).map(|click| {
        let (town, ask) = (&town, exchange("p", &format!("spark:{click}"), "premium", "aurelion"));
        // Each click goes twice, to two copies: a twin gets the one answer.
        async move {
            let (one, other) = tokio::join!(town.ask(click % 3, &ask), town.ask((click + 1) % 3, &ask));
            assert_eq!(one.operation.decision, other.operation.decision, "a twin got another answer");
            one
        }
    });
    let exchanges = join_all(clicks).await;
    assert_eq!(exchanges.iter().filter(|answer| is_delivered(answer)).count(), 1);
    for refused in exchanges.iter().filter(|answer| !is_delivered(answer)) {
        let Some(Decision::Refuse(text)) = &refused.operation.decision else { panic!("{refused:?}") };
        let refusal: Refusal = serde_json::from_str(text).expect("a refusal");
        assert_eq!(refusal.reason(), "INSUFFICIENT_SPARK_POINTS");
    }
    answers.extend(exchanges);
    town.check_player("p", &[("aether", PULL * SPARK_PRICE)], &answers).await;

    let pulls = town.pulls("p", "premium").await;
    let taken = pulls.last().expect("a pull");
    let [before, after] =
        [&taken.pull.before, &taken.pull.after].map(|text| serde_json::from_str::<Pity>(text).expect("a pity"));
    assert_eq!(before.spark_points, u64::try_from(SPARK_PRICE).expect("it fits"));
    assert_eq!(after, Pity { spark_points: 0, ..before }, "an exchange changes the points and nothing else");

    // Proved for what it is, before any seed is shown.
    let mut client = town.summon_client().await;
    let number = i64::try_from(pulls.len()).expect("it fits");
    let verify =
        |number| api::VerifyPullRequest { player_id: "p".to_owned(), pity_group_id: "premium".to_owned(), number };
    let proof = client.verify_pull(verify(number)).await.expect("a proof").into_inner();
    assert_eq!(proof, api::VerifyPullResponse { verified: true, exchanged: true, ..proof.clone() });
    assert_eq!((proof.receipt.as_str(), proof.fault.as_str()), ("", ""));
    let drawn = client.verify_pull(verify(number - 1)).await.expect("a proof").into_inner();
    assert!(!drawn.exchanged && !drawn.receipt.is_empty(), "{drawn:?}");

    town.settled().await;
    town.check_ends().await;
    town.stop().await;
}

async fn what_is_not_offered_is_refused_and_named(town: Town) {
    let mut client = town.summon_client().await;
    for (banner, species) in [("premium", "emberling"), ("standard", "nerissa"), ("premium", ""), ("premium", "a b")] {
        let refused = problem(client.exchange_spark(exchange_request("bad", banner, species)).await);
        assert_eq!((refused.code, refused.bad_fields[0].path.as_str()), (Code::InvalidArgument, "species_id"));
    }
    let refused = problem(client.exchange_spark(exchange_request("bad", "nowhere", "nerissa")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "BANNER_NOT_FOUND"));

    // Nothing was stored under the key; what a rule says is, for ever.
    let poor = problem(client.exchange_spark(exchange_request("bad", "premium", "nerissa")).await);
    assert_eq!((poor.code, poor.reason.as_str()), (Code::FailedPrecondition, "INSUFFICIENT_SPARK_POINTS"));
    assert_eq!((poor.metadata["points"].as_str(), poor.metadata["price_points"].as_str()), ("0", "3"));
    earn(&town, "p").await;
    let replayed = problem(client.exchange_spark(exchange_request("bad", "premium", "nerissa")).await);
    assert_eq!(replayed, poor);

    // A key is of one request, whatever its method.
    let summon = api::SummonRequest {
        idempotency_key: "bad".to_owned(),
        player_id: "p".to_owned(),
        banner_id: "premium".to_owned(),
        ..api::SummonRequest::default()
    };
    let other = problem(client.summon(summon.clone()).await);
    assert_eq!((other.code, other.metadata["first_method"].as_str()), (Code::AlreadyExists, "ExchangeSpark"));
    let taken = client.exchange_spark(exchange_request("good", "premium", "nerissa")).await.expect("taken");
    let taken = taken.into_inner().summon.expect("a summon");
    assert_eq!((taken.spark_species_id.as_str(), taken.cost_id.as_str(), taken.price.clone()), ("nerissa", "", None));
    assert!(taken.pulls[0].exchanged && taken.pulls[0].species_id == "nerissa", "{taken:?}");
    let other = problem(client.exchange_spark(exchange_request("good", "premium", "aurelion")).await);
    assert_eq!(
        (other.metadata["fields"].as_str(), other.metadata["first_method"].as_str()),
        ("species_id", "ExchangeSpark")
    );
    town.stop().await;
}

/// Breaks an exchange in one place, asks until its key has an answer, and finds that points and esprit changed hands once.
async fn check(town: &Town, player: &str, fault: Fault) -> usize {
    let mut answers = earn(town, player).await;
    town.faults.plan(player, &[fault]);
    let ask = exchange(player, &format!("spark:{player}"), "premium", "nerissa");
    let first = town.ask(0, &ask).await;
    assert!(is_delivered(&first), "{player}, {fault:?}: {first:?}");
    let second = town.ask(0, &ask).await;
    assert_eq!(first.operation.decision, second.operation.decision, "{player}, {fault:?}: another answer");
    answers.push(second);
    town.check_player(player, &[("aether", PULL * SPARK_PRICE)], &answers).await;
    town.faults.happened_to(player).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exchange_that_breaks_anywhere_takes_the_points_once() {
    let game = cheap_sparks();
    let town = Town::sqlite_in(game.path()).await;
    let all = faults::all(&["wallet", "collection"]);
    let size = all.len();
    let checks = all.into_iter().enumerate().map(|(index, fault)| {
        let town = &town;
        async move { check(town, &format!("cell-{index}"), fault).await }
    });
    let happened: usize = futures::stream::iter(checks).buffer_unordered(28).fold(0, async |sum, one| sum + one).await;
    assert_eq!(happened, size, "a fault did not happen");
    town.faults.nothing_is_under_way().await;
    town.settled().await;
    town.check_ends().await;
    town.stop().await;
}
