//! What a run came to, for a person, a program and a picture.

mod curve;
mod table;

use anyhow::Result;
use serde::Serialize;

use crate::figures::{Figure, Verdict};
use crate::rig::{Lanes, Rig};
use crate::runner::{PoolTry, Runner};
use crate::scene::{Kind, Scene};
use crate::schedule::Window;
use crate::store::{Setting, Statement};
use crate::summary::{Summary, median_window};

pub use curve::{Curve, Point, draw};

/// Everything that a run came to.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The program's version.
    pub version: &'static str,
    /// What it was run on.
    pub machine: Machine,
    /// How long each window was measured, in seconds, after how long a warm-up.
    pub window_seconds: f64,
    /// As above.
    pub warm_up_seconds: f64,
    /// Windows of each scene.
    pub rounds: u32,
    /// How the lanes were set; what is absent is as it ships.
    pub lanes: Lanes,
    /// The settings of PostgreSQL, where it was used.
    pub postgres: Vec<Setting>,
    /// How the pools were chosen of what was compared with.
    pub pools: Vec<PoolTry>,
    /// Every scene.
    pub scenes: Vec<SceneReport>,
    /// Latency against throughput.
    pub curves: Vec<Curve>,
    /// The figures that there are bounds for.
    pub figures: Vec<Figure>,
    /// What PostgreSQL spent its time on.
    pub statements: Vec<Statement>,
}

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that the load generator, the services and PostgreSQL share.
    pub processors: usize,
    /// What they are.
    pub model: String,
    /// Bytes.
    pub memory_bytes: u64,
}

/// One scene with all its windows.
#[derive(Debug, Serialize)]
pub struct SceneReport {
    /// Its name.
    pub name: &'static str,
    /// What is called.
    pub target: String,
    /// Calls in flight.
    pub in_flight: usize,
    /// Players that the calls are spread over, where they are told.
    pub players: Option<u32>,
    /// The window in the middle.
    pub median: Option<Summary>,
    /// All of them.
    pub windows: Vec<Summary>,
}

impl SceneReport {
    /// Draws up a scene.
    pub fn of(scene: &Scene, windows: Vec<Summary>) -> Self {
        let target = match scene.kind {
            Kind::Echo => "echo".to_owned(),
            Kind::Lanes { copies: 1 } => "lanes".to_owned(),
            Kind::Lanes { copies } => format!("lanes, {copies} copies"),
            Kind::Naive => "naive".to_owned(),
            Kind::Sqlite => "auric up".to_owned(),
            Kind::Filled => "lanes, filled".to_owned(),
            Kind::Traced => "lanes, traced".to_owned(),
            Kind::Summon => "summon, wallet and collection".to_owned(),
            Kind::Monolith => "monolith".to_owned(),
            Kind::Collection { keeps, esprits } => {
                format!("collection of {esprits}, {}", if keeps { "kept in memory" } else { "nothing kept" })
            }
        };
        Self { players: scene.players, ..Self::named(scene.name, &target, scene.in_flight, windows) }
    }

    /// Draws up something else that was measured window by window.
    pub fn named(name: &'static str, target: &str, in_flight: usize, windows: Vec<Summary>) -> Self {
        let median = median_window(&windows).cloned();
        Self { name, target: target.to_owned(), in_flight, players: None, median, windows }
    }
}

impl Machine {
    /// Reads what the kernel tells.
    pub fn of_this() -> Self {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kib = after(&memory, "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            model: after(&cpus, "model name").unwrap_or_else(|| "unknown".to_owned()),
            memory_bytes: kib.unwrap_or(0) * 1_024,
        }
    }
}

/// What was measured in a run.
#[derive(Debug)]
pub struct Measured {
    /// Every scene with its windows.
    pub scenes: Vec<(Scene, Vec<Summary>)>,
    /// Latency against throughput.
    pub curves: Vec<Curve>,
    /// The figures that came of it.
    pub figures: Vec<Figure>,
}

/// What was measured without a runner.
#[derive(Debug)]
pub struct Drawn {
    /// Each window.
    pub window: Window,
    /// Windows of each scene.
    pub rounds: u32,
    /// Every scene.
    pub scenes: Vec<SceneReport>,
    /// Latency against throughput.
    pub curves: Vec<Curve>,
    /// The figures that came of it.
    pub figures: Vec<Figure>,
}

impl Report {
    /// Draws up a run, with what it was run on.
    ///
    /// # Errors
    ///
    /// PostgreSQL cannot be asked.
    pub async fn of(runner: &Runner, measured: Measured) -> Result<Self> {
        let Measured { scenes, curves, figures } = measured;
        let scenes = scenes.into_iter().map(|(scene, windows)| SceneReport::of(&scene, windows)).collect();
        let drawn = Drawn { window: runner.effort.window, rounds: runner.effort.rounds, scenes, curves, figures };
        let report = Self::drawn(&runner.rig, drawn).await?;
        Ok(Self { lanes: runner.effort.lanes, pools: runner.pool_tries.clone(), ..report })
    }

    /// Draws up what was measured without a runner.
    ///
    /// # Errors
    ///
    /// PostgreSQL cannot be asked.
    pub async fn drawn(rig: &Rig, drawn: Drawn) -> Result<Self> {
        let (postgres, statements) = match rig.started_cluster() {
            Some(cluster) => (cluster.settings().await?, cluster.statements().await?),
            None => (Vec::<Setting>::new(), Vec::new()),
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::of_this(),
            window_seconds: drawn.window.length.as_secs_f64(),
            warm_up_seconds: drawn.window.warm_up.as_secs_f64(),
            rounds: drawn.rounds,
            lanes: Lanes::default(),
            postgres,
            pools: Vec::new(),
            scenes: drawn.scenes,
            curves: drawn.curves,
            figures: drawn.figures,
            statements,
        })
    }

    /// Lists the figures that must be reached and are not.
    pub fn missed(&self) -> Vec<&Figure> {
        self.figures.iter().filter(|figure| figure.verdict == Verdict::Missed).collect()
    }

    /// Writes the report for a person.
    pub fn text(&self) -> String {
        table::text(self)
    }
}
