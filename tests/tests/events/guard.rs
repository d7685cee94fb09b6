//! The proof of the proof: a consumer that writes its cursor apart from its effect counts twice, and the comparison says so.

use tokio::task::JoinSet;

use super::follower::{Care, Follower};
use super::kills::players;
use super::source::Names;
use crate::wallet::harness::{Cluster, on_every_store};
use crate::wallet::storm::{Storm, rage_beside};

on_every_store!(a_consumer_whose_cursor_is_written_apart_from_its_effect_is_caught);

async fn a_consumer_whose_cursor_is_written_apart_from_its_effect_is_caught(cluster: &Cluster) {
    let storm = Storm { seed: 0x6A_12D0, actors: 8, turns: 6 };
    for (care, is_right) in [(Care::Together, true), (Care::Apart, false)] {
        let follower = Follower::beside(cluster, care).await;
        let mut readers = JoinSet::new();
        readers.spawn(std::sync::Arc::clone(&follower).run(Names::of(cluster).channel().await));
        if is_right {
            rage_beside(storm, cluster, async |_| {}).await;
        }
        follower.catch_up(cluster, &players()).await;
        let faults = follower.faults(cluster, &players()).await;
        assert_eq!(faults.is_empty(), is_right, "{care:?}: {faults:?}");
        readers.shutdown().await;
    }
    cluster.stop_without_errors();
}
