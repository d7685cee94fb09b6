//! What callers are told, over real gRPC: replays, refusals, bad fields, and operations that take longer than their caller waits.

use std::time::Duration;

use auric_api::collection::v1 as api;
use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_ids::EspritId;
use auric_status::Problem;
use auric_twophase::Step;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::estate::Estate;
use crate::operations::faults::{Fault, How};

type Client = CollectionServiceClient<Channel>;

fn upgrade(player: &str, key: &str, esprit: &EspritId) -> api::UpgradeEspritRequest {
    api::UpgradeEspritRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        esprit_id: esprit.to_string(),
        expected_version: 0,
    }
}

fn dissolve(player: &str, key: &str, preview_token: &str) -> api::DissolveEspritsRequest {
    api::DissolveEspritsRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        preview_token: preview_token.to_owned(),
    }
}

fn lock(player: &str, key: &str, esprit: &EspritId, locked: bool) -> api::SetLockRequest {
    api::SetLockRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        esprit_id: esprit.to_string(),
        locked,
        expected_version: 0,
    }
}

fn place(player: &str, key: &str, slot: i32, esprit: &str) -> api::SetTeamSlotRequest {
    api::SetTeamSlotRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        slot,
        esprit_id: esprit.to_owned(),
        expected_version: 0,
    }
}

async fn preview(client: &mut Client, player: &str, esprits: &[EspritId]) -> api::PreviewDissolveResponse {
    let esprit_ids = esprits.iter().map(ToString::to_string).collect();
    let request = api::PreviewDissolveRequest { player_id: player.to_owned(), esprit_ids };
    client.preview_dissolve(request).await.expect("a preview").into_inner()
}

fn within<T>(request: T, time: Duration) -> Request<T> {
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

/// What the call was told, without what every answer has.
fn told<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let Problem { code, reason, .. } = problem(answer);
    (code, reason)
}

fn fields<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Vec<String> {
    let refused = problem(answer);
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    refused.bad_fields.into_iter().map(|field| field.path).collect()
}

