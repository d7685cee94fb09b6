//! What callers are told, over real gRPC: replays, refusals, bad fields, and summons that take longer than their caller waits.

use std::time::Duration;

use auric_api::summon::v1 as api;
use auric_status::Problem;
use auric_twophase::Step;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status};

use super::faults::{Fault, How};
use super::town::Town;

fn summon(player: &str, key: &str) -> api::SummonRequest {
    api::SummonRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        banner_id: "standard".to_owned(),
        ..api::SummonRequest::default()
    }
}

fn within(request: api::SummonRequest, time: Duration) -> Request<api::SummonRequest> {
    let mut request = Request::new(request);
    request.set_timeout(time);
    request
}

fn is_replayed<T>(answer: &Result<Response<T>, Status>) -> bool {
    let metadata = match answer {
        Ok(response) => response.metadata(),
        Err(status) => status.metadata(),
    };
    metadata.get("auric-replayed").is_some_and(|mark| mark == "true")
}

fn problem<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Problem {
    Problem::from_status(&answer.expect_err("it is refused"))
}

/// The second caller with the same key gets the very same answer, success or refusal (R-W5).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_gets_the_same_answer_and_another_request_under_it_none() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    town.grant("p", "azurites", 160).await;

    let first = client.summon(summon("p", "k1")).await;
    assert!(!is_replayed(&first));
    let first = first.expect("delivered").into_inner().summon.expect("a summon");
    assert_eq!((first.state(), first.pulls.len(), first.attempt), (api::SummonState::Delivered, 1, 1));
    let again = client.summon(summon("p", "k1")).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect("delivered").into_inner().summon, Some(first.clone()));

    let refused = client.summon(summon("p", "k2")).await;
    assert!(!is_replayed(&refused));
    let refused = problem(refused);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
    assert_eq!((refused.metadata["available"].as_str(), refused.metadata["asked"].as_str()), ("0", "160"));
    // Money that comes later changes nothing: the key has its answer.
    town.grant_under("p", "azurites", 160, "later").await;
    let again = client.summon(summon("p", "k2")).await;
    assert!(is_replayed(&again));
    assert_eq!(problem(again), refused);

    let other = client.summon(api::SummonRequest { count: 10, ..summon("p", "k1") }).await;
    let other = problem(other);
    assert_eq!((other.code, other.reason.as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(other.metadata["fields"], "count");

    let found = client.get_summon(by_key("k1")).await.expect("it is there").into_inner().summon.expect("a summon");
    assert_eq!(found, first);
    let found = client.get_summon(by_key("k2")).await.expect("it is there").into_inner().summon.expect("a summon");
    assert_eq!((found.state(), found.refusal.as_str()), (api::SummonState::Refused, "INSUFFICIENT_FUNDS"));
    let nobody = problem(client.get_summon(by_key("k3")).await);
    assert_eq!((nobody.code, nobody.reason.as_str()), (Code::NotFound, "SUMMON_NOT_FOUND"));
    town.stop().await;
}

fn by_key(key: &str) -> api::GetSummonRequest {
    api::GetSummonRequest { idempotency_key: key.to_owned(), ..api::GetSummonRequest::default() }
}

/// Every bad field is named, nothing is written, and nothing panics.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_does_not_fit_names_its_fields_and_leaves_nothing() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    let cases = [
        (api::SummonRequest::default(), vec!["idempotency_key"]),
        (summon("", "k"), vec!["player_id"]),
        (
            api::SummonRequest { banner_id: "No Banner".to_owned(), ..summon("a b", "k") },
            vec!["player_id", "banner_id"],
        ),
        (api::SummonRequest { count: -1, ..summon("p", "k") }, vec!["count"]),
        (api::SummonRequest { count: 7, ..summon("p", "k") }, vec!["count"]),
        (api::SummonRequest { count: i32::MAX, ..summon("p", "k") }, vec!["count"]),
        (api::SummonRequest { cost_id: "gold".to_owned(), ..summon("p", "k") }, vec!["cost_id"]),
        (api::SummonRequest { cost_id: "free".to_owned(), count: 10, ..summon("p", "k") }, vec!["count"]),
        (summon("p", "a key"), vec!["idempotency_key"]),
    ];
    for (request, fields) in cases {
        let refused = problem(client.summon(request.clone()).await);
        let named: Vec<&str> = refused.bad_fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!((refused.code, named), (Code::InvalidArgument, fields), "{request:?}");
    }
    let unknown = problem(client.summon(api::SummonRequest { banner_id: "none".to_owned(), ..summon("p", "k") }).await);
    assert_eq!((unknown.code, unknown.reason.as_str()), (Code::NotFound, "BANNER_NOT_FOUND"));
    let unknown = api::GetPityRequest { player_id: "p".to_owned(), banner_id: "none".to_owned() };
    assert_eq!(problem(client.get_pity(unknown).await).reason, "BANNER_NOT_FOUND");
    let token = api::ListPullsRequest {
        player_id: "p".to_owned(),
        pity_group_id: "standard".to_owned(),
        page_size: 501,
        page_token: "zz".to_owned(),
        ..api::ListPullsRequest::default()
    };
    let refused = problem(client.list_pulls(token).await);
    let named: Vec<&str> = refused.bad_fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(named, ["page_token", "page_size"]);
    let retry = api::RetryOperationRequest { player_id: "p".to_owned(), operation_id: "0".repeat(32) };
    assert_eq!(problem(client.retry_operation(retry).await).reason, "OPERATION_NOT_FOUND");
    assert!(town.operations().await.is_empty(), "something was written");
    town.stop().await;
}

