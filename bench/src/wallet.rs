//! `auric bench wallet`: from what is asked for to the report.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::options::{Mode, WalletOptions};
use crate::report::{Curve, Measured, Point, Report, draw};
use crate::rig::{Installation, Lanes, Rig};
use crate::runner::{Effort, Runner};
use crate::scene::{Kind, Mix, Scene};
use crate::schedule::Pace;
use crate::store::Population;
use crate::suite;
use crate::summary::{Summary, median_window};

/// The loads of a curve: calls in flight of a closed loop.
const CURVE_IN_FLIGHT: [usize; 6] = [1, 4, 16, 64, 256, 1_024];

/// The loads of an open loop, in parts of what the closed loop reached.
const CURVE_RATES: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.85, 0.95];

/// Calls that an open loop may have in flight.
const CURVE_OPEN_IN_FLIGHT: usize = 2_048;

/// Runs what is asked for.
///
/// # Errors
///
/// Something cannot be started, or a call fails; a figure that is missed is no error, the report has it.
pub async fn wallet(options: &WalletOptions, installation: Installation) -> Result<Report> {
    let has_open_loop = options.rate.is_some() || options.svg.is_some();
    ensure!(options.mix != Mix::PostStream || !has_open_loop, "streams are measured in a closed loop only");
    let rig = Rig::new(installation, options.run.postgres.clone(), options.run.statements)?;
    let mut runner = Runner::new(rig, effort(options));
    let done = run(options, &mut runner).await;
    runner.progress.finish();
    let report = done?;
    runner.rig.close().await?;
    Ok(report)
}

async fn run(options: &WalletOptions, runner: &mut Runner) -> Result<Report> {
    let parts = options.parts();
    let (scenes, figures) = if parts.is_empty() {
        let scenes = compared(options);
        let windows = runner.run_all(&scenes).await?;
        (scenes.into_iter().zip(windows).collect(), Vec::new())
    } else {
        let outcome = suite::run(runner, &parts, options.keys).await?;
        (outcome.scenes, outcome.figures)
    };
    let curves = match &options.svg {
        Some(file) => curves(options, runner, file).await?,
        None => Vec::new(),
    };
    Report::of(runner, Measured { scenes, curves, figures }).await
}

fn effort(options: &WalletOptions) -> Effort {
    let (window, rounds) = options.run.windows();
    let players = if options.run.quick { 20_000 } else { 1_000_000 };
    Effort {
        window,
        rounds,
        population: Population { players, entries_each: 10, keys: options.keys },
        players: if options.parts().is_empty() { options.players } else { suite::PLAYERS },
        lanes: Lanes { count: options.lanes, batch_max: options.batch_max, connections_max: None },
        pools: options.naive_pools.clone(),
    }
}

/// The scenes of a comparison: the same calls at everything that is compared.
fn compared(options: &WalletOptions) -> Vec<Scene> {
    let players = if options.hot { 1 } else { options.players };
    let scene = |mode: Mode| {
        let (name, kind) = kind_of(mode, options);
        let scene = Scene::closed(name, kind, options.in_flight.into(), players);
        let pace = match options.rate {
            Some(per_second) => Pace::Open { per_second: per_second.into() },
            None => Pace::Closed,
        };
        let (channels, keys) = (options.run.channels.into(), options.keys);
        Scene { mix: options.mix, pace, routing: options.routing, channels, keys, ..scene }
    };
    options.modes().into_iter().map(scene).collect()
}

fn kind_of(mode: Mode, options: &WalletOptions) -> (&'static str, Kind) {
    match mode {
        Mode::Lanes => ("lanes", Kind::Lanes { copies: options.copies.into() }),
        Mode::Naive => ("naive", Kind::Naive),
        Mode::Echo => ("echo", Kind::Echo),
        Mode::Sqlite => ("sqlite", Kind::Sqlite),
    }
}

/// Measures every mode at growing load, closed loop and open loop, and draws it.
async fn curves(options: &WalletOptions, runner: &mut Runner, file: &Path) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for base in compared(&WalletOptions { rate: None, ..options.clone() }) {
        let closed: Vec<Scene> =
            CURVE_IN_FLIGHT.iter().map(|in_flight| Scene { in_flight: *in_flight, ..base }).collect();
        let seen = runner.run_all(&closed).await?;
        let points: Vec<Point> = closed
            .iter()
            .zip(&seen)
            .filter_map(|(scene, windows)| point(scene.in_flight.to_string(), windows))
            .collect();
        let peak = points.iter().map(|point| point.per_second).fold(1.0, f64::max);
        curves.push(Curve { name: format!("{}, closed loop", base.name), points });
        if base.kind == Kind::Echo {
            continue;
        }
        let rates: Vec<f64> = CURVE_RATES.iter().map(|part| part * peak).collect();
        let open: Vec<Scene> = rates.iter().map(|rate| base.at_rate(*rate, CURVE_OPEN_IN_FLIGHT)).collect();
        let seen = runner.run_all(&open).await?;
        let points =
            rates.iter().zip(&seen).filter_map(|(rate, windows)| point(format!("{rate:.0}/s"), windows)).collect();
        curves.push(Curve { name: format!("{}, open loop", base.name), points });
    }
    draw(&curves, file)?;
    Ok(curves)
}

fn point(offered: String, windows: &[Summary]) -> Option<Point> {
    let window = median_window(windows)?;
    let Summary { per_second, latency, .. } = *window;
    Some(Point { offered, per_second, p50_ms: latency.p50_ms, p99_ms: latency.p99_ms })
}
