//! Many independent postings in one call or one stream, each with its own key and its own answer.

use std::sync::Arc;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::post_batch_result::Result as Outcome;
use auric_api::wallet::v1::post_stream_response::Result as StreamOutcome;
use auric_server::metadata;
use auric_status::{BadField, Problem};
use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::decode::mutations;
use super::{Answer, encode, invalid, status};
use crate::domain::{Action, Method, Mutation, Verdict};
use crate::handlers::Handlers;

/// The most postings of one batch.
const POSTS_MAX: usize = 1_000;

/// Postings of one stream that are in flight at most: beyond them the stream reads no further, and HTTP/2 holds its sender back.
const IN_FLIGHT_MAX: usize = 1_024;

/// Applies each posting by itself: they meet again in the batches of their lanes.
pub async fn post(handlers: &Arc<Handlers>, request: Request<api::PostBatchRequest>) -> Answer<api::PostBatchResponse> {
    let (metadata, _, request) = request.into_parts();
    let count = request.posts.len();
    if !(1..=POSTS_MAX).contains(&count) {
        return Err(invalid(vec![BadField::new("posts", format!("must have 1 to {POSTS_MAX} postings, has {count}"))]));
    }
    // The caller's name is the whole call's: a wrong one is nobody's posting's fault.
    let caller = metadata::caller(&metadata)?;
    // One refusal for all, not one each: under overload, what is refused takes time from what is done.
    handlers.admit(count, &caller, &metadata::trace_id(&metadata)).map_err(status::of_refused)?;
    let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
    let results = request.posts.iter().map(|post| one(handlers, &metadata, post, deadline));
    Ok(Response::new(api::PostBatchResponse { results: join_all(results).await }))
}

/// Applies the postings of a stream as they come, and answers each as soon as it is durable.
pub fn post_stream(
    handlers: Arc<Handlers>,
    request: Request<Streaming<api::PostStreamRequest>>,
) -> Result<impl Stream<Item = Result<api::PostStreamResponse, Status>>, Status> {
    let (metadata, _, requests) = request.into_parts();
    metadata::caller(&metadata)?;
    let metadata = Arc::new(metadata);
    let closing = Box::pin(handlers.closed());
    let answers = requests.take_until(closing).map(move |request| {
        let (handlers, metadata) = (Arc::clone(&handlers), Arc::clone(&metadata));
        async move {
            let post = request?.post.unwrap_or_default();
            let api::PostBatchResult { result, replayed } = one(&handlers, &metadata, &post, None).await;
            let result = result.map(|result| match result {
                Outcome::Posted(posted) => StreamOutcome::Posted(posted),
                Outcome::Refusal(refusal) => StreamOutcome::Refusal(refusal),
            });
            Ok(api::PostStreamResponse { idempotency_key: post.idempotency_key, result, replayed })
        }
    });
    Ok(answers.buffer_unordered(IN_FLIGHT_MAX))
}

async fn one(
    handlers: &Handlers,
    metadata: &MetadataMap,
    post: &api::PostRequest,
    deadline: Option<Instant>,
) -> api::PostBatchResult {
    let mutation = match decode(metadata, post) {
        Ok(mutation) => mutation,
        Err(status) => return refused(&Problem::from_status(&status), false),
    };
    match handlers.mutate(mutation, deadline).await {
        Ok(Verdict::Answered { outcome: Ok(posted), replayed }) => {
            api::PostBatchResult { result: Some(Outcome::Posted(encode::posted(&posted))), replayed }
        }
        Ok(Verdict::Answered { outcome: Err(rejection), replayed }) => {
            refused(&status::of_rejection(&rejection), replayed)
        }
        Ok(Verdict::Unstored(unstored)) => refused(&status::of_unstored(unstored), false),
        Err(unanswered) => refused(&Problem::from_status(&status::of_refused(unanswered)), false),
    }
}

fn decode(metadata: &MetadataMap, post: &api::PostRequest) -> Result<Mutation, Status> {
    mutations::mutation(Method::Post, metadata, &post.idempotency_key, || mutations::post(post).map(Action::Post))
}

fn refused(problem: &Problem, replayed: bool) -> api::PostBatchResult {
    let mut metadata: std::collections::HashMap<String, String> = problem.metadata.clone().into_iter().collect();
    for field in &problem.bad_fields {
        metadata.insert(field.path.clone(), field.description.clone());
    }
    let refusal = api::Refusal {
        code: problem.code.into(),
        reason: problem.reason.clone(),
        message: problem.message.clone(),
        metadata,
    };
    api::PostBatchResult { result: Some(Outcome::Refusal(refusal)), replayed }
}