/// The second caller with the same key gets the very same answer (R-W5).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_gets_the_same_answer_and_another_request_under_it_none() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let ids = estate.endow("p", 4).await;
    estate.grant("p", "lumees", 50).await;

    let first = client.upgrade_esprit(upgrade("p", "up", &ids[0])).await;
    assert!(!is_replayed(&first));
    let first = first.expect("raised").into_inner().upgrade.expect("an upgrade");
    assert_eq!((first.level, first.state()), (2, api::OperationState::Done));
    assert_eq!(first.cost, [api::Units { asset_id: "lumees".to_owned(), amount: 50 }]);
    let again = client.upgrade_esprit(upgrade("p", "up", &ids[0])).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect("raised").into_inner().upgrade, Some(first));
    let other = problem(client.upgrade_esprit(upgrade("p", "up", &ids[1])).await);
    assert_eq!((other.code, other.reason.as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(other.metadata["fields"], "esprit_id");

    let shown = preview(&mut client, "p", &ids[2..]).await;
    let gone = client.dissolve_esprits(dissolve("p", "gone", &shown.preview_token)).await;
    let gone = gone.expect("dissolved").into_inner().dissolution.expect("a dissolution");
    assert_eq!((&gone.refund, gone.esprit_ids.len()), (&shown.refund, 2));
    let again = client.dissolve_esprits(dissolve("p", "gone", &shown.preview_token)).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect("dissolved").into_inner().dissolution, Some(gone));

    // One key, whatever it is for: an operation's is no change's, nor the other way round.
    let changed = client.set_lock(lock("p", "lock", &ids[0], true)).await.expect("locked").into_inner();
    let again = client.set_lock(lock("p", "lock", &ids[0], true)).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect("locked").into_inner(), changed);
    for (code, reason) in [
        told(client.set_lock(lock("p", "up", &ids[0], true)).await),
        told(client.upgrade_esprit(upgrade("p", "lock", &ids[0])).await),
        told(client.set_team_slot(place("p", "gone", 1, ids[0].as_str())).await),
    ] {
        assert_eq!((code, reason.as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
    }
    estate.settled().await;
    estate.check_ends().await;
    estate.stop().await;
}

/// A refusal that follows from state is the key's answer, however the state changes afterwards (R-W5, R-W12).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_is_given_again_after_its_reason_has_gone() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let ids = estate.endow("p", 4).await;

    let refused = problem(client.upgrade_esprit(upgrade("p", "poor", &ids[0])).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
    assert_eq!((refused.metadata["available"].as_str(), refused.metadata["asked"].as_str()), ("0", "50"));
    estate.grant("p", "lumees", 1_000).await;
    let again = client.upgrade_esprit(upgrade("p", "poor", &ids[0])).await;
    assert!(is_replayed(&again));
    assert_eq!(problem(again), refused);

    let stale = api::UpgradeEspritRequest { expected_version: 2, ..upgrade("p", "stale", &ids[0]) };
    let refused = problem(client.upgrade_esprit(stale.clone()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "STALE_VERSION"));
    client.upgrade_esprit(upgrade("p", "up", &ids[0])).await.expect("raised: now it is at version 2");
    let again = client.upgrade_esprit(stale).await;
    assert!(is_replayed(&again));
    assert_eq!(problem(again), refused);

    // What was shown is not there any more: each is refused, and stays so.
    let shown = preview(&mut client, "p", &ids[1..3]).await;
    client.set_team_slot(place("p", "in", 1, ids[1].as_str())).await.expect("in the team");
    let refused = problem(client.dissolve_esprits(dissolve("p", "team", &shown.preview_token)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "ESPRIT_IN_TEAM"));
    client.set_team_slot(place("p", "out", 1, "")).await.expect("out of it");
    let again = client.dissolve_esprits(dissolve("p", "team", &shown.preview_token)).await;
    assert!(is_replayed(&again));
    assert_eq!(problem(again), refused);
    client.set_lock(lock("p", "lock", &ids[2], true)).await.expect("locked");
    let changed = client.dissolve_esprits(dissolve("p", "locked", &shown.preview_token)).await;
    assert_eq!(told(changed), (Code::Aborted, "STALE_VERSION".to_owned()));

    // What it gives has no room in the wallet: nothing is dissolved.
    estate.grant("p", "shards", 99_999_999).await;
    let shown = preview(&mut client, "p", &ids[3..]).await;
    let refused = problem(client.dissolve_esprits(dissolve("p", "full", &shown.preview_token)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "ABOVE_MAXIMUM"));
    let there = api::GetEspritRequest {
        player_id: "p".to_owned(),
        esprit_id: ids[3].to_string(),
        ..api::GetEspritRequest::default()
    };
    let there = client.get_esprit(there).await.expect("it is there").into_inner().esprit.expect("an esprit");
    assert!(there.dissolve_time.is_none() && there.version == 1, "{there:?}");
    estate.settled().await;
    estate.check_ends().await;
    estate.stop().await;
}

/// Every bad field is named, nothing is written, and nothing panics.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_does_not_fit_names_its_fields_and_leaves_nothing() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let ids = estate.endow("p", 2).await;
    let id = |text: &str| text.to_owned();

    let bad = api::UpgradeEspritRequest { expected_version: -1, ..upgrade("a b", "a key", &ids[0]) };
    assert_eq!(fields(client.upgrade_esprit(bad).await), ["idempotency_key", "player_id", "expected_version"]);
    let empty = api::UpgradeEspritRequest::default();
    assert_eq!(fields(client.upgrade_esprit(empty).await), ["idempotency_key", "player_id", "esprit_id"]);
    let shown = preview(&mut client, "p", &ids).await.preview_token;
    for (request, named) in [
        (dissolve("p", "k", ""), vec!["preview_token"]),
        (dissolve("p", "k", "zz"), vec!["preview_token"]),
        (dissolve("q", "k", &shown), vec!["preview_token"]),
        (dissolve("", "", &shown), vec!["idempotency_key", "player_id", "preview_token"]),
    ] {
        assert_eq!(fields(client.dissolve_esprits(request.clone()).await), named, "{request:?}");
    }
    let previewed = |esprit_ids: Vec<String>| api::PreviewDissolveRequest { player_id: id("p"), esprit_ids };
    assert_eq!(fields(client.preview_dissolve(previewed(Vec::new())).await), ["esprit_ids"]);
    let many = (0..101).map(|number| format!("e{number}")).collect();
    assert_eq!(fields(client.preview_dissolve(previewed(many)).await), ["esprit_ids"]);
    let twice = client.preview_dissolve(previewed(vec![id("e"), id("no id!"), id("e")])).await;
    assert_eq!(fields(twice), ["esprit_ids[1]", "esprit_ids[2]"]);
    let compared = |esprit_ids: Vec<String>| api::CompareEspritsRequest { player_id: id("p"), esprit_ids };
    assert_eq!(fields(client.compare_esprits(compared(vec![id("e")])).await), ["esprit_ids"]);
    assert_eq!(fields(client.compare_esprits(compared(vec![id("e"), id("e")])).await), ["esprit_ids[1]"]);

    let slot = |slot| place("p", "k", slot, "");
    for bad in [slot(-1), slot(0), slot(4), slot(i32::MAX)] {
        assert_eq!(fields(client.set_team_slot(bad).await), ["slot"]);
    }
    let nothing = api::EquipRequest::default();
    let named = ["esprit_id", "equipment_id", "idempotency_key", "player_id"];
    assert_eq!(fields(client.equip(nothing).await), named);
    assert_eq!(fields(client.unequip(api::UnequipRequest::default()).await), [named[1], named[2], named[3]]);
    let lent = |pieces: &[(&str, &str)]| api::GrantEquipmentRequest {
        idempotency_key: id("k"),
        player_id: id("p"),
        pieces: pieces
            .iter()
            .map(|(piece, kind)| api::GrantedEquipment { equipment_id: id(piece), kind_id: id(kind) })
            .collect(),
    };
    assert_eq!(fields(client.grant_equipment(lent(&[])).await), ["pieces"]);
    let bad = client.grant_equipment(lent(&[("a", "iron_fang"), ("a", "No Kind")])).await;
    assert_eq!(fields(bad), ["pieces[1].kind_id"]);
    assert_eq!(fields(client.grant_equipment(lent(&[("a", "unknown")])).await), ["pieces[0].kind_id"]);

    let page =
        api::ListOperationsRequest { page_size: 501, page_token: id("zz"), ..api::ListOperationsRequest::default() };
    assert_eq!(fields(client.list_operations(page).await), ["page_token", "page_size"]);
    let retry = api::RetryOperationRequest { player_id: id("a b"), operation_id: id("1") };
    assert_eq!(fields(client.retry_operation(retry).await), ["player_id", "operation_id"]);
    let page = api::ListEquipmentRequest { player_id: id("p"), page_size: -1, page_token: id("zz") };
    assert_eq!(fields(client.list_equipment(page).await), ["page_size", "page_token"]);
    let watch = api::WatchCollectionRequest { player_id: id("a b"), after_version: -1 };
    assert_eq!(fields(client.watch_collection(watch).await.map(|_| Response::new(()))), ["player_id", "after_version"]);
    assert!(estate.all().await.is_empty(), "something was written");
    let profile = client.get_profile(api::GetProfileRequest { player_id: id("p") }).await.expect("a profile");
    assert_eq!((profile.get_ref().esprits, profile.get_ref().equipment), (2, 0));
    estate.stop().await;
}

