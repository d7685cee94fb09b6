//! Writers and readers that are killed in the middle of a storm, copies of both coming and going: every event has its effect exactly once, and a
//! player's come in order.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::follower::{Care, Follower};
use super::source::Names;
use crate::wallet::harness::{Cluster, on_every_store};
use crate::wallet::storm::{PLAYERS, Storm, player_name, rage_beside};

on_every_store!(
    through_kills_of_writers_and_readers_every_event_has_its_effect_once,
    a_consumer_that_is_far_behind_catches_up
);

/// How often a process is killed, and each copy of the consumer, in one storm.
const KILLS: usize = 5;

/// Copies of the consumer: only one of them can take a step.
const READERS: usize = 2;

pub fn players() -> Vec<String> {
    (0..PLAYERS).map(player_name).collect()
}

async fn start(readers: &mut JoinSet<Result<(), tonic::Status>>, follower: &Arc<Follower>, names: &Names) {
    for _ in 0..READERS {
        readers.spawn(Arc::clone(follower).run(names.channel().await));
    }
}

async fn through_kills_of_writers_and_readers_every_event_has_its_effect_once(cluster: &Cluster) {
    let storm = Storm { seed: 0xE7_E275, actors: 32, turns: 20 };
    let follower = Follower::beside(cluster, Care::Together).await;
    let names = Names::of(cluster);
    let mut readers = JoinSet::new();
    start(&mut readers, &follower, &names).await;
    let books = rage_beside(storm, cluster, async |progress| {
        for kill in 1..=KILLS {
            progress.wait_for(kill * storm.turns_of_all() / (KILLS + 1)).await;
            // In the middle of whatever they do.
            readers.abort_all();
            let copy = kill % cluster.copies();
            tokio::task::block_in_place(|| {
                cluster.kill(copy);
                cluster.restart(copy);
            });
            names.find(cluster);
            start(&mut readers, &follower, &names).await;
        }
    });
    let books = books.await;
    follower.catch_up(cluster, &players()).await;
    println!("{storm:?}: {}; {} steps", books.describe(), follower.steps());
    assert_eq!(follower.faults(cluster, &players()).await, Vec::<String>::new());
    assert!(books.applied() > storm.turns_of_all() / 4, "the storm was of refusals only");
    books.check(cluster).await;
    readers.shutdown().await;
    cluster.stop_without_errors();
}

async fn a_consumer_that_is_far_behind_catches_up(cluster: &Cluster) {
    // Two thousand mutations behind it is as two million behind: it reads page by page, each no larger than a page.
    let storm = Storm { seed: 0xDA_7BE4, actors: 64, turns: 32 };
    let books = rage_beside(storm, cluster, async |_| {}).await;
    let follower = Follower::beside(cluster, Care::Together).await;
    let mut readers = JoinSet::new();
    start(&mut readers, &follower, &Names::of(cluster)).await;
    // Meanwhile there is more.
    let more = Storm { seed: 0xDA_7BE5, actors: 4, turns: 4 };
    let later = more.again(cluster).await;
    follower.catch_up(cluster, &players()).await;
    assert!(follower.steps() > 3, "all of it in {} steps", follower.steps());
    assert_eq!(follower.faults(cluster, &players()).await, Vec::<String>::new());
    assert!(books.applied() > 0 && later.applied() > 0);
    readers.shutdown().await;
    cluster.stop_without_errors();
}
