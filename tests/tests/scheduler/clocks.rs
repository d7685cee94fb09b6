//! Copies whose clocks on the wall are an hour apart, and jump: the database's clock is the one that counts (R-T1).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auric_testkit::servers::clock_library;

use super::storm::{LEASE_MS, check, jobs, seconds_from_now, wait_out};
use super::town::{Town, variable};

/// Firings a second.
const RATE: u32 = 60;

/// How long it is watched.
const SECONDS: i64 = 8;

/// What a process sees a clock with that `file` sets, now and later; its monotonic clock is left alone.
fn clock(library: &Path, file: &Path) -> Vec<(String, String)> {
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    vec![
        variable("AURIC_SCHEDULER_LEASE_MS", LEASE_MS),
        variable("LD_PRELOAD", &path(library)),
        variable("FAKETIME_TIMESTAMP_FILE", &path(file)),
        variable("FAKETIME_NO_CACHE", "1"),
        variable("DONT_FAKE_MONOTONIC", "1"),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clocks_an_hour_apart_and_jumping_fire_nothing_early_late_or_twice() {
    let library = clock_library().expect("libfaketime is installed: `cargo xtask setup` does that");
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["ahead", "behind", "jumping"].map(|name| folder.path().join(name));
    let set = |index: usize, offset: &str| std::fs::write(&files[index], offset).expect("a clock");
    for (index, offset) in ["+3600", "-3600", "+0"].into_iter().enumerate() {
        set(index, offset);
    }
    let town = Arc::new(Town::start(files.iter().map(|file| clock(&library, file)).collect()).await);
    // The library is at work: the log's own times are an hour off.
    let lines = [0, 1].map(|copy| town.wait_for(copy, |line| line["timestamp"].is_string()));
    let hour = |line: &serde_json::Value| line["timestamp"].as_str().expect("a time")[..13].to_owned();
    assert_ne!(hour(&lines[0]), hour(&lines[1]), "the clocks are not apart");

    let jobs = jobs(RATE);
    town.declare("storm", jobs.clone()).await;
    let seconds = seconds_from_now(SECONDS).await;
    for jump in ["+7200", "-7200", "+86400", "-86400", "+0"] {
        set(2, jump);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    wait_out(&seconds).await;
    let names: Vec<String> = jobs.iter().map(|(name, _)| name.clone()).collect();
    town.settle(&names, seconds.end).await;
    let ends = check(&town, &jobs, &seconds).await;
    assert_eq!(town.recorder.early(), Vec::<String>::new(), "fired before their time");
    println!("{RATE}/s for {SECONDS} s: {ends:?}");
    assert!(ends.done > ends.skipped, "{ends:?}");
    tokio::task::spawn_blocking(move || town.stop()).await.expect("they stop");
}