/// What is not there is said to be so, and by which name.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_there_is_named_and_no_key_is_used_up() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let ids = estate.endow("p", 1).await;
    let stranger: EspritId = "e".parse().expect("an id");
    let missing = (Code::NotFound, "ESPRIT_NOT_FOUND".to_owned());
    assert_eq!(told(client.upgrade_esprit(upgrade("p", "k", &stranger)).await), missing);
    assert_eq!(told(client.set_lock(lock("p", "k", &stranger, true)).await), missing);
    assert_eq!(told(client.set_team_slot(place("p", "k", 1, "e")).await), missing);
    // Another player's is none of one's own.
    assert_eq!(told(client.upgrade_esprit(upgrade("q", "k", &ids[0])).await), missing);
    let previewed = api::PreviewDissolveRequest { player_id: "p".to_owned(), esprit_ids: vec!["e".to_owned()] };
    assert_eq!(told(client.preview_dissolve(previewed).await), missing);
    let piece = api::EquipRequest {
        idempotency_key: "k".to_owned(),
        player_id: "p".to_owned(),
        esprit_id: ids[0].to_string(),
        equipment_id: "fang".to_owned(),
        expected_version: 0,
    };
    assert_eq!(told(client.equip(piece).await), (Code::NotFound, "EQUIPMENT_NOT_FOUND".to_owned()));
    let retry = api::RetryOperationRequest { player_id: "p".to_owned(), operation_id: "0".repeat(32) };
    assert_eq!(told(client.retry_operation(retry).await), (Code::NotFound, "OPERATION_NOT_FOUND".to_owned()));
    estate.grant("p", "lumees", 50).await;
    let raised = client.upgrade_esprit(upgrade("p", "k", &ids[0])).await;
    assert!(!is_replayed(&raised));
    raised.expect("the key was still unused");
    estate.stop().await;
}

