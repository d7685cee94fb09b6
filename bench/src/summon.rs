//! `auric bench summon`: summons over three services, against the monolith.

use anyhow::Result;

use crate::figures::Bound::{AtLeast, AtMost};
use crate::figures::{Figure, Unit};
use crate::options::SummonOptions;
use crate::report::{Measured, Report};
use crate::rig::{Installation, Lanes, Rig};
use crate::runner::{Effort, Runner};
use crate::scene::{Kind, Mix, Scene};
use crate::store::Population;
use crate::summary::{Summary, ratio};
use crate::traffic::KeyOrder;

/// Players of the scenes in which every call is on a few.
const HOT_PLAYERS: u32 = 10;

/// The least part of the monolith's throughput, and what is aimed at.
const THROUGHPUT: (f64, f64) = (0.6, 1.0);

/// The most that p99 may be of the monolith's.
const P99_MAX: f64 = 3.0;

/// The same calls at the services and at the monolith.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Its name in the figures.
    name: &'static str,
    /// The services' scene.
    summon: &'static str,
    /// The monolith's scene.
    monolith: &'static str,
    mix: Mix,
    /// Whether every call is on a few players.
    is_hot: bool,
    /// Whether there are bounds.
    is_held: bool,
}

const SINGLE: Pair =
    Pair { name: "a summon", summon: "summon", monolith: "monolith", mix: Mix::Summon, is_hot: false, is_held: true };

const PAIRS: [Pair; 3] = [
    SINGLE,
    Pair { name: "a summon, 10 hot players", summon: "summon, hot", monolith: "monolith, hot", is_hot: true, ..SINGLE },
    Pair {
        name: "ten pulls",
        summon: "summon, ten pulls",
        monolith: "monolith, ten pulls",
        mix: Mix::SummonTen,
        is_held: false,
        ..SINGLE
    },
];

/// Runs what is asked for.
///
/// # Errors
///
/// Something cannot be started, or a call fails; a figure that is missed is no error, the report has it.
pub async fn summon(options: &SummonOptions, installation: Installation) -> Result<Report> {
    let rig = Rig::new(installation, options.run.postgres.clone(), options.run.statements)?;
    let mut runner = Runner::new(rig, effort(options));
    let done = run(options, &mut runner).await;
    runner.progress.finish();
    let report = done?;
    runner.rig.close().await?;
    Ok(report)
}

async fn run(options: &SummonOptions, runner: &mut Runner) -> Result<Report> {
    let scenes = scenes(options);
    let windows = runner.run_all(&scenes).await?;
    let scenes: Vec<(Scene, Vec<Summary>)> = scenes.into_iter().zip(windows).collect();
    let figures = figures(&scenes);
    Report::of(runner, Measured { scenes, curves: Vec::new(), figures }).await
}

fn effort(options: &SummonOptions) -> Effort {
    let (window, rounds) = options.run.windows();
    Effort {
        window,
        rounds,
        population: Population { players: options.players, entries_each: 0, keys: KeyOrder::Growing },
        players: options.players,
        lanes: Lanes::default(),
        pools: options.monolith_pools.clone(),
    }
}

/// The services and the monolith in turns.
fn scenes(options: &SummonOptions) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for Pair { summon, monolith, mix, is_hot, .. } in PAIRS {
        let players = if is_hot { HOT_PLAYERS } else { options.players };
        for (name, kind) in [(summon, Kind::Summon), (monolith, Kind::Monolith)] {
            let scene = Scene::closed(name, kind, options.in_flight.into(), players);
            scenes.push(Scene { mix, channels: options.run.channels.into(), ..scene });
        }
    }
    scenes
}

fn figures(scenes: &[(Scene, Vec<Summary>)]) -> Vec<Figure> {
    let of = |name: &str| scenes.iter().find(|(scene, _)| scene.name == name).map_or(&[][..], |(_, windows)| windows);
    let mut figures = Vec::new();
    for Pair { name, summon, monolith, is_held, .. } in PAIRS {
        let (summon, monolith) = (of(summon), of(monolith));
        let figure = |of, (must, aim), reached| {
            if is_held {
                Figure::bound(name, of, Unit::Times, (must, aim), reached)
            } else {
                Figure::recorded(name, of, Unit::Times, reached)
            }
        };
        let (must, aim) = THROUGHPUT;
        let speed = ratio(summon, monolith, |window| window.per_second);
        let p99 = ratio(summon, monolith, |window| window.latency.p99_ms);
        let thrift = ratio(monolith, summon, |window| window.cpu.total_us());
        figures.push(figure("× monolith", (AtLeast(must), Some(AtLeast(aim))), speed));
        figures.push(figure("p99, × monolith's", (AtMost(P99_MAX), None), p99));
        figures.push(Figure::recorded(name, "× monolith by processor time", Unit::Times, thrift));
    }
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
        let cpu = CpuTimes { service: Duration::from_millis(500), ..CpuTimes::default() };
        vec![Summary::of(&tally, Duration::from_secs(1), &cpu, 0); 3]
    }

    fn verdicts(kind_of: impl Fn(Kind) -> (u64, u64)) -> Vec<(&'static str, Verdict)> {
        let scenes = PAIRS.iter().flat_map(|pair| {
            [(pair.summon, Kind::Summon), (pair.monolith, Kind::Monolith)].map(|(name, kind)| {
                let (per_second, p99_us) = kind_of(kind);
                (Scene::closed(name, kind, 256, 10), windows(per_second, p99_us))
            })
        });
        figures(&scenes.collect::<Vec<_>>()).into_iter().map(|figure| (figure.of, figure.verdict)).collect()
    }

    #[test]
    fn a_summon_is_held_against_the_monolith() {
        let at =
            |per_second, p99_us| move |kind| if kind == Kind::Summon { (per_second, p99_us) } else { (1_000, 10_000) };
        let first = |verdicts: Vec<(&'static str, Verdict)>| [verdicts[0].1, verdicts[1].1];
        assert_eq!(first(verdicts(at(599, 31_000))), [Verdict::Missed, Verdict::Missed]);
        assert_eq!(first(verdicts(at(600, 29_000))), [Verdict::Reached, Verdict::Reached]);
        assert_eq!(first(verdicts(at(1_000, 5_000))), [Verdict::Aim, Verdict::Reached]);
    }

    #[test]
    fn what_there_is_no_bound_for_is_recorded() {
        let seen = verdicts(|_| (1, 1));
        assert_eq!(seen.len(), 3 * PAIRS.len());
        assert!(seen[6..].iter().all(|(_, verdict)| *verdict == Verdict::Recorded));
        assert!(seen[..6].iter().filter(|(of, _)| !of.ends_with("time")).all(|(_, it)| *it != Verdict::Recorded));
    }
}
