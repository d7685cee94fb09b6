//! A copy that is frozen for longer than its lease, and comes back (R-T1).

use std::sync::Arc;

use auric_api::scheduler::v1 as api;

use super::storm::LEASE_MS;
use super::town::{Town, now, spec, variable};

const JOB: &str = "long";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_was_frozen_past_its_lease_completes_nothing() {
    let environment = vec![variable("AURIC_SCHEDULER_LEASE_MS", LEASE_MS)];
    let town = Arc::new(Town::empty(vec![environment; 2]).await);
    let on_thread = async |act: fn(&Town)| {
        let town = Arc::clone(&town);
        tokio::task::spawn_blocking(move || act(&town)).await.expect("it is done");
    };
    on_thread(|town| town.start_copy(0)).await;
    // The first attempt hangs until the test lets it go on, and is rejected then; a second one would have been done by that time.
    town.declare("frozen", vec![(JOB.to_owned(), spec(now(), r#"{"hangs":true}"#))]).await;
    town.recorder.wait_until("the first attempt", |calls| !calls.is_empty()).await;
    town.signal(0, "STOP");
    on_thread(|town| town.start_copy(1)).await;
    town.recorder.wait_until("the second attempt", |calls| calls.values().any(|count| *count > 1)).await;
    let ended = async || {
        let request = api::ListFiringsRequest { job_id: JOB.to_owned(), ..api::ListFiringsRequest::default() };
        // The frozen copy would not answer: the other one does, in its turn.
        town.ask(request, async |mut client, ask| client.list_firings(ask).await).await.expect("firings").firings
    };
    let second = loop {
        let firings = ended().await;
        if firings[0].state() == api::FiringState::Done {
            break firings;
        }
    };
    // The first copy wakes up, hears what became of its attempt, and wants to write it.
    town.signal(0, "CONT");
    town.recorder.mend();
    let key = second[0].key.clone();
    let waiting = Arc::clone(&town);
    let refused = tokio::task::spawn_blocking(move || {
        waiting.wait_for(0, |line| line["firing"] == key.as_str() && line["success"] == false)
    });
    let refused = refused.await.expect("the first copy says so");
    assert_eq!(refused["error"], "LEASE_LOST", "{refused}");
    assert_eq!(ended().await, second, "the late completion changed something");
    assert_eq!((second.len(), second[0].message.as_str()), (1, "done at attempt 2"));
    assert_eq!(town.recorder.effects().len(), 1);
    on_thread(|town| drop(town.stop())).await;
}
