//! What the collection coordinates, as its callers and operators see it.

use auric_api::collection::v1 as api;
use auric_edge::{Cursor, mark_replayed};
use auric_ids::{EspritId, TraceId};
use auric_server::metadata;
use auric_status::Problem;
use auric_twophase::store::Listing;
use auric_twophase::{Decision, Operation};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request as Call, Response};

use super::decode::operations as decode;
use super::{Answer, encode, status};
use crate::domain::{Denial, Effect, Plan, Request, Units};
use crate::handlers::Handlers;

pub async fn upgrade(handlers: &Handlers, call: Call<api::UpgradeEspritRequest>) -> Answer<api::UpgradeEspritResponse> {
    let (metadata, _, request) = call.into_parts();
    let names = (request.idempotency_key.as_str(), request.player_id.as_str());
    let decoded = decode::request("UpgradeEsprit", &metadata, names, |decoder| decode::upgrade(decoder, &request))?;
    operate(handlers, &metadata, decoded, |operation, plan, effect| api::UpgradeEspritResponse {
        upgrade: Some(api::Upgrade {
            operation_id: operation.id.to_string(),
            player_id: operation.player.to_string(),
            esprit_id: plan.esprits.first().map(|seen| seen.esprit.to_string()).unwrap_or_default(),
            level: effect.level.map(|level| i32::try_from(level).unwrap_or(i32::MAX)).unwrap_or_default(),
            cost: all_units(&plan.cost),
            state: state(operation).into(),
            changed: Some(encode::changed(&effect.changed)),
        }),
    })
    .await
}

pub async fn dissolve(
    handlers: &Handlers,
    call: Call<api::DissolveEspritsRequest>,
) -> Answer<api::DissolveEspritsResponse> {
    let (metadata, _, request) = call.into_parts();
    let names = (request.idempotency_key.as_str(), request.player_id.as_str());
    let decoded = decode::request("DissolveEsprits", &metadata, names, |decoder| decode::dissolve(decoder, &request))?;
    operate(handlers, &metadata, decoded, |operation, plan, effect| api::DissolveEspritsResponse {
        dissolution: Some(api::Dissolution {
            operation_id: operation.id.to_string(),
            player_id: operation.player.to_string(),
            esprit_ids: names_of(&plan),
            refund: all_units(&plan.refund),
            state: state(operation).into(),
            changed: Some(encode::changed(&effect.changed)),
        }),
    })
    .await
}

pub async fn preview(
    handlers: &Handlers,
    call: Call<api::PreviewDissolveRequest>,
) -> Answer<api::PreviewDissolveResponse> {
    let (player, ids) = decode::preview(call.get_ref())?;
    let (seen, preview) = handlers.preview(&player, &ids).await.map_err(status::of_failed)?;
    let one = |id: &EspritId| seen.view.esprit(id).map(|esprit| encode::esprit(esprit, &seen.view));
    Ok(Response::new(api::PreviewDissolveResponse {
        esprits: ids.iter().filter_map(one).collect(),
        refund: all_units(&preview.refund),
        preview_token: decode::preview_cursor(player.as_str()).token(&preview.to_string()),
    }))
}

pub async fn list(handlers: &Handlers, call: Call<api::ListOperationsRequest>) -> Answer<api::ListOperationsResponse> {
    let request = call.into_inner();
    let cursor = Cursor::of(&["operations", if request.all { "all" } else { "open" }]);
    let (listing, limit) = decode::list(&request, &cursor)?;
    let page = handlers.list_operations(&listing, limit).await.map_err(status::of_failed)?;
    let last = page.items.last().filter(|_| page.more);
    let position = last.map(|last| match listing {
        Listing::All(_) => format!("{} {}", last.player, last.id),
        Listing::Open(_) => format!("{} {}", last.begun_at.micros(), last.id),
    });
    Ok(Response::new(api::ListOperationsResponse {
        next_page_token: position.map(|position| cursor.token(&position)).unwrap_or_default(),
        operations: page.items.iter().map(operation).collect(),
    }))
}

pub async fn retry(handlers: &Handlers, call: Call<api::RetryOperationRequest>) -> Answer<api::RetryOperationResponse> {
    let (player, id) = decode::retry(call.get_ref())?;
    if handlers.hasten(&player, &id).await.map_err(status::of_failed)? {
        tracing::info!(operation_id = %id, player_id = %player, "operation {id} is due at once");
        return Ok(Response::new(api::RetryOperationResponse {}));
    }
    Err(status::operation_not_found(&player, &id).into_status())
}

/// An operation's whole way: what became of it, and the answer for what was done.
async fn operate<A>(
    handlers: &Handlers,
    metadata: &MetadataMap,
    (request, trace_id): (Request, TraceId),
    wrap: impl FnOnce(&Operation, Plan, Effect) -> A,
) -> Answer<A> {
    let deadline = metadata::timeout(metadata).map(|left| Instant::now() + left);
    let operated = handlers.operate(request, &trace_id, deadline).await.map_err(status::of_failed)?;
    let operation = operated.operation;
    let mut answer = match &operation.decision {
        Some(Decision::Commit(effect)) => match (read(&operation.plan), read(effect)) {
            (Some(plan), Some(effect)) => Ok(Response::new(wrap(&operation, plan, effect))),
            _ => Err(Problem::internal().into_status()),
        },
        Some(Decision::Refuse(denial)) => Err(match read::<Denial>(denial) {
            Some(denial) => status::of_denial(&denial).into_status(),
            None => Problem::internal().into_status(),
        }),
        Some(Decision::GiveUp(why)) => Err(status::given_up(&operation, why).into_status()),
        None => Err(status::pending(&operation).into_status()),
    };
    if operated.replayed {
        mark_replayed(&mut answer);
    }
    answer
}

/// An operation as operators see it.
fn operation(operation: &Operation) -> api::Operation {
    let plan: Option<Plan> = read(&operation.plan);
    let of = |units: fn(&Plan) -> &[Units]| plan.as_ref().map(|plan| all_units(units(plan))).unwrap_or_default();
    api::Operation {
        operation_id: operation.id.to_string(),
        player_id: operation.player.to_string(),
        caller: operation.key.caller.to_string(),
        idempotency_key: operation.key.key.to_string(),
        attempt: i32::try_from(operation.attempt).unwrap_or(i32::MAX),
        state: operation.state.as_str().to_owned(),
        decision: operation.decision.as_ref().map_or("", Decision::as_str).to_owned(),
        recoveries: i32::try_from(operation.recoveries).unwrap_or(i32::MAX),
        last_error: operation.last_error.clone(),
        create_time: Some(encode::time(operation.begun_at)),
        decide_time: operation.decided_at.map(encode::time),
        done_time: operation.done_at.map(encode::time),
        due_time: Some(encode::time(operation.due_at)),
        kind: plan.as_ref().map(|plan| plan.kind.as_str().to_owned()).unwrap_or_default(),
        esprit_ids: plan.as_ref().map(names_of).unwrap_or_default(),
        cost: of(|plan| &plan.cost),
        refund: of(|plan| &plan.refund),
    }
}

const fn state(operation: &Operation) -> api::OperationState {
    if operation.state.is_done() { api::OperationState::Done } else { api::OperationState::Settling }
}

fn names_of(plan: &Plan) -> Vec<String> {
    plan.esprits.iter().map(|seen| seen.esprit.to_string()).collect()
}

fn all_units(units: &[Units]) -> Vec<api::Units> {
    let one = |units: &Units| api::Units { asset_id: units.asset.to_string(), amount: encode::int64(units.amount) };
    units.iter().map(one).collect()
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
