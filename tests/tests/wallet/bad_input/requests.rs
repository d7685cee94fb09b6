//! A valid request of every RPC, with every field set, and the cases that no type suggests.

use auric_api::wallet::v1 as api;
use auric_status::Problem;
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::Code;

use super::super::harness::{Ask, Caller, credit, hold_leg};

/// What every valid request stands on: a player with something, and an open hold.
pub async fn prepare(caller: Caller<'_>) {
    let hold = vec![hold_leg("p", "q", "lumees", 1)];
    for ask in [Ask::post("fund", vec![credit("p", "lumees", 100_000)]), Ask::reserve("hold", "h", hold)] {
        caller.send(&ask).await.outcome.expect("it is valid");
    }
}

/// A valid request of `method`, under a key that nobody uses.
pub fn valid(method: &MethodDescriptor) -> DynamicMessage {
    under_key(method, "valid")
}

/// The valid request of `method` under `key`.
pub fn under_key(method: &MethodDescriptor, key: &str) -> DynamicMessage {
    let bytes = match method.name() {
        "Post" => post(key).encode_to_vec(),
        "PostBatch" => api::PostBatchRequest { posts: vec![post(key)] }.encode_to_vec(),
        "PostStream" => api::PostStreamRequest { post: Some(post(key)) }.encode_to_vec(),
        "GetBalances" => {
            let (player_ids, asset_ids) = (vec![text("p")], vec![text("lumees")]);
            api::GetBalancesRequest { player_ids, asset_ids }.encode_to_vec()
        }
        "ListEntries" => api::ListEntriesRequest { player_id: text("p"), ..Default::default() }.encode_to_vec(),
        "WatchEntries" => api::WatchEntriesRequest { player_id: text("p"), after_number: 0 }.encode_to_vec(),
        "GetHold" => api::GetHoldRequest { hold_id: text("h") }.encode_to_vec(),
        "GetMutation" => {
            api::GetMutationRequest { idempotency_key: text("fund"), ..Default::default() }.encode_to_vec()
        }
        "VoidMutation" => api::VoidMutationRequest { idempotency_key: text(key) }.encode_to_vec(),
        "GetSupply" => api::GetSupplyRequest { asset_ids: vec![text("lumees")] }.encode_to_vec(),
        "ListHolds" | "GetFlows" | "VerifyAudit" | "GetCatalog" => Vec::new(),
        name => super::paid::request(name, key).unwrap_or_else(|| mutation(name, key)),
    };
    DynamicMessage::decode(method.input(), bytes.as_slice()).expect("it is the RPC's message")
}

