//! SIGKILL in the middle of a storm (R-W3, R-W4, R-W5, R-W6, R-O5): nothing half done is left, nothing is lost or done twice, and every caller
//! who asks again has one answer.

use super::harness::{Cluster, on_every_store};
use super::storm::{Storm, rage_beside};

/// How often a process is killed in one storm.
const KILLS: usize = 5;

on_every_store!(killed_in_the_middle_of_a_storm_every_mutation_has_one_effect_and_one_answer);

async fn killed_in_the_middle_of_a_storm_every_mutation_has_one_effect_and_one_answer(cluster: &Cluster) {
    let storm = Storm { seed: 0xA0_71C1, actors: 32, turns: 24 };
    let books = rage_beside(storm, cluster, |progress| async move {
        for kill in 1..=KILLS {
            progress.wait_for(kill * storm.turns_of_all() / (KILLS + 1)).await;
            let copy = kill % cluster.copies();
            tokio::task::block_in_place(|| {
                cluster.kill(copy);
                cluster.restart(copy);
            });
        }
    });
    let books = books.await;
    println!("{storm:?}, killed {KILLS} times on {} copies: {}", cluster.copies(), books.describe());
    assert!(books.applied() > storm.turns_of_all() / 4, "the storm was of refusals only");
    books.check(cluster).await;
    cluster.stop_without_errors();
}
