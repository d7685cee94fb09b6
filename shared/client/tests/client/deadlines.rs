//! The caller's time reaches the service, and what is over is over.

use std::time::Duration;

use auric_client::Deadline;
use auric_status::Problem;
use tokio::time::Instant;
use tonic::{Code, Request};

use super::service::{Copy, Reply, Seen, away, post};

const TIMEOUT: Duration = Duration::from_millis(400);

/// Reads the header of a request whose timeout is less than 100 s: those are written in microseconds or finer.
fn timeout_of(seen: &Seen) -> Duration {
    let text = seen.headers["grpc-timeout"].to_str().expect("it is text");
    let (digits, unit) = text.split_at(text.len() - 1);
    let count: u64 = digits.parse().expect("it is a number");
    match unit {
        "n" => Duration::from_nanos(count),
        "u" => Duration::from_micros(count),
        "m" => Duration::from_millis(count),
        _ => panic!("{text}"),
    }
}

#[tokio::test]
async fn each_attempt_has_what_is_left_of_the_callers_time() {
    let copy = Copy::start().await;
    copy.service.then([Reply::Refuse(away().retry_after(Duration::from_millis(50))), Reply::Refuse(away())]);
    let mut client = copy.client().await;
    let work = async { client.post(post("k")).await };
    Deadline::after(TIMEOUT).scope(work).await.unwrap();
    let timeouts: Vec<Duration> = copy.service.seen().iter().map(timeout_of).collect();
    assert!(timeouts[0] <= TIMEOUT && timeouts[1] + Duration::from_millis(50) <= timeouts[0], "{timeouts:?}");
    assert!(timeouts[2] < timeouts[1], "{timeouts:?}");
}

#[tokio::test]
async fn a_silent_service_is_a_deadline_exceeded() {
    let copy = Copy::start().await;
    copy.service.then(vec![Reply::Silence; 100]);
    let mut client = copy.client().await;
    let since = Instant::now();
    let mut request = Request::new(post("k"));
    request.set_timeout(TIMEOUT);
    let problem = Problem::from_status(&client.post(request).await.unwrap_err());
    assert_eq!((problem.code, problem.reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert!(since.elapsed() >= TIMEOUT && since.elapsed() < 3 * TIMEOUT, "{:?}", since.elapsed());
}

#[tokio::test]
async fn what_is_over_is_not_sent() {
    let copy = Copy::start().await;
    let mut client = copy.client().await;
    let over = Deadline::after(Duration::ZERO);
    let problem = Problem::from_status(&over.scope(client.post(post("k"))).await.unwrap_err());
    assert_eq!(problem.code, Code::DeadlineExceeded);
    assert!(problem.message.contains("nothing was done"), "{}", problem.message);
    assert_eq!(copy.service.count(), 0);
}

#[tokio::test]
async fn a_silent_attempt_is_followed_by_another_within_the_deadline() {
    let copy = Copy::start().await;
    copy.service.then([Reply::Silence]);
    copy.client().await.post(post("k")).await.unwrap();
    assert_eq!(copy.service.count(), 2);
}
