//! Each fault of a network, against one call: it is answered, and its connection is not used for ever.

use std::time::Duration;

use auric_testkit::proxy::{Direction, Fault};
use tokio::time::Instant;

use super::service::{Copy, Reply, hurried, in_time, post};

/// Far less than the default timeout of a call, and more than a busy machine needs for some attempts.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_partition_that_says_nothing_is_left_behind() {
    let copy = Copy::start().await;
    let mut client = copy.client().await;
    client.post(post("before")).await.unwrap();
    copy.proxy.strand();
    let since = Instant::now();
    client.post(post("after")).await.unwrap();
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    assert_eq!(copy.service.count(), 2, "the stranded attempt never arrived");
}

#[tokio::test]
async fn an_idle_connection_is_found_dead_before_it_is_needed() {
    let copy = Copy::start().await;
    let mut config = hurried(&copy.url());
    config.policy.keepalive_interval = Duration::from_millis(50);
    config.policy.keepalive_timeout = Duration::from_millis(50);
    let mut client = auric_client::wallet(config).await.unwrap();
    client.post(post("before")).await.unwrap();
    copy.proxy.strand();
    // Nobody calls.
    in_time(copy.proxy.wait_for_left(1)).await;
    client.post(post("after")).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_under_the_same_key() {
    let copy = Copy::start().await;
    let mut client = copy.client().await;
    client.post(post("before")).await.unwrap();
    copy.proxy.set(Fault::LosesAnswers { one_in: 1 });
    let lost = async {
        copy.service.wait_for(3).await;
        copy.proxy.set(Fault::None);
    };
    let (answer, ()) = in_time(async { tokio::join!(client.post(post("lost")), lost) }).await;
    answer.unwrap();
    assert!(copy.proxy.lost() > 0, "no answer was lost");
    let seen = copy.service.seen();
    assert!(seen[1..].iter().all(|request| request.body == seen[1].body));
}

#[tokio::test]
async fn whichever_direction_stops_the_call_is_answered_when_it_goes_on() {
    for direction in [Direction::ToClient, Direction::ToServer, Direction::Both] {
        let copy = Copy::start().await;
        let mut client = copy.client().await;
        client.post(post("before")).await.unwrap();
        copy.proxy.set(Fault::Stops(direction));
        let tried = copy.proxy.accepted() + 2;
        let healed = async {
            // The client gave the connection up and came with others.
            copy.proxy.wait_for_accepted(tried).await;
            copy.proxy.set(Fault::None);
        };
        let (answer, ()) = in_time(async { tokio::join!(client.post(post("stopped")), healed) }).await;
        answer.unwrap_or_else(|status| panic!("{direction:?}: {status}"));
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_call_is_asked_again() {
    let copy = Copy::start().await;
    copy.service.then([Reply::Silence]);
    let mut client = copy.client().await;
    let reset = async {
        copy.service.wait_for(1).await;
        copy.proxy.reset();
    };
    let since = Instant::now();
    let (answer, ()) = in_time(async { tokio::join!(client.post(post("reset")), reset) }).await;
    answer.unwrap();
    assert!(since.elapsed() < SOON);
    assert_eq!(copy.service.count(), 2);
}
