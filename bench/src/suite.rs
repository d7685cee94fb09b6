//! The whole table: every part, the scenes that it needs, and the figures that come of them.

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;

use crate::figures::{Bound, Figure, Unit};
use crate::runner::Runner;
use crate::scene::{Kind, Mix, Scene};
use crate::summary::{Summary, median, ratio};
use crate::traffic::Routing;
use Bound::{AtLeast, AtMost};

/// Players of every ledger but the one with a past.
pub const PLAYERS: u32 = 10_000;

/// Calls in flight in most parts.
const IN_FLIGHT: usize = 256;

/// Batches in flight.
const BATCHES_IN_FLIGHT: usize = 8;

/// Calls in flight under overload: more than a wallet takes in, so that it has to refuse.
const OVERLOAD_IN_FLIGHT: usize = 12_288;

/// Connections under overload: each carries 1,024 calls at a time.
const OVERLOAD_CHANNELS: usize = 16;

/// How many times the capacity is offered under overload.
const OVERLOAD: f64 = 3.0;

const LANES: Kind = Kind::Lanes { copies: 1 };

/// One part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Unary Post against naive and echo.
    Post,
    /// Many postings in one call.
    Batch,
    /// Every call on one player.
    Hot,
    /// A lone caller.
    Lone,
    /// A reserve and its commit; claims and transfers beside it.
    Reserve,
    /// SQLite.
    Sqlite,
    /// A ledger with a long past.
    Million,
    /// Two copies on one database.
    Copies,
    /// Resident memory.
    Memory,
    /// Three times the capacity.
    Overload,
}

impl Part {
    /// Every part, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Post,
        Self::Batch,
        Self::Hot,
        Self::Lone,
        Self::Reserve,
        Self::Sqlite,
        Self::Million,
        Self::Copies,
        Self::Memory,
        Self::Overload,
    ];

    /// The scenes that its figures come of. Names that parts share are run once.
    fn scenes(self) -> Vec<Scene> {
        let echo = Scene::closed("echo", Kind::Echo, IN_FLIGHT, PLAYERS);
        let naive = Scene::closed("naive", Kind::Naive, IN_FLIGHT, PLAYERS);
        let post = Scene::closed("post", LANES, IN_FLIGHT, PLAYERS);
        let sqlite = Scene::closed("sqlite", Kind::Sqlite, IN_FLIGHT, PLAYERS);
        match self {
            Self::Post => vec![echo, naive, post],
            Self::Batch => {
                vec![naive, Scene { name: "batch", mix: Mix::PostBatch, in_flight: BATCHES_IN_FLIGHT, ..post }]
            }
            Self::Hot => vec![post, Scene { name: "hot", players: Some(1), ..post }],
            Self::Lone => vec![
                Scene { name: "naive lone", in_flight: 1, ..naive },
                Scene { name: "post lone", in_flight: 1, ..post },
            ],
            Self::Reserve => vec![
                post,
                Scene { name: "reserve + commit", mix: Mix::ReserveCommit, ..post },
                Scene { name: "transfer", mix: Mix::Transfer, ..post },
                Scene { name: "claim", mix: Mix::Claim, ..post },
            ],
            Self::Sqlite => vec![echo, sqlite],
            Self::Million => vec![
                post,
                Scene { name: "million, 10,000 called", kind: Kind::Filled, ..post },
                Scene { name: "million, all called", kind: Kind::Filled, players: None, ..post },
            ],
            Self::Copies => {
                let two = Scene { kind: Kind::Lanes { copies: 2 }, ..post };
                vec![
                    post,
                    Scene { name: "two copies, rendezvous", ..two },
                    Scene { name: "two copies, random", routing: Routing::Random, ..two },
                ]
            }
            Self::Memory => vec![post, sqlite],
            Self::Overload => vec![post],
        }
    }

    fn figures(self, results: &Results) -> Vec<Figure> {
        let speed = |subject, base| results.ratio(subject, base, |window| window.per_second);
        let at_least = |must, aim| (AtLeast(must), Some(AtLeast(aim)));
        match self {
            Self::Post => vec![
                Figure::bound("unary Post", "× naive", Unit::Times, at_least(5.0, 8.0), speed("post", "naive")),
                Figure::bound("unary Post", "× echo", Unit::Times, at_least(0.25, 0.4), speed("post", "echo")),
            ],
            Self::Batch => {
                let reached = speed("batch", "naive");
                vec![Figure::bound("PostBatch of 500", "× naive", Unit::Times, at_least(8.0, 15.0), reached)]
            }
            Self::Hot => {
                let reached = speed("hot", "post");
                vec![Figure::bound("every call on one player", "× spread", Unit::Times, at_least(0.8, 1.0), reached)]
            }
            Self::Lone => {
                let reached = results.ratio("post lone", "naive lone", |window| window.latency.p50_ms);
                let bounds = (AtMost(1.2), Some(AtMost(1.0)));
                vec![Figure::bound("a lone caller's p50", "× naive", Unit::Times, bounds, reached)]
            }
            Self::Reserve => {
                let pairs = speed("reserve + commit", "post");
                vec![
                    Figure::bound("reserve + commit, pairs", "× unary Post", Unit::Times, at_least(0.45, 0.5), pairs),
                    Figure::recorded("transfer", "× unary Post", Unit::Times, speed("transfer", "post")),
                    Figure::recorded("claim", "× unary Post", Unit::Times, speed("claim", "post")),
                ]
            }
            Self::Sqlite => {
                vec![Figure::bound("SQLite", "× echo", Unit::Times, at_least(0.2, 0.33), speed("sqlite", "echo"))]
            }
            Self::Million => {
                let few = speed("million, 10,000 called", "post");
                vec![
                    Figure::bound("a long past, 10,000 called", "× empty", Unit::Times, at_least(0.8, 1.0), few),
                    Figure::recorded(
                        "a long past, all called",
                        "× empty",
                        Unit::Times,
                        speed("million, all called", "post"),
                    ),
                ]
            }
            Self::Copies => vec![
                Figure::recorded(
                    "two copies, rendezvous",
                    "× one",
                    Unit::Times,
                    speed("two copies, rendezvous", "post"),
                ),
                Figure::recorded("two copies, random", "× one", Unit::Times, speed("two copies, random", "post")),
            ],
            Self::Memory => {
                let most = |name| median(results.of(name).iter().map(|window| mebibytes(window.memory_bytes)));
                let bounds = |bound| (AtMost(bound), None);
                vec![
                    Figure::bound("auric up", "idle", Unit::Mebibytes, bounds(60.0), mebibytes(results.idle_bytes)),
                    Figure::bound("auric up", "during the run", Unit::Mebibytes, bounds(300.0), most("sqlite")),
                    Figure::bound(
                        "wallet on PostgreSQL",
                        "during the run",
                        Unit::Mebibytes,
                        bounds(300.0),
                        most("post"),
                    ),
                ]
            }
            Self::Overload => results.overload.iter().flat_map(Overload::figures).collect(),
        }
    }
}

