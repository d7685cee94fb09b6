//! How many firings pass, and how late they are: `cargo run --release -p auric-scheduler --example speed -- 1000 20` for a thousand a second, twenty seconds.
//!
//! One copy in this process, on a PostgreSQL of its own, with a target that does nothing: what is left is the scheduler and its database.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auric_db::{Database, PostgresSettings};
use auric_ids::{HandlerId, TraceId};
use auric_lanes::LaneSettings;
use auric_scheduler::domain::{Action, Ask, DesiredJob, JOBS_MAX, JobSpec, Overlap, Schedule};
use auric_scheduler::{Handlers, Pace, Ran, RunEnd, Target, TargetSet, ToRun, store};
use auric_testkit::databases::PostgresDatabase;
use auric_time::{SystemClock, Timestamp};

/// A target that does nothing, and counts.
#[derive(Debug, Default)]
struct Nothing {
    done: AtomicU64,
    calls: AtomicU64,
}

#[async_trait]
impl Target for Nothing {
    async fn run(&self, _: &HandlerId, firings: &[ToRun], _: Duration) -> Result<Vec<Ran>, String> {
        self.done.fetch_add(u64::try_from(firings.len()).unwrap_or(0), Relaxed);
        self.calls.fetch_add(1, Relaxed);
        let ran = |firing: &ToRun| Ran { key: firing.key.to_string(), end: RunEnd::Done, message: String::new() };
        Ok(firings.iter().map(ran).collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mut number = |default: usize| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
    let (jobs, seconds) = (number(1_000), number(20));
    let database = PostgresDatabase::create(store::postgres_migrator()).await?;
    let connected = Database::connect(database.url(), PostgresSettings::default()).await?;
    let nothing = Arc::new(Nothing::default());
    let target: Arc<dyn Target> = Arc::<Nothing>::clone(&nothing);
    let targets = TargetSet::default().with("nothing".parse()?, target, NonZeroU16::new(10).unwrap_or(NonZeroU16::MIN));
    let copy = Arc::new(Handlers::start(
        store::on(connected, Arc::new(SystemClock)),
        targets,
        Pace::default(),
        LaneSettings::default(),
    ));
    for part in 0..jobs.div_ceil(JOBS_MAX) {
        let numbers = part * JOBS_MAX..jobs.min((part + 1) * JOBS_MAX);
        let desired: Result<Vec<DesiredJob>, Box<dyn std::error::Error>> =
            numbers.map(|number| desired(number, jobs)).collect();
        let action = Action::Ensure { group: "speed".parse()?, jobs: desired? };
        let (key, trace_id) = (Some(format!("part-{part}").parse()?), TraceId::parse("")?);
        copy.mutate(Ask { caller: "speed".parse()?, key, trace_id, drawn: 1, action }, None).await?;
    }
    copy.begin_to_work();
    let warm = Duration::from_secs(6);
    tokio::time::sleep(warm).await;
    let (before, calls, start) = (nothing.done.load(Relaxed), nothing.calls.load(Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(u64::try_from(seconds)?)).await;
    let (done, calls) = (nothing.done.load(Relaxed) - before, nothing.calls.load(Relaxed) - calls);
    let rate = u128::from(done) * 1_000 / start.elapsed().as_millis();
    println!(
        "{jobs} jobs a second: {rate} firings/s done, in {} calls/s",
        u128::from(calls) * 1_000 / start.elapsed().as_millis()
    );
    let counts = copy.standing().await?.counts;
    println!("due: {}, running: {}", counts.due, counts.running);
    tell_lag(database.url()).await?;
    copy.close().await;
    Ok(())
}

/// A job that fires each second, at a time of its own within it.
fn desired(number: usize, jobs: usize) -> Result<DesiredJob, Box<dyn std::error::Error>> {
    let anchor = i64::try_from(number * 1_000 / jobs)? * 1_000;
    let schedule = Schedule::Interval { every_ms: 1_000, anchor: Timestamp::from_micros(anchor) };
    let spec = JobSpec { overlap: Overlap::Allow, ..JobSpec::new(schedule, "nothing".parse()?, "nothing".parse()?) };
    Ok(DesiredJob { job: format!("job-{number}").parse()?, spec: Ok(Arc::new(spec)) })
}

async fn tell_lag(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let pool = sqlx::PgPool::connect(url).await?;
    let (lease, end): (Vec<f64>, Vec<f64>) = sqlx::query_as(
        "SELECT percentile_cont(ARRAY[0.5, 0.99, 0.999]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at) * 1000)::float8[],
             percentile_cont(ARRAY[0.5, 0.99, 0.999]) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - due_at) * 1000)::float8[]
         FROM history
         WHERE ended_at > (SELECT min(ended_at) FROM history) + interval '6 seconds'",
    )
    .fetch_one(&pool)
    .await?;
    println!("from due to leased, in ms: p50 {:.1}, p99 {:.1}, p99.9 {:.1}", lease[0], lease[1], lease[2]);
    println!("from due to done, in ms: p50 {:.1}, p99 {:.1}, p99.9 {:.1}", end[0], end[1], end[2]);
    let hot: i64 = sqlx::query_scalar(
        "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'firings'::regclass",
    )
    .fetch_one(&pool)
    .await?;
    println!("hot table: {} KiB", hot / 1_024);
    Ok(())
}
