//! `auric bench scheduler`: firings leased and completed, and how late they come.

use std::time::Duration;

use anyhow::{Result, ensure};
use auric_time::{Clock as _, SystemClock, Timestamp};

use crate::figures::Bound::{AtLeast, AtMost};
use crate::figures::{Figure, Unit};
use crate::grpc::{Beside, Fleet, Handler, TARGET, When, declare, settled};
use crate::measure::Tally;
use crate::options::SchedulerOptions;
use crate::progress::{Progress, TICK};
use crate::report::{Curve, Drawn, Point, Report, SceneReport, draw};
use crate::rig::{Installation, Rig, Target};
use crate::summary::{CpuTimes, Summary, median};
use crate::traffic::Routing;
use crate::usage::{MemoryWatch, busy_time, cpu_time, cpu_time_of_tree};

/// Firings a second that must be leased and completed.
const BURST_MUST: f64 = 5_000.0;

/// What is published of db-scheduler on PostgreSQL, the lower of two figures: cited, not measured here.
const DB_SCHEDULER_PUBLISHED: f64 = 10_600.0;

/// The most that 99 of 100 firings may be late at [`RATE_HELD`].
const LAG_P99_MS_MAX: f64 = 250.0;

/// The rate that the lag is held to its bound at, a second.
const RATE_HELD: u32 = 1_000;

/// The rates of the curve, in parts of the largest.
const CURVE_PARTS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 1.0];

/// Firings before a burst, so that nothing is done for the first time in it.
const WARM_UP: usize = 2_000;

/// How long all of a burst may take.
const BURST_WAIT_MAX: Duration = Duration::from_mins(3);

/// How long before a burst is due its last job is to be made.
const BREATH: Duration = Duration::from_secs(3);

/// Runs what is asked for.
///
/// # Errors
///
/// Something cannot be started, a call fails, or a firing is lost; a figure that is missed is no error, the report has it.
pub async fn scheduler(options: &SchedulerOptions, installation: Installation) -> Result<Report> {
    let rig = Rig::new(installation, options.run.postgres.clone(), options.run.statements)?;
    let mut bench = Bench { options, rig, progress: Progress::new(), started: 0 };
    let done = bench.run().await;
    bench.progress.finish();
    let report = done?;
    bench.rig.close().await?;
    Ok(report)
}

struct Bench<'a> {
    options: &'a SchedulerOptions,
    rig: Rig,
    progress: Progress,
    started: u32,
}

/// A scheduler on a database of its own, and its handler.
struct Ready {
    target: Target,
    fleet: Fleet,
    handler: Handler,
}

/// One kind of burst.
const BURSTS: [(&str, Beside); 2] =
    [("burst", Beside::Allowed), ("burst, one firing a job at a time", Beside::Skipped)];

