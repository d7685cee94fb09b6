//! What must stay bounded: the hot table while a reader stays, and history.

use std::sync::Arc;
use std::time::Duration;

use auric_scheduler::domain::{End, FiringKey, Life, NewFiring, Overlap};
use auric_scheduler::store::{DueAsk, LeaseAsk, PlannedJob, Settled};
use auric_testkit::config;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;

use crate::asks::{at_once, job, made};
use crate::hand::Hand;
use crate::harness::{Place, eventually, firings, on_every_store, wait_for_many};

on_every_store!(history_is_pruned_in_bounded_batches_and_what_is_open_is_not);

/// Firings that pass: a million in the campaign.
fn firings_in_all() -> i64 {
    let asked = config::number(config::HOT_FIRINGS).and_then(|asked| i64::try_from(asked).ok());
    asked.unwrap_or(80_000)
}

/// Firings that one round passes through.
const ROUND: i64 = 2_000;

/// One firing stays open while so many pass: for so long its part cannot be truncated.
const OPEN_FOR: i64 = 20_000;

/// The hot table may be so large, with its indexes, however many firings pass: what those of ten seconds leave behind, which is how long a part is one of
/// now. Without truncation 80,000 leave more.
const HOT_BYTES_MAX: i64 = 24 * 1_024 * 1_024;

const SIZE: &str =
    "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'firings'::regclass";

/// A reader holds an old snapshot while firings pass: what they leave behind cannot be vacuumed, and is truncated instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hot_table_stays_bounded_while_a_reader_stays() {
    let place = Place::postgres().await;
    let Place::Postgres(database) = &place else { panic!("this law is PostgreSQL's") };
    let idle = place.idle_copy(&Arc::new(Hand::default())).await;
    let made = made(&idle, "many", crate::asks::hardly_ever()).await;
    let mut reader = PgConnection::connect(database.url()).await.unwrap();
    reader.execute("SET idle_in_transaction_session_timeout = 0").await.unwrap();
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    reader.execute("SELECT count(*) FROM jobs").await.unwrap();

    let store = place.store().await;
    let (mut passed, mut largest) = (0, 0);
    // One stays open for a while: its part must not be truncated.
    let mut open: Option<Settled> = None;
    let due = DueAsk { since: None, within: Duration::from_hours(400 * 24), limit: 1 };
    while passed < firings_in_all() {
        let row = store.due_jobs(&due).await.unwrap();
        let now = row.now;
        let firing = |number: i64| {
            // A moment of the last hour: rounds go through all parts of the table, as days do.
            let scheduled_for = now.plus_micros(-3_600_000_000 + (passed + number) * 3_000);
            let key = FiringKey { job: job("many"), scheduled_for, incarnation: made.incarnation };
            NewFiring {
                key,
                revision: 1,
                target: "hand".parse().unwrap(),
                overlap: Overlap::Allow,
                triggered: false,
                due_at: scheduled_for,
                fence: 0,
            }
        };
        let planned = PlannedJob {
            job: job("many"),
            plan: row.jobs[0].plan,
            next_at: row.jobs[0].job.next_at,
            firings: (0..ROUND).map(firing).collect(),
            skipped: Vec::new(),
        };
        assert_eq!(store.plan(&[planned], now).await.unwrap().len(), 1);
        let ask = LeaseAsk {
            copy: "law".to_owned(),
            lease: Duration::from_mins(1),
            limit: 2_000,
            since: None,
            busy: Vec::new(),
        };
        let leased = store.lease(&ask).await.unwrap();
        let settled = leased.iter().map(|one| Settled {
            key: one.key.clone(),
            fence: one.fence,
            end: End::Done,
            message: String::new(),
        });
        let mut settled: Vec<Settled> = settled.collect();
        match open.take() {
            None if passed == 0 => open = settled.pop(),
            Some(one) if passed > OPEN_FOR => settled.push(one),
            other => open = other,
        }
        assert_eq!(store.settle(&settled).await.unwrap().len(), settled.len());
        passed += i64::try_from(settled.len()).unwrap();
        store.rotate().await.unwrap();
        largest = largest.max(place.number(SIZE).await);
    }
    assert_eq!(place.number("SELECT count(*) FROM history").await, passed);
    assert!(open.is_none(), "the one that stayed open was settled like all others");
    assert!(largest <= HOT_BYTES_MAX, "the hot table had {largest} bytes, with {passed} firings passed");
    reader.execute("COMMIT").await.unwrap();
    idle.close().await;
    place.assert_whole().await;
}

