//! What players are told of odds is what the engine draws with, over real gRPC (R-S3), and pulls are found again.

use auric_api::summon::v1 as api;
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_status::Problem;
use auric_summon::domain::{Simulation, Tally};
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::town::Town;

type Client = SummonServiceClient<Channel>;

fn problem<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Problem {
    Problem::from_status(&answer.expect_err("it is refused"))
}

async fn odds(client: &mut Client, banner: &str, player: &str) -> api::Odds {
    let request = api::GetOddsRequest {
        banner_id: banner.to_owned(),
        player_id: player.to_owned(),
        with_curves: true,
        ..api::GetOddsRequest::default()
    };
    client.get_odds(request).await.expect("odds").into_inner().odds.expect("odds")
}

async fn summon(client: &mut Client, banner: &str, key: &str, count: i32) -> api::Summon {
    let request = api::SummonRequest {
        idempotency_key: key.to_owned(),
        player_id: "p".to_owned(),
        banner_id: banner.to_owned(),
        count,
        ..api::SummonRequest::default()
    };
    client.summon(request).await.expect("delivered").into_inner().summon.expect("a summon")
}

fn greatest(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The sum of fractions, in lowest terms.
fn sum<'a>(fractions: impl Iterator<Item = &'a Option<api::Fraction>>) -> (u128, u128) {
    fractions.fold((0, 1), |(over, under), fraction| {
        let fraction = fraction.as_ref().expect("a chance");
        let (a, b): (u128, u128) =
            (fraction.numerator.parse().expect("a number"), fraction.denominator.parse().expect("a number"));
        let (over, under) = (over * b + a * under, under * b);
        let by = greatest(over, under);
        (over / by, under / by)
    })
}

/// From pull to pull the odds are exactly those of `GetPity`, and all of them are one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_odds_of_the_next_pull_are_whole_and_those_of_the_pity() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    town.grant("p", "azurites", 160 * 25).await;
    town.grant("p", "aether", 300 * 25).await;
    for round in 0..25 {
        for banner in ["standard", "premium"] {
            let told = odds(&mut client, banner, "p").await;
            let next = told.next.expect("the next pull");
            assert_eq!(next.tiers.iter().map(|tier| tier.chance_ppb).sum::<i64>(), 1_000_000_000);
            assert_eq!(sum(next.tiers.iter().map(|tier| &tier.chance)), (1, 1));
            assert_eq!(sum(next.items.iter().map(|item| &item.chance)), (1, 1));
            let request = api::GetPityRequest { player_id: "p".to_owned(), banner_id: banner.to_owned() };
            let pity = client.get_pity(request).await.expect("a pity").into_inner().pity.expect("a pity");
            let chances: Vec<(String, i64)> =
                pity.tiers.iter().map(|tier| (tier.rarity.clone(), i64::from(tier.chance_ppb))).collect();
            let found: Vec<(String, i64)> =
                next.tiers.iter().map(|tier| (tier.rarity.clone(), tier.chance_ppb)).collect();
            assert_eq!(found, chances);
            // What is left until the hard pity follows the counter, and the curve starts with the next pull.
            let count = pity.tiers.iter().find(|tier| tier.rarity == "legendary").expect("a tier").count;
            let wait = |rarity: &str| {
                told.waits.iter().find(|wait| wait.rarity == rarity && !wait.featured).cloned().expect("a wait")
            };
            let legendary = wait("legendary");
            let hard_at = if banner == "standard" { 90 } else { 80 };
            let (start, now) = (legendary.from_start.expect("a wait"), legendary.from_now.expect("a wait"));
            if banner == "standard" {
                assert_eq!(start.worst_pulls, Some(hard_at));
                assert_eq!(now.worst_pulls, Some(hard_at - i64::from(count)));
                let first = next.tiers.iter().find(|tier| tier.rarity == "legendary").expect("a tier");
                assert_eq!(now.curve_ppb[0], first.chance_ppb);
            }
            summon(&mut client, banner, &format!("{banner}-{round}"), 1).await;
        }
    }
    let fresh = odds(&mut client, "standard", "").await;
    assert_eq!(fresh.waits[0].from_now, None);
    let long_run = fresh.long_run.expect("a long run");
    let parts = |rate: &str| -> i128 { rate.replace('.', "").parse().expect("a number") };
    let whole: i128 = long_run.tiers.iter().map(|tier| parts(&tier.rate)).sum();
    assert!((whole - 1_000_000_000_000).abs() <= 5, "{long_run:?}");
    assert_eq!(long_run.error_max, "0.000000000001");
    town.stop().await;
}