impl Bench<'_> {
    async fn run(&mut self) -> Result<Report> {
        let (window, rounds) = self.options.run.windows();
        let firings = usize::try_from(self.options.firings).unwrap_or(usize::MAX);
        let mut scenes = Vec::new();
        for (name, beside) in BURSTS {
            let mut windows = Vec::new();
            for round in 1..=rounds {
                self.progress.say(format!("{name} of {firings} firings (round {round} of {rounds})"));
                windows.push(self.burst(beside, firings).await?);
            }
            scenes.push(SceneReport::named(name, "scheduler", firings, windows));
        }
        let mut paced = Vec::new();
        for round in 1..=rounds {
            self.progress.say(format!("{} firings a second (round {round} of {rounds})", self.options.rate));
            paced.push(self.pace(self.options.rate, window.length).await?);
        }
        scenes.push(SceneReport::named("paced", "scheduler", usize::try_from(self.options.rate)?, paced));
        let figures = figures(&scenes, self.options.rate);
        let curves = match &self.options.svg {
            Some(file) => {
                let curves = vec![self.curve(window.length).await?];
                draw(&curves, file)?;
                curves
            }
            None => Vec::new(),
        };
        Report::drawn(&self.rig, Drawn { window, rounds, scenes, curves, figures }).await
    }

    async fn ready(&mut self) -> Result<Ready> {
        self.started += 1;
        let handler = Handler::start().await?;
        let name = format!("scheduler_{}", self.started);
        let target = self.rig.scheduler(&name, (TARGET, &handler.url()), self.options.copies.into()).await?;
        let fleet = target.connect(1, Routing::Rendezvous).await?;
        if let Some(cluster) = self.rig.started_cluster() {
            cluster.forget_statements().await?;
        }
        Ok(Ready { target, fleet, handler })
    }

    /// Has so many one-shot jobs due at one moment, and waits until the end of each is written.
    async fn burst(&mut self, beside: Beside, firings: usize) -> Result<Summary> {
        let Ready { target, fleet, handler } = self.ready().await?;
        // How fast jobs are made says when the burst can be.
        let making = tokio::time::Instant::now();
        handler.begin(Timestamp::EPOCH, Timestamp::EPOCH);
        declare(&fleet, "warm-up", beside, &vec![When::Once(SystemClock.now()); WARM_UP]).await?;
        let each = making.elapsed() / u32::try_from(WARM_UP)?;
        handler.wait_for(WARM_UP, BURST_WAIT_MAX).await?;
        settled(&fleet, BURST_WAIT_MAX).await?;

        let lead = each.saturating_mul(u32::try_from(firings)?).saturating_mul(2).saturating_add(BREATH);
        let due = SystemClock.now().plus_micros(i64::try_from(lead.as_micros())?);
        handler.begin(due, due.plus_micros(1_000_000));
        let due = due.plus_micros(-due.micros().rem_euclid(1_000)).plus_micros(1_000);
        declare(&fleet, "burst", beside, &vec![When::Once(due); firings]).await?;
        ensure!(SystemClock.now() < due, "the jobs were not all made before they were due: ask for fewer firings");
        self.wait_until(due).await;
        let (before, memory) = (self.cpu_times(&target), MemoryWatch::start(target.pids()));
        handler.wait_for(firings, BURST_WAIT_MAX).await?;
        settled(&fleet, BURST_WAIT_MAX).await?;
        let length = Duration::from_micros(SystemClock.now().micros_since(due));
        let cpu = self.cpu_times(&target).since(&before);
        let memory_bytes = memory.peaks().await.into_values().max().unwrap_or(0);
        let (tally, repeated, _) = handler.seen();
        ensure!(repeated == 0, "{repeated} firings came more than once, though nothing failed");
        Ok(Summary::of(&tally, length, &cpu, memory_bytes))
    }

    /// Has jobs fire each second at a rate that is spread evenly over it, and notes how late each firing comes.
    async fn pace(&mut self, rate: u32, length: Duration) -> Result<Summary> {
        let Ready { target, fleet, handler } = self.ready().await?;
        let jobs: Vec<When> =
            (0..rate).map(|number| When::EachSecond(Duration::from_secs(1) * number / rate)).collect();
        let jobs: Vec<When> = jobs.into_iter().map(whole_ms).collect();
        declare(&fleet, "paced", Beside::Skipped, &jobs).await?;
        // The whole seconds that come: each has every job once.
        let from = SystemClock.now().micros().div_euclid(1_000_000).saturating_add(3).saturating_mul(1_000_000);
        let from = Timestamp::from_micros(from);
        let until = from.plus_micros(i64::try_from(length.as_micros())?);
        handler.begin(from, until);
        self.wait_until(from).await;
        let (before, memory) = (self.cpu_times(&target), MemoryWatch::start(target.pids()));
        self.wait_until(until).await;
        let cpu = self.cpu_times(&target).since(&before);
        let memory_bytes = memory.peaks().await.into_values().max().unwrap_or(0);
        // What is late counts as well: it is waited for.
        let expected = u64::from(rate).saturating_mul(length.as_secs());
        let tally = whole(&handler, expected).await?;
        Ok(Summary::of(&tally, length, &cpu, memory_bytes))
    }

    async fn curve(&mut self, length: Duration) -> Result<Curve> {
        let mut points = Vec::new();
        for part in CURVE_PARTS {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a rate is a rate")]
            let rate = (f64::from(self.options.curve_rate) * part) as u32;
            self.progress.say(format!("{rate} firings a second, for the curve"));
            let Summary { per_second, latency, .. } = self.pace(rate.max(1), length).await?;
            let offered = format!("{rate}/s");
            points.push(Point { offered, per_second, p50_ms: latency.p50_ms, p99_ms: latency.p99_ms });
        }
        Ok(Curve { name: "scheduler: lag of firings".to_owned(), points })
    }

    /// Moves the progress bar until `time`.
    async fn wait_until(&self, time: Timestamp) {
        let left = || Duration::from_micros(time.micros_since(SystemClock.now()));
        self.progress.expect(left());
        while !left().is_zero() {
            let step = left().min(TICK);
            tokio::time::sleep(step).await;
            self.progress.passed(step);
        }
    }

    fn cpu_times(&self, target: &Target) -> CpuTimes {
        let database = self.rig.started_cluster().and_then(crate::store::Cluster::pid);
        CpuTimes {
            client: cpu_time(std::process::id()),
            service: target.pids().into_iter().map(cpu_time).sum(),
            processes: Vec::new(),
            database: database.map(cpu_time_of_tree).unwrap_or_default(),
            machine: busy_time(),
        }
    }
}

