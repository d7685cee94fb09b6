//! Many postings in one call.

use auric_api::wallet::v1::PostBatchRequest;
use auric_api::wallet::v1::post_batch_result::Result as Posting;

use super::post::{one_leg, request};
use super::{Ground, outcome_of, with_deadline};
use crate::load::Operation;
use crate::measure::Outcome;

/// Postings of one call.
const BATCH_POSTS: u64 = 500;

/// Posts 500 postings of one leg at once; each is a unit.
#[derive(Clone, Debug)]
pub struct PostBatch(pub Ground);

impl Operation for PostBatch {
    async fn run(&self, number: u64) -> Outcome {
        let Ground { players, keys, .. } = &self.0;
        let first = number * BATCH_POSTS;
        let posting = |number| request(keys.of_call(number), vec![one_leg(players.of_call(number), number)]);
        let posts = (first..first + BATCH_POSTS).map(posting).collect();
        let (_, mut client) = self.0.of_call(number);
        let results = match client.post_batch(with_deadline(PostBatchRequest { posts })).await {
            Ok(answer) => answer.into_inner().results,
            Err(status) => return outcome_of(&status),
        };
        let refusal = results.iter().find_map(|one| match &one.result {
            Some(Posting::Posted(_)) => None,
            Some(Posting::Refusal(refusal)) => Some(format!("{} {}", refusal.reason, refusal.message)),
            None => Some("a posting without a result".to_owned()),
        });
        match refusal {
            Some(refusal) => Outcome::Failed(refusal),
            None => Outcome::Done { units: BATCH_POSTS },
        }
    }
}