/// A caller that cannot wait is told the outcome as soon as it is decided, and nothing before (DESIGN, two-phase).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_summon_that_is_decided_is_told_before_it_is_delivered_and_one_that_is_not_is_not() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    for (player, step) in [("decided", Step::Finish), ("open", Step::Prepare)] {
        town.grant(player, "azurites", 160).await;
        town.faults.plan(player, &[Fault { step, participant: Some("collection"), how: How::DiesBefore }]);
    }
    // However long it takes until it is decided: before that there is nothing to tell.
    let told = loop {
        match client.summon(within(summon("decided", "decided"), Duration::from_millis(600))).await {
            Ok(told) => break told.into_inner().summon.expect("a summon"),
            Err(status) => assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}"),
        }
    };
    assert_eq!((told.state(), told.pulls.len()), (api::SummonState::Delivering, 1));
    let open = problem(client.summon(within(summon("open", "open"), Duration::from_millis(900))).await);
    assert!(matches!(open.code, Code::Unavailable | Code::DeadlineExceeded), "{open:?}");

    // An operator sees both, oldest first, and makes them due.
    let request = api::ListOperationsRequest::default();
    let listed = client.list_operations(request).await.expect("operations").into_inner().operations;
    let states: Vec<(&str, &str)> =
        listed.iter().map(|operation| (operation.player_id.as_str(), operation.state.as_str())).collect();
    assert_eq!(states, [("decided", "committing"), ("open", "preparing")]);
    let mut watched = watch(&town, "decided").await;
    let seen = watched.next().await.expect("a state").expect("it is there").summon.expect("a summon");
    assert_eq!(seen.state(), api::SummonState::Delivering);
    for operation in listed {
        let api::Operation { player_id, operation_id, .. } = operation;
        client.retry_operation(api::RetryOperationRequest { player_id, operation_id }).await.expect("it is due");
    }
    town.settled().await;
    let seen = watched.next().await.expect("a state").expect("it is there").summon.expect("a summon");
    assert_eq!((seen.state(), &seen.pulls), (api::SummonState::Delivered, &told.pulls), "what was told is what came");
    assert!(watched.next().await.is_none(), "it has ended");

    let found = client.get_summon(by_key("open")).await.expect("it is there").into_inner().summon.expect("a summon");
    assert_eq!((found.state(), found.attempt), (api::SummonState::GivenUp, 1));
    let again = client.summon(summon("open", "open")).await.expect("the next attempt").into_inner().summon;
    let again = again.expect("a summon");
    assert_eq!((again.state(), again.attempt), (api::SummonState::Delivered, 2));
    town.settled().await;
    town.check_ends().await;
    town.stop().await;
}

async fn watch(town: &Town, key: &str) -> tonic::Streaming<api::WatchSummonResponse> {
    let request = api::WatchSummonRequest { idempotency_key: key.to_owned(), ..api::WatchSummonRequest::default() };
    town.summon_client().await.watch_summon(request).await.expect("a stream").into_inner()
}

/// What the player sees is what the engine draws with (R-S1, R-S3): banners, prices, pity and pulls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn banners_pity_and_pulls_are_shown_as_they_are() {
    let town = Town::patient_sqlite().await;
    let mut client = town.summon_client().await;
    let banners = client.list_banners(api::ListBannersRequest {}).await.expect("banners").into_inner().banners;
    let price = |banner: &api::Banner| banner.costs.first().and_then(|cost| cost.price.clone()).expect("a price");
    let of = |id: &str| banners.iter().find(|banner| banner.banner_id == id).cloned().expect("a banner");
    assert_eq!(
        (price(&of("standard")).asset_id.as_str(), price(&of("premium")).asset_id.as_str()),
        ("azurites", "aether")
    );
    let got = client.get_banner(api::GetBannerRequest { banner_id: "standard".to_owned() }).await.expect("a banner");
    assert_eq!(got.into_inner().banner, Some(of("standard")));

    let pity = |banner: &str| api::GetPityRequest { player_id: "p".to_owned(), banner_id: banner.to_owned() };
    let before = client.get_pity(pity("standard")).await.expect("a pity").into_inner().pity.expect("a pity");
    assert_eq!((before.pulls, before.free_cost_ids.clone()), (0, vec!["free".to_owned()]));
    assert_eq!(before.tiers.iter().map(|tier| i64::from(tier.chance_ppb)).sum::<i64>(), 1_000_000_000);
    town.grant("p", "azurites", 1_600).await;
    let free = api::SummonRequest { cost_id: "free".to_owned(), ..summon("p", "free") };
    client.summon(free).await.expect("a free one");
    client.summon(api::SummonRequest { count: 10, ..summon("p", "ten") }).await.expect("ten");
    let after = client.get_pity(pity("standard")).await.expect("a pity").into_inner().pity.expect("a pity");
    assert_eq!((after.pulls, after.free_cost_ids.is_empty()), (10, true), "a free pull takes no part in pity");
    let legendary = |pity: &api::Pity| pity.tiers.iter().find(|tier| tier.rarity == "legendary").cloned();
    let bar = legendary(&after).expect("a tier");
    // Certain at pull 90, which is after 89 misses: then the bar is full.
    assert_eq!(i64::from(bar.filled_ppb), i64::from(bar.count) * 1_000_000_000 / 89, "{bar:?}");

    // Page by page, newest first, without a gap.
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let (player_id, pity_group_id) = ("p".to_owned(), "standard".to_owned());
        let request = api::ListPullsRequest {
            player_id,
            pity_group_id,
            page_size: 3,
            page_token,
            ..api::ListPullsRequest::default()
        };
        let page = client.list_pulls(request).await.expect("pulls").into_inner();
        numbers.extend(page.pulls.iter().map(|pull| pull.number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, (1..=11).rev().collect::<Vec<i64>>());
    town.stop().await;
}