/// A simulation tells how far it is, draws the same again, and what it counts fits what is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_simulation_is_the_engine_from_a_seed() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    let request = api::SimulateRequest {
        banner_id: "standard".to_owned(),
        count: 10,
        pulls: 600_000,
        seed: 8,
        ..api::SimulateRequest::default()
    };
    let mut told = Vec::new();
    let mut stream = client.simulate(request).await.expect("a stream").into_inner();
    while let Some(progress) = stream.next().await {
        told.push(progress.expect("progress"));
    }
    let pulls: Vec<i64> = told.iter().map(|told| told.tally.as_ref().expect("a tally").pulls).collect();
    assert_eq!(pulls, [250_000, 500_000, 600_000]);
    assert_eq!(told.iter().map(|told| told.done).collect::<Vec<_>>(), [false, false, true]);

    let loaded = auric_summon::catalog::load(town.game()).expect("a catalog");
    let banner = loaded.banners.get(&"standard".parse().expect("an id")).expect("a banner");
    let mut expected = Tally::new(banner);
    Simulation::new(banner, &banner.costs[0], 10, &auric_summon::domain::Pity::default(), 8)
        .take(600_000)
        .for_each(|drawn| expected.note(&drawn));
    let found = told.pop().and_then(|last| last.tally).expect("a tally");
    let hits: Vec<(String, i64)> = found.items.iter().map(|item| (item.species_id.clone(), item.hits)).collect();
    let expected: Vec<(String, i64)> =
        expected.items.iter().map(|item| (item.species.to_string(), item.hits.try_into().expect("it fits"))).collect();
    assert_eq!(hits, expected);

    let request = api::GetOddsRequest { banner_id: "standard".to_owned(), count: 10, ..api::GetOddsRequest::default() };
    let long_run = client.get_odds(request).await.expect("odds").into_inner().odds.and_then(|odds| odds.long_run);
    for (tier, share) in found.tiers.iter().zip(long_run.expect("a long run").tiers) {
        let rate: f64 = share.rate.parse().expect("a number");
        let (mean, hits) = (rate * 600_000.0, f64::from(i32::try_from(tier.hits).expect("it fits")));
        assert!((hits - mean).abs() < 6.0 * mean.sqrt(), "{}: {hits} hits, {mean} on the average", tier.rarity);
    }
    let legendary = found.tiers.iter().find(|tier| tier.rarity == "legendary").expect("a tier");
    assert!((60..=90).contains(&legendary.longest_pulls), "{legendary:?}");
    town.stop().await;
}

/// Every pull is found by what it is, page by page in either order, and all of them are exported.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pulls_are_found_by_what_they_are() {
    for town in [Town::patient_sqlite().await, Town::patient(1).await] {
        let mut client = town.summon_client().await;
        town.grant("p", "aether", 300 * 60).await;
        for round in 0..6 {
            summon(&mut client, "premium", &format!("s{round}"), 10).await;
        }
        let all = exported(&mut client, None).await;
        assert_eq!(all.iter().map(|pull| pull.number).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
        let epic = |pull: &&api::Pull| pull.rarity == "epic";
        let middle = all[30].create_time;
        let is_later = |pull: &api::Pull| {
            let key = |time: Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos));
            key(pull.create_time) >= key(middle)
        };
        let rarity = || api::PullFilter { rarity: "epic".to_owned(), ..api::PullFilter::default() };
        let species = all[7].species_id.clone();
        let cases: Vec<(api::PullFilter, Vec<i64>)> = vec![
            (rarity(), all.iter().filter(epic).map(|pull| pull.number).collect()),
            (
                api::PullFilter { featured: Some(false), ..rarity() },
                all.iter().filter(epic).filter(|pull| pull.featured == Some(false)).map(|pull| pull.number).collect(),
            ),
            (
                api::PullFilter { species_id: species.clone(), ..api::PullFilter::default() },
                all.iter().filter(|pull| pull.species_id == species).map(|pull| pull.number).collect(),
            ),
            (
                api::PullFilter { start_time: middle, ..api::PullFilter::default() },
                all.iter().filter(|pull| is_later(pull)).map(|pull| pull.number).collect(),
            ),
            (
                api::PullFilter { end_time: middle, ..api::PullFilter::default() },
                all.iter().filter(|pull| !is_later(pull)).map(|pull| pull.number).collect(),
            ),
            (api::PullFilter { banner_id: "standard".to_owned(), ..api::PullFilter::default() }, vec![]),
        ];
        for (filter, expected) in cases {
            let found: Vec<i64> =
                exported(&mut client, Some(filter.clone())).await.iter().map(|row| row.number).collect();
            assert_eq!(found, expected, "{filter:?}");
            assert_eq!(listed(&mut client, &filter, true).await, expected, "{filter:?}");
            let backwards: Vec<i64> = expected.into_iter().rev().collect();
            assert_eq!(listed(&mut client, &filter, false).await, backwards, "{filter:?}");
        }
        town.stop().await;
    }
}

