//! Jobs that are due all the time, on copies that are killed all the time: each time of each job ends once, and has its effect once (R-T1, R-O5).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auric_api::scheduler::v1 as api;
use auric_testkit::config::{STORM_RATE, STORM_SECONDS, number};
use auric_time::{Clock as _, SystemClock};

use super::town::{Town, each_second, spec, variable};

/// How often a copy is killed.
const KILL_EVERY: Duration = Duration::from_millis(2_500);

/// How long a copy that says nothing keeps its firings.
pub const LEASE_MS: &str = "1500";

/// What a storm came to.
#[derive(Debug, Default)]
pub struct Ends {
    pub done: usize,
    pub skipped: usize,
    pub dead: usize,
    /// Firings that came more than once to the target.
    pub repeated: usize,
}

/// Jobs that are due `rate` times a second together, of every kind.
pub fn jobs(rate: u32) -> Vec<(String, api::JobSpec)> {
    let job = |number: u32| {
        let payload = match number {
            _ if number % 50 == 7 => r#"{"rejects":true}"#,
            _ if number % 10 == 1 => r#"{"fails":1}"#,
            _ if number % 25 == 4 => r#"{"slow_ms":200}"#,
            _ => "{}",
        };
        let overlap = [api::OverlapPolicy::Allow, api::OverlapPolicy::Skip, api::OverlapPolicy::QueueOne];
        let overlap = overlap[usize::try_from(number % 3).expect("less than three")];
        let millis = |ms: i32| Some(prost_types::Duration { seconds: 0, nanos: ms * 1_000_000 });
        let retry = api::RetryPolicy { attempts_max: 20, backoff_base: millis(20), backoff_max: millis(300) };
        let misfire = api::Misfire { policy: api::MisfirePolicy::FireAll.into(), ..api::Misfire::default() };
        let spec = api::JobSpec {
            overlap: overlap.into(),
            retry: Some(retry),
            misfire: Some(misfire),
            ..spec(each_second(number * 1_000 / rate), payload)
        };
        (format!("storm:{number:05}"), spec)
    };
    (0..rate).map(job).collect()
}

/// The whole seconds from a moment on, in which every job is due once each.
pub async fn seconds_from_now(seconds: i64) -> std::ops::Range<i64> {
    let from = SystemClock.now().micros().div_euclid(1_000_000) + 2;
    from..from + seconds
}

/// Waits until the last of these seconds has passed.
pub async fn wait_out(seconds: &std::ops::Range<i64>) {
    while SystemClock.now().micros() < seconds.end * 1_000_000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Finds that each time of each job in these seconds ended once, and that what is done was done once.
pub async fn check(town: &Town, jobs: &[(String, api::JobSpec)], seconds: &std::ops::Range<i64>) -> Ends {
    let mut ends = Ends::default();
    let (effects, calls) = (town.recorder.effects(), town.recorder.calls());
    let mut done_keys = HashSet::new();
    for (job, spec) in jobs {
        let rejects = spec.payload == br#"{"rejects":true}"#;
        let mut ended: BTreeMap<i64, Vec<api::FiringState>> = BTreeMap::new();
        for firing in town.firings(job.clone(), api::FiringState::Unspecified).await {
            for second in covered(&firing) {
                ended.entry(second).or_default().push(firing.state());
            }
            match firing.state() {
                api::FiringState::Done => {
                    assert!(!rejects, "{} is done, which was rejected", firing.key);
                    assert!(effects.contains(&firing.key), "{} is done without effect", firing.key);
                    done_keys.insert(firing.key.clone());
                }
                api::FiringState::Dead => assert!(rejects, "{} is dead: {}", firing.key, firing.message),
                api::FiringState::Skipped => {
                    assert!(!firing.reason.is_empty(), "{} was skipped for no reason", firing.key);
                    assert!(!calls.contains_key(&firing.key), "{} was skipped, and was run", firing.key);
                }
                other => panic!("{} is {other:?}", firing.key),
            }
        }
        for second in seconds.clone() {
            match ended.get(&second).map(Vec::as_slice) {
                Some([api::FiringState::Done]) => ends.done += 1,
                Some([api::FiringState::Skipped]) => ends.skipped += 1,
                Some([api::FiringState::Dead]) => ends.dead += 1,
                other => panic!("{job} at {second} ended as {other:?}"),
            }
        }
    }
    // An effect whose end was never written would be a firing that is neither done nor dead.
    for effect in &effects {
        assert!(done_keys.contains(effect), "{effect} had an effect, and is not done");
    }
    ends.repeated = calls.values().filter(|calls| **calls > 1).count();
    ends
}

/// The seconds that a firing stands for: its own, and of a skipped one all up to its last.
fn covered(firing: &api::Firing) -> std::ops::RangeInclusive<i64> {
    let first = firing.scheduled_for.unwrap_or_default().seconds;
    let last = firing.skipped_until.map_or(first, |until| until.seconds);
    assert_eq!(last - first + 1, firing.count.max(1), "{} counts other times than it stands for", firing.key);
    first..=last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_due_ends_once_while_copies_are_killed() {
    // R-T1, R-T3: three copies, one of which is dead or starting at most times.
    let rate = u32::try_from(number(STORM_RATE).unwrap_or(200)).expect("a rate");
    let length = i64::try_from(number(STORM_SECONDS).unwrap_or(20)).expect("a time");
    let environment = vec![variable("AURIC_SCHEDULER_LEASE_MS", LEASE_MS)];
    let town = Arc::new(Town::start(vec![environment; 3]).await);
    let jobs = jobs(rate);
    town.declare("storm", jobs.clone()).await;
    let seconds = seconds_from_now(length).await;
    let begun = Instant::now();
    let mut killed = 0;
    while SystemClock.now().micros() < seconds.end * 1_000_000 {
        let due = KILL_EVERY.saturating_mul(killed + 1);
        tokio::time::sleep(due.saturating_sub(begun.elapsed()).min(Duration::from_millis(100))).await;
        if begun.elapsed() < due {
            continue;
        }
        let (town, copy) = (Arc::clone(&town), usize::try_from(killed).expect("few") % 3);
        let again = move || {
            town.signal(copy, "KILL");
            town.bury(copy);
            town.start_copy(copy);
        };
        tokio::task::spawn_blocking(again).await.expect("it starts again");
        killed += 1;
    }
    let names: Vec<String> = jobs.iter().map(|(name, _)| name.clone()).collect();
    town.settle(&names, seconds.end).await;
    let ends = check(&town, &jobs, &seconds).await;
    println!("{rate}/s for {length} s, {killed} copies killed: {ends:?}");
    assert!(ends.repeated > 0, "no copy was killed in the middle of a call");
    assert!(ends.dead > 0 && ends.done > ends.skipped, "{ends:?}");
    tokio::task::spawn_blocking(move || town.stop()).await.expect("they stop");
}