async fn history_is_pruned_in_bounded_batches_and_what_is_open_is_not(place: Place) {
    let hand = Arc::new(Hand::default());
    let copy = place.copy(&hand).await;
    for number in 0..7 {
        made(&copy, &format!("old-{number}"), at_once()).await;
    }
    for number in 0..7 {
        wait_for_many(&copy, &format!("old-{number}"), Life::Done, 1).await;
    }
    hand.open(false);
    made(&copy, "open", at_once()).await;
    wait_for_many(&copy, "open", Life::Running, 1).await;
    let store = place.store().await;
    let rows =
        "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM definitions)";
    assert_eq!(place.number(rows).await, 7 + 8 + 8);
    assert_eq!(store.prune(Duration::from_hours(1), 100).await.unwrap(), 0, "nothing is so old");
    let first = store.prune(Duration::ZERO, 3).await.unwrap();
    assert!(first <= 12, "{first} rows went in one bounded batch of four tables");
    eventually("all that is old goes", || async { (store.prune(Duration::ZERO, 3).await.unwrap() == 0).then_some(()) })
        .await;
    assert_eq!(place.number(rows).await, 2, "what is open, and what it needs, stays");
    hand.open(true);
    wait_for_many(&copy, "open", Life::Done, 1).await;
    assert_eq!(firings(&copy, "old-1").await.len(), 0);
    copy.close().await;
}

/// Pins the look behind the lock: a row that is committed while the truncation waits must stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_written_to_is_not_truncated() {
    let place = Place::postgres().await;
    let Place::Postgres(database) = &place else { panic!("this law is PostgreSQL's") };
    let idle = place.idle_copy(&Arc::new(Hand::default())).await;
    made(&idle, "job", crate::asks::hardly_ever()).await;
    let mut writer = PgConnection::connect(database.url()).await.unwrap();
    // One of its own: what a transaction sees of others it sees once.
    let mut watcher = PgConnection::connect(database.url()).await.unwrap();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for round in 0..20 {
        let now = idle.standing().await.unwrap().counts.now;
        // Half a minute away, so that it is not a part of now.
        let scheduled_for = now.plus_micros(-30_000_000);
        let slot = scheduled_for.micros().div_euclid(5_000_000).rem_euclid(12);
        let row = |number: &str| {
            format!(
                "INSERT INTO firings (slot, job_id, scheduled_for, incarnation, revision, target, overlap, triggered, due_at, ready_at, fence, attempts)
                 SELECT {slot}, 'job', '{scheduled_for}'::timestamptz + number * interval '1 microsecond', {round}, 1, 'hand', 'allow', false,
                     clock_timestamp(), clock_timestamp(), 0, 0
                 FROM {number} AS number"
            )
        };
        place.sql(&row("generate_series(1, 4000)")).await;
        place.sql("DELETE FROM firings WHERE attempts = 0").await;
        writer.execute("BEGIN").await.unwrap();
        let late = sqlx::AssertSqlSafe(row("generate_series(0, 0)"));
        writer.execute(late).await.unwrap();
        let store = place.store().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { store.rotate().await.unwrap() });
        // It waits for no longer than some milliseconds: whether it is met in them is chance, and there are rounds enough.
        while tasks.try_join_next().is_none() {
            if number(&mut watcher, waiting).await > 0 {
                break;
            }
        }
        writer.execute("COMMIT").await.unwrap();
        tasks.join_all().await;
        assert_eq!(place.number("SELECT count(*) FROM firings").await, 1, "round {round}");
        place.sql("DELETE FROM firings").await;
    }
    idle.close().await;
}

async fn number(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}