/// Every window that was measured, by the scene's name.
#[derive(Debug, Default)]
struct Results {
    windows: HashMap<&'static str, Vec<Summary>>,
    idle_bytes: u64,
    overload: Option<Overload>,
}

impl Results {
    fn of(&self, name: &str) -> &[Summary] {
        self.windows.get(name).map_or(&[], Vec::as_slice)
    }

    fn ratio(&self, subject: &str, base: &str, of: impl Fn(&Summary) -> f64) -> f64 {
        ratio(self.of(subject), self.of(base), of)
    }
}

/// More than can be done, and what came of it.
#[derive(Debug)]
struct Overload {
    peak: f64,
    before_bytes: u64,
    seen: Summary,
}

impl Overload {
    fn figures(&self) -> Vec<Figure> {
        let Self { peak, before_bytes, seen } = self;
        let times = |must| (AtLeast(must), None);
        let offered = (seen.per_second + seen.refused_per_second) / peak;
        let growth = mebibytes(seen.memory_bytes.saturating_sub(*before_bytes));
        vec![
            Figure::recorded("overload", "answered or refused, × peak", Unit::Times, offered),
            Figure::bound("overload, accepted", "× peak", Unit::Times, times(0.9), seen.per_second / peak),
            Figure::bound("overload, refusals", "that say when", Unit::Percent, times(1.0), seen.refused_with_delay),
            Figure::recorded("overload, refusals", "p99", Unit::Milliseconds, seen.refusal.p99_ms),
            Figure::bound(
                "overload, accepted",
                "p99",
                Unit::Milliseconds,
                (AtMost(2_000.0), None),
                seen.service.p99_ms,
            ),
            Figure::bound("overload", "memory added", Unit::Mebibytes, (AtMost(150.0), None), growth),
        ]
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

/// Runs `parts`.
///
/// # Errors
///
/// Something does not start, or a call fails.
pub async fn run(runner: &mut Runner, parts: &[Part]) -> Result<SuiteOutcome> {
    let scenes = scenes_of(parts);
    let windows = runner.run_all(&scenes).await?;
    let mut results = Results {
        windows: scenes.iter().map(|scene| scene.name).zip(windows).collect(),
        idle_bytes: runner.idle_bytes(Kind::Sqlite).unwrap_or(0),
        overload: None,
    };

    let mut scenes: Vec<(Scene, Vec<Summary>)> =
        scenes.into_iter().map(|scene| (scene, results.of(scene.name).to_vec())).collect();
    if parts.contains(&Part::Overload) {
        let (scene, overload) = run_overload(runner, results.of("post")).await?;
        scenes.push((scene, vec![overload.seen.clone()]));
        results.overload = Some(overload);
    }
    let figures = parts.iter().flat_map(|part| part.figures(&results)).collect();
    Ok(SuiteOutcome { scenes, figures })
}

async fn run_overload(runner: &mut Runner, post: &[Summary]) -> Result<(Scene, Overload)> {
    let peak = median(post.iter().map(|window| window.per_second));
    let before_bytes = post.iter().map(|window| window.memory_bytes).max().unwrap_or(0);
    let scene = Scene::closed("overload", LANES, IN_FLIGHT, PLAYERS).at_rate(peak * OVERLOAD, OVERLOAD_IN_FLIGHT);
    let scene = Scene { channels: OVERLOAD_CHANNELS, ..scene };
    let window = runner.effort.window;
    runner.progress.expect(window.end());
    runner.progress.say(scene.name);
    let seen = runner.run(&scene, window).await?;
    Ok((scene, Overload { peak, before_bytes, seen }))
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

fn mebibytes(bytes: u64) -> f64 {
    crate::float(bytes) / 1_048_576.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Verdict;
    use crate::measure::Tally;
    use crate::summary::CpuTimes;

    fn windows(per_second: u64) -> Vec<Summary> {
        let tally = Tally { units: per_second, ..Tally::default() };
        vec![Summary::of(&tally, Duration::from_secs(1), CpuTimes::default(), 80 << 20); 3]
    }

    #[test]
    fn a_scene_that_parts_share_is_run_once() {
        let names: Vec<&str> = scenes_of(&Part::ALL).iter().map(|scene| scene.name).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name} in {names:?}");
        }
        assert!(names.contains(&"post") && names.contains(&"naive") && names.contains(&"echo"));
    }

    #[test]
    fn every_part_has_figures_from_its_own_scenes() {
        for part in Part::ALL {
            let mut results = Results { idle_bytes: 40 << 20, ..Results::default() };
            for scene in part.scenes() {
                results.windows.insert(scene.name, windows(1_000));
            }
            let seen = windows(1_000).remove(0);
            results.overload = Some(Overload { peak: 1_000.0, before_bytes: 80 << 20, seen });
            let figures = part.figures(&results);
            assert!(!figures.is_empty(), "{part:?}");
            let unmeasured: Vec<&Figure> = figures.iter().filter(|figure| figure.reached.is_nan()).collect();
            let is_latency = part == Part::Lone;
            assert!(is_latency || unmeasured.is_empty(), "{part:?}: {unmeasured:?}");
        }
    }

    #[test]
    fn post_is_held_against_naive_and_against_echo() {
        let mut results = Results::default();
        for (name, per_second) in [("post", 16_000), ("naive", 2_500), ("echo", 50_000)] {
            results.windows.insert(name, windows(per_second));
        }
        let figures = Part::Post.figures(&results);
        assert!((figures[0].reached - 6.4).abs() < 1e-9 && figures[0].verdict == Verdict::Reached);
        assert!((figures[1].reached - 0.32).abs() < 1e-9 && figures[1].verdict == Verdict::Reached);
    }

    #[test]
    fn an_overload_that_starves_the_accepted_is_missed() {
        let mut seen = windows(700).remove(0);
        seen.refused_per_second = 2_300.0;
        seen.refused_with_delay = 0.99;
        let figures = Overload { peak: 1_000.0, before_bytes: 80 << 20, seen }.figures();
        let verdicts: Vec<Verdict> = figures.iter().map(|figure| figure.verdict).collect();
        assert!((figures[0].reached - 3.0).abs() < 1e-9);
        assert_eq!(verdicts[1..3], [Verdict::Missed, Verdict::Missed]);
        assert_eq!(verdicts[5], Verdict::Reached);
    }
}
