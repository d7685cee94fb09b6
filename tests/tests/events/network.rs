//! A watch over a network that fails: reset in the middle, and cut without a word.

use std::sync::Arc;

use auric_testkit::proxy::Proxy;
use tokio::task::JoinSet;

use super::follower::{Care, Follower};
use super::kills::players;
use super::source::Names;
use crate::wallet::harness::Cluster;
use crate::wallet::storm::{Storm, rage_beside};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broken_stream_is_taken_up_where_its_last_step_ended() {
    let cluster = Cluster::sqlite();
    let proxy = Arc::new(Proxy::start(cluster.address(0)).await.expect("a proxy"));
    let names = Names::default();
    names.set(vec![proxy.address()]);
    let follower = Follower::beside(&cluster, Care::Together).await;
    let mut readers = JoinSet::new();
    readers.spawn(Arc::clone(&follower).run(names.channel().await));
    let storm = Storm { seed: 0x9E7_0017, actors: 16, turns: 20 };
    rage_beside(storm, &cluster, async |progress| {
        for part in 1..10 {
            progress.wait_for(part * storm.turns_of_all() / 10).await;
            if part == 5 { proxy.strand() } else { proxy.reset() }
        }
    })
    .await;
    follower.catch_up(&cluster, &players()).await;
    assert_eq!(follower.faults(&cluster, &players()).await, Vec::<String>::new());
    assert!(proxy.accepted() > 4, "{} connections", proxy.accepted());
    readers.shutdown().await;
    proxy.reset();
    cluster.stop_without_errors();
}
