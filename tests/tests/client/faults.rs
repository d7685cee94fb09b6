//! One wallet behind a network with one fault at a time: every call ends in one effect and one answer.

use std::sync::Arc;
use std::time::Duration;

use auric_testkit::proxy::{Direction, Fault, Proxy};

use super::storm::{Progress, patient, rage};
use crate::wallet::harness::Cluster;

/// Runs a storm through a proxy that `trouble` plays with.
async fn through<T: Future<Output = ()>>(trouble: impl FnOnce(Arc<Proxy>, Progress) -> T) -> Arc<Proxy> {
    let cluster = Cluster::sqlite();
    let proxy = Arc::new(Proxy::start(cluster.address(0)).await.expect("a proxy"));
    let target = format!("http://{}", proxy.address());
    let client = auric_client::wallet(patient(&target)).await.expect("a client");
    rage(&cluster, &client, |progress| trouble(Arc::clone(&proxy), progress)).await;
    // A connection that nobody closes would hold the drain up.
    proxy.reset();
    cluster.stop_without_errors();
    proxy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn latency_costs_time_and_nothing_else() {
    let slow = |proxy: Arc<Proxy>, _| async move { proxy.set(Fault::Latency(Duration::from_millis(20))) };
    through(slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_that_is_lost_after_its_effect_is_given_again() {
    let lossy = |proxy: Arc<Proxy>, _| async move { proxy.set(Fault::LosesAnswers { one_in: 25 }) };
    let proxy = through(lossy).await;
    assert!(proxy.lost() > 10, "{} answers were lost", proxy.lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_may_be_reset_in_the_middle_of_everything() {
    let resets = |proxy: Arc<Proxy>, progress: Progress| async move {
        for part in 1..12 {
            progress.wait_for(part, 12).await;
            proxy.reset();
        }
    };
    assert!(through(resets).await.accepted() > 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_network_may_freeze_and_thaw() {
    through(|proxy, progress| stops(proxy, progress, Direction::Both)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_may_stop_while_requests_arrive() {
    through(|proxy, progress| stops(proxy, progress, Direction::ToClient)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_may_stop_while_answers_arrive() {
    through(|proxy, progress| stops(proxy, progress, Direction::ToServer)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_died_without_a_word_is_left_behind() {
    let strands = |proxy: Arc<Proxy>, progress: Progress| async move {
        for part in 1..4 {
            progress.wait_for(part, 4).await;
            proxy.strand();
        }
    };
    assert!(through(strands).await.accepted() > 3);
}

/// Stops a direction three times, each until calls were given up and sent over another connection.
async fn stops(proxy: Arc<Proxy>, progress: Progress, direction: Direction) {
    for part in 1..4 {
        progress.wait_for(part, 4).await;
        let given_up = proxy.accepted() + 2;
        proxy.set(Fault::Stops(direction));
        proxy.wait_for_accepted(given_up).await;
        proxy.set(Fault::None);
    }
}
