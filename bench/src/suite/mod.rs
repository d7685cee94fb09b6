//! The whole table, in one run.

mod overload;
mod parts;

use std::collections::HashMap;

use anyhow::Result;

use crate::figures::Figure;
use crate::runner::Runner;
use crate::scene::{Kind, Scene};
use crate::summary::{Summary, ratio};
use crate::traffic::KeyOrder;
use overload::{Overload, WAYS};

pub use parts::{PLAYERS, Part};

/// Every window that was measured, by the scene's name.
#[derive(Debug, Default)]
struct Results {
    windows: HashMap<&'static str, Vec<Summary>>,
    /// The memory of `auric up` before its first call.
    idle_bytes: u64,
    overloads: Vec<Overload>,
}

impl Results {
    fn of(&self, name: &str) -> &[Summary] {
        self.windows.get(name).map_or(&[], Vec::as_slice)
    }

    fn ratio(&self, subject: &str, base: &str, of: impl Fn(&Summary) -> f64) -> f64 {
        ratio(self.of(subject), self.of(base), of)
    }
}

/// What a suite came to.
#[derive(Debug)]
pub struct SuiteOutcome {
    /// Every scene with its windows, in the order in which they were first needed.
    pub scenes: Vec<(Scene, Vec<Summary>)>,
    /// The figures, part by part.
    pub figures: Vec<Figure>,
}

/// Runs `parts`, with such keys where a part does not say otherwise.
///
/// # Errors
///
/// Something does not start, or a call fails.
pub async fn run(runner: &mut Runner, parts: &[Part], keys: KeyOrder) -> Result<SuiteOutcome> {
    let mut scenes = scenes_of(parts);
    if keys == KeyOrder::Random {
        for scene in &mut scenes {
            scene.keys = keys;
        }
    }
    let windows = runner.run_all(&scenes).await?;
    let mut results = Results {
        windows: scenes.iter().map(|scene| scene.name).zip(windows).collect(),
        idle_bytes: runner.idle_bytes(Kind::Sqlite).unwrap_or(0),
        overloads: Vec::new(),
    };
    let mut seen: Vec<(Scene, Vec<Summary>)> =
        scenes.iter().map(|scene| (*scene, results.of(scene.name).to_vec())).collect();
    if parts.contains(&Part::Overload) {
        // Last: what an overload leaves behind disturbs nothing.
        for way in WAYS {
            for base in scenes.iter().filter(|scene| scene.name == way.of) {
                // Its capacity before and after: what a host gives may differ by a third from one minute to the next.
                let before = runner.run_once(base).await?;
                let scene = way.scene(base, before.per_second);
                let under = runner.run_once(&scene).await?;
                let after = runner.run_once(base).await?;
                let peak = f64::midpoint(before.per_second, after.per_second);
                let windows = results.of(way.of).iter().chain([&before]);
                let before_bytes = windows.map(|window| window.memory_bytes).max().unwrap_or(0);
                results.overloads.push(Overload { way, peak, before_bytes, seen: under.clone() });
                seen.push((scene, vec![under]));
            }
        }
    }
    let figures = parts.iter().flat_map(|part| part.figures(&results)).collect();
    Ok(SuiteOutcome { scenes: seen, figures })
}

/// The scenes of all parts, each name once.
fn scenes_of(parts: &[Part]) -> Vec<Scene> {
    let mut scenes: Vec<Scene> = Vec::new();
    for scene in parts.iter().flat_map(|part| part.scenes()) {
        if !scenes.iter().any(|there| there.name == scene.name) {
            scenes.push(scene);
        }
    }
    scenes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Verdict;
    use crate::measure::Tally;
    use crate::summary::CpuTimes;

    fn windows(per_second: u64) -> Vec<Summary> {
        let mut tally = Tally { units: per_second, ..Tally::default() };
        tally.latency_us.saturating_record(1_000);
        let cpu = CpuTimes { service: Duration::from_millis(100), ..CpuTimes::default() };
        vec![Summary::of(&tally, Duration::from_secs(1), &cpu, 80 << 20); 3]
    }

    #[test]
    fn a_scene_that_parts_share_is_run_once() {
        let names: Vec<&str> = scenes_of(&Part::ALL).iter().map(|scene| scene.name).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name} in {names:?}");
        }
        assert!(names.contains(&"post") && names.contains(&"naive") && names.contains(&"echo"));
        assert!(WAYS.iter().all(|way| names.contains(&way.of)));
    }

    #[test]
    fn every_part_has_figures_from_its_own_scenes() {
        for part in Part::ALL {
            let mut results = Results { idle_bytes: 40 << 20, ..Results::default() };
            for scene in part.scenes() {
                results.windows.insert(scene.name, windows(1_000));
            }
            let seen = windows(1_000).remove(0);
            results.overloads =
                WAYS.map(|way| Overload { way, peak: 1_000.0, before_bytes: 80 << 20, seen: seen.clone() }).to_vec();
            let figures = part.figures(&results);
            assert!(!figures.is_empty(), "{part:?}");
            let unmeasured: Vec<&Figure> = figures.iter().filter(|figure| figure.reached.is_nan()).collect();
            assert!(unmeasured.is_empty(), "{part:?}: {unmeasured:?}");
        }
    }

    #[test]
    fn post_is_held_against_naive_and_against_echo() {
        let mut results = Results::default();
        let seen = [("post", 16_000), ("post, random keys", 15_000), ("naive", 2_500), ("echo", 50_000)];
        for (name, per_second) in seen {
            results.windows.insert(name, windows(per_second));
        }
        let figures = Part::Post.figures(&results);
        assert!((figures[0].reached - 6.4).abs() < 1e-9 && figures[0].verdict == Verdict::Reached);
        assert!((figures[1].reached - 0.32).abs() < 1e-9 && figures[1].verdict == Verdict::Reached);
        assert!((figures[2].reached - 0.3).abs() < 1e-9 && figures[2].verdict == Verdict::Recorded);
        assert!((figures[3].reached - 6.4).abs() < 1e-9, "a tenth of a second for each 16,000 and 2,500");
    }
}
