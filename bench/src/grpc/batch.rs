//! Many postings in one call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auric_api::codec::{SliceCodec, SliceDecoder};
use auric_api::wallet::v1::post_batch_result::Result as Posting;
use auric_api::wallet::v1::{PostBatchRequest, PostBatchResponse, PostBatchResult};
use bytes::{BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost::Message as _;
use tonic::client::Grpc;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::post::{one_leg, request};
use super::{Ground, outcome_of, refusal_outcome, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;

/// Postings of one call.
const BATCH_POSTS: u64 = 500;

/// The call.
const POST_BATCH: &str = "/auric.wallet.v1.WalletService/PostBatch";

/// Posts 500 postings of one leg at once; each is a unit.
///
/// What was refused whole comes again as it is, as from a caller who was told to ask later: making it anew would take processor time from those who are
/// measured.
#[derive(Clone, Debug)]
pub struct PostBatch {
    ground: Ground,
    refused: Arc<Mutex<VecDeque<Bytes>>>,
}

impl PostBatch {
    /// Postings about the players of `ground`.
    pub fn new(ground: Ground) -> Self {
        Self { ground, refused: Arc::default() }
    }

    fn refused(&self) -> MutexGuard<'_, VecDeque<Bytes>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch that was refused first, or a new one.
    fn batch(&self, number: u64) -> Bytes {
        let refused = self.refused().pop_front();
        refused.unwrap_or_else(|| {
            let Ground { players, keys, .. } = &self.ground;
            let first = number * BATCH_POSTS;
            let posting = |number| request(keys.of_call(number), vec![one_leg(players.of_call(number), number)]);
            PostBatchRequest { posts: (first..first + BATCH_POSTS).map(posting).collect() }.encode_to_vec().into()
        })
    }

    async fn send(&self, number: u64, batch: Bytes) -> Result<Response<PostBatchResponse>, Status> {
        let player = self.ground.players.of_call(number);
        let mut client: Grpc<Channel> = Grpc::new(self.ground.fleet.channel(&player, number));
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        client.unary(with_deadline(batch), PathAndQuery::from_static(POST_BATCH), Encoded).await
    }
}

impl Operation for PostBatch {
    async fn run(&self, number: u64) -> Outcome {
        let batch = self.batch(number);
        match self.send(number, batch.clone()).await {
            Ok(answer) => sum(&answer.into_inner().results),
            Err(status) => {
                let outcome = of_whole(outcome_of(&status));
                if matches!(outcome, Outcome::Mixed { .. }) {
                    self.refused().push_back(batch);
                }
                outcome
            }
        }
    }
}

/// Sends batches that are encoded already.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = PostBatchResponse;
    type Encoder = Self;
    type Decoder = SliceDecoder<PostBatchResponse>;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self::Decoder {
        SliceCodec::<PostBatchRequest, PostBatchResponse>::default().decoder()
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, batch: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(batch);
        Ok(())
    }
}

/// Counts the refusal of a call as one of each of its postings.
fn of_whole(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { says_when } => Outcome::Mixed { done: 0, refused: BATCH_POSTS, all_say_when: says_when },
        failed => failed,
    }
}

/// Counts what was done and what was refused; one that failed otherwise fails the whole call.
fn sum(results: &[PostBatchResult]) -> Outcome {
    let (mut done, mut refused, mut all_say_when) = (0, 0, true);
    for result in results {
        match &result.result {
            Some(Posting::Posted(_)) => done += 1,
            Some(Posting::Refusal(refusal)) => match refusal_outcome(refusal) {
                Outcome::Refused { says_when } => {
                    refused += 1;
                    all_say_when &= says_when;
                }
                failed => return failed,
            },
            None => return Outcome::Failed("a posting without a result".to_owned()),
        }
    }
    Outcome::Mixed { done, refused, all_say_when }
}

#[cfg(test)]
mod tests {
    use auric_api::wallet::v1::{Posted, Refusal};

    use super::super::Fleet;
    use super::*;
    use crate::traffic::{KeyOrder, Keys, Players, Routing};

    fn refusal(code: tonic::Code, reason: &str, delay: bool) -> PostBatchResult {
        let metadata = delay.then(|| ("retry_after_ms".to_owned(), "10".to_owned())).into_iter().collect();
        let refusal = Refusal { code: code.into(), reason: reason.to_owned(), message: "why".to_owned(), metadata };
        PostBatchResult { result: Some(Posting::Refusal(refusal)), replayed: false }
    }

    fn posted() -> PostBatchResult {
        PostBatchResult { result: Some(Posting::Posted(Posted::default())), replayed: false }
    }

    #[test]
    fn what_was_refused_comes_again_before_anything_new() {
        let fleet = Fleet { copies: Vec::new(), routing: Routing::Rendezvous };
        let post = PostBatch::new(Ground { fleet, players: Players::new(2, 2), keys: Keys::new(KeyOrder::Growing) });
        let first = post.batch(0);
        post.refused().push_back(first.clone());
        assert_eq!(post.batch(1), first);
        assert_ne!(post.batch(1), first);
    }

    #[test]
    fn postings_of_one_call_are_counted_one_by_one() {
        let full = || refusal(tonic::Code::ResourceExhausted, "QUEUE_FULL", true);
        let outcome = sum(&[posted(), full(), posted()]);
        assert_eq!(outcome, Outcome::Mixed { done: 2, refused: 1, all_say_when: true });
        let silent = refusal(tonic::Code::ResourceExhausted, "QUEUE_FULL", false);
        assert_eq!(sum(&[full(), silent]), Outcome::Mixed { done: 0, refused: 2, all_say_when: false });
    }

    #[test]
    fn a_call_refused_whole_is_all_its_postings_refused() {
        let outcome = of_whole(Outcome::Refused { says_when: true });
        assert_eq!(outcome, Outcome::Mixed { done: 0, refused: 500, all_say_when: true });
    }

    #[test]
    fn a_posting_that_a_rule_refuses_spoils_the_run() {
        let poor = refusal(tonic::Code::FailedPrecondition, "INSUFFICIENT_FUNDS", false);
        assert!(matches!(sum(&[posted(), poor]), Outcome::Failed(_)));
    }
}
