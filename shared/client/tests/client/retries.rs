//! What is asked again, how, and until when.

use std::time::Duration;

use auric_client::{Deadline, Policy};
use auric_status::Problem;
use tokio::time::Instant;
use tonic::{Code, Request};

use super::service::{Copy, Reply, away, full, hurried, post};

#[tokio::test]
async fn a_call_is_asked_again_with_the_same_bytes_until_there_is_an_answer() {
    let copy = Copy::start().await;
    let contended =
        Problem::new(Code::Aborted, "CONTENDED", "others were in the way").retry_after(Duration::from_millis(5));
    let late = Problem::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "not begun in time");
    copy.service.then([away(), full(), contended, late].map(Reply::Refuse));
    copy.service.then([Reply::Http(503)]);
    copy.client().await.post(post("once")).await.unwrap();
    let seen = copy.service.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|request| request.body == seen[0].body), "the same key is the same bytes");
}

#[tokio::test]
async fn what_a_rule_refused_is_asked_once() {
    let copy = Copy::start().await;
    let mut client = copy.client().await;
    let refusals = [
        (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"),
        (Code::Aborted, "STALE_VERSION"),
        (Code::InvalidArgument, "INVALID_ARGUMENT"),
        (Code::PermissionDenied, "NOT_YOUR_HOLD"),
        (Code::ResourceExhausted, "LIMIT_REACHED"),
    ];
    for (asked, (code, reason)) in (1..).zip(refusals) {
        let refusal = Problem::new(code, reason, "a rule said no").with("what", "details arrive too");
        copy.service.then([Reply::Refuse(refusal.clone())]);
        let status = client.post(post(reason)).await.unwrap_err();
        assert_eq!(Problem::from_status(&status), refusal);
        assert_eq!(copy.service.count(), asked, "{reason} was asked again");
    }
}

#[tokio::test]
async fn the_time_that_a_service_asks_for_is_waited_out() {
    let copy = Copy::start().await;
    let pause = Duration::from_millis(120);
    copy.service.then([Reply::Refuse(full().retry_after(pause)), Reply::Refuse(full().retry_after(pause))]);
    let since = Instant::now();
    copy.client().await.post(post("patient")).await.unwrap();
    assert!(since.elapsed() >= 2 * pause, "asked again after {:?}", since.elapsed());
}

#[tokio::test]
async fn the_attempts_are_bounded_and_the_last_refusal_is_told() {
    let copy = Copy::start().await;
    let mut config = hurried(&copy.url());
    config.policy = Policy { attempts_max: 3, ..config.policy };
    copy.service.then(vec![Reply::Refuse(full()); 10]);
    let status = auric_client::wallet(config).await.unwrap().post(post("k")).await.unwrap_err();
    assert_eq!(Problem::from_status(&status), full());
    assert_eq!(copy.service.count(), 3);
}

#[tokio::test]
async fn an_outcome_that_is_unknown_is_never_called_nothing_done() {
    let copy = Copy::start().await;
    let mut config = hurried(&copy.url());
    config.policy.attempts_max = 3;
    copy.service.then([Reply::Refuse(away()), Reply::Refuse(full()), Reply::Refuse(full())]);
    let status = auric_client::wallet(config).await.unwrap().post(post("k")).await.unwrap_err();
    let problem = Problem::from_status(&status);
    assert_eq!((problem.code, problem.reason.as_str()), (Code::Unavailable, "UNAVAILABLE"));
    assert_eq!(problem.metadata["attempts"], "3");
    assert!(problem.message.contains("unknown"), "{}", problem.message);
}

#[tokio::test]
async fn a_call_ends_by_its_deadline_however_often_it_may_be_tried() {
    let copy = Copy::start().await;
    copy.service.then(vec![Reply::Refuse(away()); 10_000]);
    let timeout = Duration::from_millis(300);
    let mut request = Request::new(post("k"));
    Deadline::after(timeout).put(&mut request);
    let since = Instant::now();
    let status = copy.client().await.post(request).await.unwrap_err();
    assert!(since.elapsed() < timeout + Duration::from_secs(1), "it took {:?}", since.elapsed());
    assert!([Code::Unavailable, Code::DeadlineExceeded].contains(&status.code()), "{status:?}");
    assert!(copy.service.count() > 3, "it was tried {} times", copy.service.count());
}

#[tokio::test]
async fn a_deadline_is_called_a_deadline_whoever_keeps_the_time() {
    let copy = Copy::start().await;
    let mut config = hurried(&copy.url());
    config.policy.attempts_max = 2;
    let cancelled = Problem::new(Code::Cancelled, "", "Timeout expired");
    copy.service.then([Reply::Refuse(cancelled.clone()), Reply::Refuse(cancelled)]);
    let status = auric_client::wallet(config).await.unwrap().post(post("k")).await.unwrap_err();
    assert_eq!(Problem::from_status(&status).reason, "DEADLINE_EXCEEDED");
    assert_eq!(copy.service.count(), 2);
}

#[tokio::test]
async fn the_opening_of_a_stream_of_answers_is_asked_again() {
    let copy = Copy::start().await;
    copy.service.then([Reply::Refuse(away()), Reply::Refuse(full())]);
    let watch = auric_api::wallet::v1::WatchEntriesRequest { player_id: "discord:1".to_owned(), after_number: 0 };
    copy.client().await.watch_entries(watch).await.unwrap();
    assert_eq!(copy.service.count(), 3);
}

#[tokio::test]
async fn a_stream_of_requests_is_sent_once() {
    let copy = Copy::start().await;
    copy.service.then([Reply::Refuse(away())]);
    let posts = tokio_stream::once(auric_api::wallet::v1::PostStreamRequest { post: Some(post("k")) });
    let status = copy.client().await.post_stream(posts).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(copy.service.count(), 1);
}

#[tokio::test]
async fn where_nobody_answers_nothing_was_sent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = hurried(&format!("http://{nobody}"));
    config.policy.attempts_max = 3;
    let status = auric_client::wallet(config).await.unwrap().post(post("k")).await.unwrap_err();
    let problem = Problem::from_status(&status);
    assert_eq!(problem.code, Code::Unavailable);
    assert!(problem.message.contains("nothing was sent"), "{}", problem.message);
}
