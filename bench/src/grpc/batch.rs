//! Many postings in one call.

use auric_api::wallet::v1::post_batch_result::Result as Posting;
use auric_api::wallet::v1::{PostBatchRequest, PostBatchResult};

use super::post::{one_leg, request};
use super::{Ground, outcome_of, refusal_outcome, with_deadline};
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
        match client.post_batch(with_deadline(PostBatchRequest { posts })).await {
            Ok(answer) => sum(&answer.into_inner().results),
            Err(status) => of_whole(outcome_of(&status)),
        }
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

    use super::*;

    fn refusal(code: tonic::Code, reason: &str, delay: bool) -> PostBatchResult {
        let metadata = delay.then(|| ("retry_after_ms".to_owned(), "10".to_owned())).into_iter().collect();
        let refusal = Refusal { code: code.into(), reason: reason.to_owned(), message: "why".to_owned(), metadata };
        PostBatchResult { result: Some(Posting::Refusal(refusal)), replayed: false }
    }

    fn posted() -> PostBatchResult {
        PostBatchResult { result: Some(Posting::Posted(Posted::default())), replayed: false }
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
