//! `auric bench collection`: reads of large collections, with what readers saw kept in memory and without, against an empty call.

use anyhow::Result;

use crate::figures::Bound::{AtLeast, AtMost};
use crate::figures::{Figure, Unit};
use crate::options::CollectionOptions;
use crate::report::{Measured, Report};
use crate::rig::{Installation, Lanes, Rig};
use crate::runner::{Effort, Runner};
use crate::scene::{Kind, Mix, Scene};
use crate::store::Population;
use crate::summary::{Summary, median, ratio};
use crate::traffic::KeyOrder;

/// The least part of the empty call's throughput that a page of 50 must reach.
const PAGE_MIN: f64 = 0.3;

/// Esprits among which the strongest team is looked for, and how long that may take, in milliseconds.
const OPTIMIZED: u32 = 1_000;
const OPTIMIZE_MS_MAX: f64 = 100.0;

/// The same reads with and without memory.
const READS: [(&str, &str, &str, Mix); 3] = [
    ("a page of 50", "page, kept", "page, nothing kept", Mix::ListEsprits),
    ("a page, 1 call in 20 a change", "changes, kept", "changes, nothing kept", Mix::ListAndChange),
    ("a profile", "profile, kept", "profile, nothing kept", Mix::GetProfile),
];

/// Runs what is asked for.
///
/// # Errors
///
/// Something cannot be started, or a call fails; a figure that is missed is no error, the report has it.
pub async fn collection(options: &CollectionOptions, installation: Installation) -> Result<Report> {
    let rig = Rig::new(installation, options.run.postgres.clone(), options.run.statements)?;
    let mut runner = Runner::new(rig, effort(options));
    let done = run(options, &mut runner).await;
    runner.progress.finish();
    let report = done?;
    runner.rig.close().await?;
    Ok(report)
}

async fn run(options: &CollectionOptions, runner: &mut Runner) -> Result<Report> {
    let scenes = scenes(options);
    let windows = runner.run_all(&scenes).await?;
    let scenes: Vec<(Scene, Vec<Summary>)> = scenes.into_iter().zip(windows).collect();
    let figures = figures(&scenes);
    Report::of(runner, Measured { scenes, curves: Vec::new(), figures }).await
}

fn effort(options: &CollectionOptions) -> Effort {
    let (window, rounds) = options.run.windows();
    Effort {
        window,
        rounds,
        population: Population { players: options.players, entries_each: 0, keys: KeyOrder::Growing },
        players: options.players,
        lanes: Lanes::default(),
        pools: Vec::new(),
    }
}

/// The empty call and every read in turns.
fn scenes(options: &CollectionOptions) -> Vec<Scene> {
    let scene = |name, kind, in_flight| Scene {
        channels: options.run.channels.into(),
        ..Scene::closed(name, kind, in_flight, options.players)
    };
    let in_flight = usize::from(options.in_flight);
    let mut scenes = vec![scene("echo", Kind::Echo, in_flight)];
    for (_, kept, loose, mix) in READS {
        for (name, keeps) in [(kept, true), (loose, false)] {
            let kind = Kind::Collection { keeps, esprits: options.esprits };
            scenes.push(Scene { mix, ..scene(name, kind, in_flight) });
        }
    }
    // One after the other: how long a search takes that nothing else waits for.
    let kind = Kind::Collection { keeps: true, esprits: OPTIMIZED };
    scenes.push(Scene { mix: Mix::OptimizeTeam, ..scene("optimize", kind, 1) });
    scenes
}

fn figures(scenes: &[(Scene, Vec<Summary>)]) -> Vec<Figure> {
    let of = |name: &str| scenes.iter().find(|(scene, _)| scene.name == name).map_or(&[][..], |(_, windows)| windows);
    let mut figures = Vec::new();
    for (name, kept, loose, mix) in READS {
        let (kept, loose) = (of(kept), of(loose));
        let against_echo = ratio(kept, of("echo"), |window| window.per_second);
        figures.push(match mix {
            Mix::ListEsprits => Figure::bound(name, "× echo", Unit::Times, (AtLeast(PAGE_MIN), None), against_echo),
            _ => Figure::recorded(name, "× echo", Unit::Times, against_echo),
        });
        let gain = ratio(kept, loose, |window| window.per_second);
        figures.push(Figure::recorded(name, "kept in memory, × nothing kept", Unit::Times, gain));
    }
    let slowest = median(of("optimize").iter().map(|window| window.latency.p99_ms));
    let must = (AtMost(OPTIMIZE_MS_MAX), None);
    figures.push(Figure::bound("the best team of 1,000 esprits", "p99", Unit::Milliseconds, must, slowest));
    figures
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Verdict;
    use crate::measure::Tally;
    use crate::summary::CpuTimes;

    fn windows(per_second: u64, p99_us: u64) -> Vec<Summary> {
        let mut tally = Tally { units: per_second, ..Tally::default() };
        tally.latency_us.saturating_record(p99_us);
        vec![Summary::of(&tally, Duration::from_secs(1), &CpuTimes::default(), 0); 3]
    }

    fn verdicts(page: u64, optimize_us: u64) -> Vec<Verdict> {
        let options = crate::options::CollectionOptions {
            in_flight: 256,
            players: 30,
            esprits: 5_000,
            run: crate::options::RunOptions {
                quick: true,
                check: true,
                channels: 4,
                seconds: None,
                warm_up: None,
                rounds: None,
                postgres: None,
                statements: false,
                json: false,
            },
        };
        let seen = scenes(&options).into_iter().map(|scene| {
            let windows = match scene.name {
                "echo" => windows(1_000, 1_000),
                "optimize" => windows(100, optimize_us),
                _ => windows(page, 1_000),
            };
            (scene, windows)
        });
        figures(&seen.collect::<Vec<_>>()).into_iter().map(|figure| figure.verdict).collect()
    }

    #[test]
    fn pages_are_held_against_the_empty_call_and_searches_against_the_clock() {
        let bound = |verdicts: Vec<Verdict>| (verdicts[0], *verdicts.last().unwrap());
        assert_eq!(bound(verdicts(300, 99_000)), (Verdict::Reached, Verdict::Reached));
        assert_eq!(bound(verdicts(299, 102_000)), (Verdict::Missed, Verdict::Missed));
        let between = verdicts(1, 1);
        assert!(between[1..between.len() - 1].iter().all(|verdict| *verdict == Verdict::Recorded));
    }
}