/// Times are whole milliseconds.
fn whole_ms(when: When) -> When {
    match when {
        When::EachSecond(after) => {
            When::EachSecond(Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(0)))
        }
        When::Once(_) => when,
    }
}

/// The lags of all the firings of a window, once they have come.
async fn whole(handler: &Handler, expected: u64) -> Result<Tally> {
    let begun = tokio::time::Instant::now();
    loop {
        let (tally, repeated, _) = handler.seen();
        ensure!(repeated == 0, "{repeated} firings came more than once, though nothing failed");
        if tally.units >= expected {
            return Ok(tally);
        }
        ensure!(begun.elapsed() < BURST_WAIT_MAX, "{} of {expected} firings came", tally.units);
        tokio::time::sleep(TICK).await;
    }
}

fn figures(scenes: &[SceneReport], rate: u32) -> Vec<Figure> {
    let of = |name: &str, of: fn(&Summary) -> f64| {
        let windows = scenes.iter().find(|scene| scene.name == name).map_or(&[][..], |scene| &scene.windows);
        median(windows.iter().map(of))
    };
    let burst = of("burst", |window| window.per_second);
    let p99 = of("paced", |window| window.latency.p99_ms);
    let lag = match rate {
        RATE_HELD => {
            Figure::bound("1,000 a second", "lag p99", Unit::Milliseconds, (AtMost(LAG_P99_MS_MAX), None), p99)
        }
        _ => Figure::recorded("at the rate asked for", "lag p99", Unit::Milliseconds, p99),
    };
    vec![
        Figure::bound(
            "a burst",
            "leased and completed",
            Unit::PerSecond,
            (AtLeast(BURST_MUST), Some(AtLeast(DB_SCHEDULER_PUBLISHED))),
            burst,
        ),
        Figure::recorded("a burst", "× db-scheduler's published 10,600/s", Unit::Times, burst / DB_SCHEDULER_PUBLISHED),
        Figure::recorded(
            "a burst, one firing a job at a time",
            "leased and completed",
            Unit::PerSecond,
            of(BURSTS[1].0, |window| window.per_second),
        ),
        lag,
        Figure::recorded("the same", "lag p50", Unit::Milliseconds, of("paced", |window| window.latency.p50_ms)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Verdict;

    fn scene(name: &'static str, per_second: u64, lag_us: u64) -> SceneReport {
        let mut tally = Tally { units: per_second, ..Tally::default() };
        tally.latency_us.saturating_record(lag_us);
        let window = Summary::of(&tally, Duration::from_secs(1), &CpuTimes::default(), 0);
        SceneReport::named(name, "scheduler", 1, vec![window; 3])
    }

    #[test]
    fn a_burst_is_held_to_its_bound_and_so_is_the_lag_at_its_rate() {
        let verdicts = |per_second, lag_us, rate| {
            let scenes = [scene("burst", per_second, 1), scene("paced", 1, lag_us)];
            let figures = figures(&scenes, rate);
            (figures[0].verdict, figures[3].verdict)
        };
        assert_eq!(verdicts(4_999, 251_000, 1_000), (Verdict::Missed, Verdict::Missed));
        assert_eq!(verdicts(5_000, 249_000, 1_000), (Verdict::Reached, Verdict::Reached));
        assert_eq!(verdicts(10_600, 251_000, 500), (Verdict::Aim, Verdict::Recorded));
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        assert_eq!(figures(&[], 1_000)[0].verdict, Verdict::Missed);
    }
}