async fn exported(client: &mut Client, filter: Option<api::PullFilter>) -> Vec<api::Pull> {
    let (player_id, pity_group_id) = ("p".to_owned(), "premium".to_owned());
    let request = api::ExportPullsRequest { player_id, pity_group_id, filter };
    let mut stream = client.export_pulls(request).await.expect("a stream").into_inner();
    let mut pulls = Vec::new();
    while let Some(some) = stream.next().await {
        pulls.extend(some.expect("pulls").pulls);
    }
    pulls
}

async fn listed(client: &mut Client, filter: &api::PullFilter, oldest_first: bool) -> Vec<i64> {
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListPullsRequest {
            player_id: "p".to_owned(),
            pity_group_id: "premium".to_owned(),
            page_size: 7,
            page_token,
            filter: Some(filter.clone()),
            oldest_first,
        };
        let page = client.list_pulls(request).await.expect("pulls").into_inner();
        numbers.extend(page.pulls.iter().map(|pull| pull.number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return numbers;
        }
    }
}

/// Every bad field is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_question_that_does_not_fit_names_its_fields() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    let fields = |problem: Problem| {
        assert_eq!(problem.code, Code::InvalidArgument, "{problem:?}");
        problem.bad_fields.into_iter().map(|field| field.path).collect::<Vec<_>>()
    };
    let bad = api::GetOddsRequest { player_id: "a b".to_owned(), count: 101, ..api::GetOddsRequest::default() };
    assert_eq!(fields(problem(client.get_odds(bad).await)), ["banner_id", "player_id", "count"]);
    let of = |cost: &str, count| api::GetOddsRequest {
        banner_id: "standard".to_owned(),
        cost_id: cost.to_owned(),
        count,
        ..api::GetOddsRequest::default()
    };
    assert_eq!(fields(problem(client.get_odds(of("gold", 1)).await)), ["cost_id"]);
    assert_eq!(fields(problem(client.get_odds(of("azurites", 7)).await)), ["count"]);
    let unknown = api::GetOddsRequest { banner_id: "none".to_owned(), ..api::GetOddsRequest::default() };
    assert_eq!(problem(client.get_odds(unknown).await).reason, "BANNER_NOT_FOUND");
    for pulls in [0, -1, 10_000_001] {
        let bad = api::SimulateRequest { banner_id: "standard".to_owned(), pulls, ..api::SimulateRequest::default() };
        assert_eq!(fields(problem(client.simulate(bad).await)), ["pulls"]);
    }
    let far = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: -1 });
    let filter = api::PullFilter { rarity: "No".to_owned(), end_time: far, ..api::PullFilter::default() };
    let bad = api::ExportPullsRequest { filter: Some(filter), ..api::ExportPullsRequest::default() };
    let named = fields(problem(client.export_pulls(bad).await));
    assert_eq!(named, ["player_id", "pity_group_id", "filter.rarity", "filter.end_time"]);
    let bad = api::VerifyPullRequest::default();
    assert_eq!(fields(problem(client.verify_pull(bad).await)), ["player_id", "pity_group_id", "number"]);
    let bad =
        api::GetFairnessRequest { page_token: "zz".to_owned(), page_size: -1, ..api::GetFairnessRequest::default() };
    assert_eq!(fields(problem(client.get_fairness(bad).await)), ["player_id", "page_token", "page_size"]);
    town.stop().await;
}