fn mutation(method: &str, key: &str) -> Vec<u8> {
    let (idempotency_key, reason) = (text(key), text("test"));
    match method {
        "Claim" => api::ClaimRequest {
            idempotency_key,
            player_id: text("p"),
            claim_type: text("daily"),
            claim_key: text(key),
            legs: vec![credit("p", "lumees", 1)],
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "Reserve" => {
            let leg = hold_leg("p", "q", "lumees", 1);
            api::ReserveRequest { idempotency_key, hold_id: text(key), legs: vec![leg], reason, ..Default::default() }
                .encode_to_vec()
        }
        "Commit" => {
            let amounts = vec![1];
            api::CommitRequest { idempotency_key, hold_id: text("h"), amounts, player_id: text("p") }.encode_to_vec()
        }
        "Release" => api::ReleaseRequest { idempotency_key, hold_id: text(key), player_id: text("p") }.encode_to_vec(),
        "Transfer" => api::TransferRequest {
            idempotency_key,
            from_player_id: text("p"),
            to_player_id: text("q"),
            asset_id: text("lumees"),
            amount: 1,
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "SpendStatPoints" => {
            let (player_id, stat_id) = (text("p"), text("energy"));
            api::SpendStatPointsRequest { idempotency_key, player_id, stat_id, points: 1, reason, ..Default::default() }
                .encode_to_vec()
        }
        "RenewCredits" => api::RenewCreditsRequest {
            idempotency_key,
            player_id: text("p"),
            asset_id: text("generation_credit"),
            pool_id: text("subscription"),
            units: 5,
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        _ => panic!("{method} has no valid request: add one"),
    }
}

fn post(key: &str) -> api::PostRequest {
    let version = api::PlayerVersion { player_id: text("r"), version: 0 };
    api::PostRequest {
        idempotency_key: text(key),
        legs: vec![credit("p", "lumees", 1)],
        reason: text("test"),
        expected_versions: vec![version],
        ..Default::default()
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// The answer to the one posting of a batch or a stream, as Post would have given it; its faults have the path of the whole request.
pub fn inner(method: &MethodDescriptor, answer: Option<Bytes>) -> Result<(), Problem> {
    use api::post_batch_result::Result as InBatch;
    use api::post_stream_response::Result as InStream;
    let Some(bytes) = answer else { return Ok(()) };
    let (refusal, prefix) = match method.name() {
        "PostBatch" => match &api::PostBatchResponse::decode(bytes).expect("it is").results[0].result {
            Some(InBatch::Refusal(refusal)) => (refusal.clone(), "posts[0]."),
            _ => return Ok(()),
        },
        "PostStream" => match api::PostStreamResponse::decode(bytes).expect("it is").result {
            Some(InStream::Refusal(refusal)) => (refusal, "post."),
            _ => return Ok(()),
        },
        _ => {
            DynamicMessage::decode(method.output(), bytes).expect("the answer is the RPC's message");
            return Ok(());
        }
    };
    let problem = Problem::new(Code::from_i32(refusal.code), refusal.reason, refusal.message);
    let faults = refusal.metadata.into_iter().map(|(path, fault)| (format!("{prefix}{path}"), fault));
    Err(faults.fold(problem, |problem, (path, fault)| problem.bad_field(path, fault)))
}

/// Wrong page tokens, and fields that are wrong only together.
pub async fn check_special(caller: Caller<'_>) {
    let list = |player: &str, token: String| {
        let request =
            api::ListEntriesRequest { player_id: text(player), page_size: 1, page_token: token, ..Default::default() };
        async move { caller.client().list_entries(request).await.map(tonic::Response::into_inner) }
    };
    let token = list("p", String::new()).await.expect("a page").next_page_token;
    assert!(!token.is_empty(), "p has more than one entry");
    let of_another = list("q", token.clone()).await.expect_err("the token is for p");
    assert_eq!(Problem::from_status(&of_another).bad_fields[0].path, "page_token");
    for position in ["", "-1", "x", "18446744073709551616", "1 ", "\u{1b}"] {
        let forged = format!("{}{}", &token[..16], hex::encode(position));
        let refused = list("p", forged).await.expect_err("no position");
        assert_eq!(Problem::from_status(&refused).bad_fields[0].path, "page_token", "{position:?}");
    }
    // Positions that no page ends at are harmless.
    for position in ["0", "18446744073709551615", "9223372036854775808"] {
        list("p", format!("{}{}", &token[..16], hex::encode(position))).await.expect("a page");
    }
    let twice = vec![api::PlayerVersion { player_id: text("p"), version: 1 }; 2];
    let ask = Ask::Post(api::PostRequest { expected_versions: twice, ..post("twice") });
    let refused = caller.send(&ask).await.outcome.expect_err("p is named twice");
    assert_eq!(refused.bad_fields[0].path, "expected_versions[1].player_id");
    let refused = caller.send(&Ask::transfer("self", "p", "p", 1)).await.outcome.expect_err("to oneself");
    assert_eq!(refused.bad_fields[0].path, "to_player_id");
    let refused = caller.send(&Ask::reserve("no-end", "no-end", vec![hold_leg("", "", "lumees", 1)])).await;
    assert_eq!(refused.outcome.expect_err("no end").bad_fields[0].path, "legs[0]");
    let unknown = api::GetCatalogRequest { catalog_hash: "0".repeat(64) };
    let unknown = caller.client().get_catalog(unknown).await.expect_err("it was never in force");
    assert_eq!(Problem::from_status(&unknown).reason, "CATALOG_NOT_FOUND");
    let days = api::GetFlowsRequest { from_day: text("2026-02-02"), to_day: text("2026-02-01"), ..Default::default() };
    let refused = caller.client().get_flows(days).await.expect_err("backwards");
    assert_eq!(Problem::from_status(&refused).bad_fields[0].path, "to_day");
}