/// A caller that cannot wait is told the outcome as soon as it is decided, and nothing before (DESIGN, two-phase).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_that_is_decided_is_told_before_it_is_paid_and_one_that_is_not_is_not() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let mut esprits = Vec::new();
    for (player, step) in [("decided", Step::Finish), ("open", Step::Prepare)] {
        estate.grant(player, "lumees", 50).await;
        esprits.push(estate.endow(player, 1).await.remove(0));
        estate.faults.plan(player, &[Fault { step, participant: Some("wallet"), how: How::DiesBefore }]);
    }
    // However long it takes until it is decided: before that there is nothing to tell.
    let settling = loop {
        let asked = within(upgrade("decided", "decided", &esprits[0]), Duration::from_millis(600));
        match client.upgrade_esprit(asked).await {
            Ok(told) => break told.into_inner().upgrade.expect("an upgrade"),
            Err(status) => assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}"),
        }
    };
    assert_eq!((settling.state(), settling.level), (api::OperationState::Settling, 2));
    let asked = within(upgrade("open", "open", &esprits[1]), Duration::from_millis(900));
    let open = problem(client.upgrade_esprit(asked).await);
    assert!(matches!(open.code, Code::Unavailable | Code::DeadlineExceeded), "{open:?}");
    // Whoever meets what is under way is sent away, and comes again.
    let busy = problem(client.set_lock(lock("open", "lock", &esprits[1], true)).await);
    assert_eq!((busy.code, busy.reason.as_str()), (Code::Aborted, "ESPRIT_BUSY"));
    assert!(busy.retry_after.is_some(), "{busy:?}");

    // An operator sees both, oldest first, page by page, and makes them due.
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = api::ListOperationsRequest { all: false, page_size: 1, page_token };
        let page = client.list_operations(page).await.expect("operations").into_inner();
        listed.extend(page.operations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let all = api::ListOperationsRequest { all: true, page_size: 1, page_token: page_token.clone() };
        assert_eq!(fields(client.list_operations(all).await), ["page_token"], "it is another list's");
    }
    let states: Vec<_> =
        listed.iter().map(|row| (row.player_id.as_str(), row.kind.as_str(), row.state.as_str())).collect();
    assert_eq!(states, [("decided", "upgrade", "committing"), ("open", "upgrade", "preparing")]);
    assert_eq!(listed[0].cost, [api::Units { asset_id: "lumees".to_owned(), amount: 50 }]);
    for api::Operation { player_id, operation_id, .. } in listed {
        client.retry_operation(api::RetryOperationRequest { player_id, operation_id }).await.expect("it is due");
    }
    estate.settled().await;
    let told = client.upgrade_esprit(upgrade("decided", "decided", &esprits[0])).await.expect("raised");
    let done = told.into_inner().upgrade.expect("an upgrade");
    assert_eq!(
        done,
        api::Upgrade { state: api::OperationState::Done.into(), ..settling },
        "what was told is what came"
    );
    let again = client.upgrade_esprit(upgrade("open", "open", &esprits[1])).await.expect("the next attempt");
    assert_eq!(again.into_inner().upgrade.expect("an upgrade").level, 2);
    let all = api::ListOperationsRequest { all: true, ..api::ListOperationsRequest::default() };
    let all = client.list_operations(all).await.expect("operations").into_inner().operations;
    let attempts: Vec<_> = all.iter().map(|row| (row.player_id.as_str(), row.attempt, row.decision.as_str())).collect();
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    assert!(attempts.contains(&("open", 1, "give_up")) && attempts.contains(&("open", 2, "commit")), "{attempts:?}");
    estate.settled().await;
    estate.check_ends().await;
    estate.stop().await;
}

/// A watcher hears of every change behind the version that it knows, whoever made it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watcher_hears_of_changes_and_never_of_an_older_one() {
    let estate = Estate::patient_sqlite().await;
    let mut client = estate.client(0).await;
    let ids = estate.endow("p", 1).await;
    let profile = |mut client: Client| async move {
        let request = api::GetProfileRequest { player_id: "p".to_owned() };
        client.get_profile(request).await.expect("a profile").into_inner().collection_version
    };
    let before = profile(client.clone()).await;
    let watch = api::WatchCollectionRequest { player_id: "p".to_owned(), after_version: before };
    let mut watched = client.watch_collection(watch).await.expect("a stream").into_inner();
    let mut last = before;
    for change in 0..3 {
        let changed = client.set_lock(lock("p", &format!("lock-{change}"), &ids[0], change % 2 == 0)).await;
        let version = changed.expect("changed").into_inner().changed.expect("a change").collection_version;
        let heard = watched.next().await.expect("a change").expect("it is there").collection_version;
        assert!(heard == version && heard > last, "heard of {heard} after {last}, made {version}");
        last = heard;
    }
    estate.stop().await;
}
