//! A copy that is told to stop hands over at once, and does not wait for its leases (R-T1).

use std::sync::Arc;
use std::time::{Duration, Instant};

use auric_api::scheduler::v1 as api;

use super::town::{Town, now, spec, variable};

/// So long that nobody can have waited for it.
const LEASE: Duration = Duration::from_mins(2);

/// How long handing over may take, on a machine that does other things: the drain and a few looks.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(30);

/// Firings that hang: as many as a copy runs at once at one target.
const HANGING: usize = 5;

/// Firings that are due and have no room beside them.
const WAITING: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_stops_hands_over_at_once() {
    let environment = vec![
        variable("AURIC_SCHEDULER_LEASE_MS", &LEASE.as_millis().to_string()),
        variable("AURIC_SCHEDULER_BATCH_MAX", "1"),
        variable("AURIC_DRAIN_SECONDS", "1"),
    ];
    let town = Arc::new(Town::empty(vec![environment; 2]).await);
    let on_thread = async |act: fn(&Town)| {
        let town = Arc::clone(&town);
        tokio::task::spawn_blocking(move || act(&town)).await.expect("it is done");
    };
    on_thread(|town| town.start_copy(0)).await;
    let job = |number: usize, payload: &str| {
        // No attempt ends because it took too long.
        let deadline = Some(prost_types::Duration { seconds: 600, nanos: 0 });
        (format!("job:{number}"), api::JobSpec { deadline, ..spec(now(), payload) })
    };
    let hanging = (0..HANGING).map(|number| job(number, r#"{"hangs":true}"#));
    town.declare("hanging", hanging.collect()).await;
    town.recorder.wait_until("calls in flight", |calls| calls.len() == HANGING).await;
    town.declare("waiting", (HANGING..HANGING + WAITING).map(|number| job(number, "{}")).collect()).await;

    let stopped = Instant::now();
    on_thread(|town| {
        town.signal(0, "TERM");
        town.bury(0);
        town.start_copy(1);
    })
    .await;
    // The first attempts still hang; the second ones do not, and neither does what never began.
    let all = HANGING + WAITING;
    town.recorder
        .wait_until("the other copy takes over", |calls| {
            calls.len() == all && calls.values().filter(|count| **count > 1).count() == HANGING
        })
        .await;
    let took = stopped.elapsed();
    assert!(took < HANDED_OVER_WITHIN, "{took:?}: somebody waited for a lease");
    while town.recorder.effects().len() < all {
        tokio::task::yield_now().await;
    }
    town.recorder.mend();
    on_thread(|town| drop(town.stop())).await;
}
