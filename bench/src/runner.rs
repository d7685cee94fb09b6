//! Runs scenes, round after round, against targets that are started when they are needed first and stay until the end.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::grpc::{
    Claim, Echo, Fleet, GetProfile, Ground, ListEsprits, OptimizeTeam, Post, PostBatch, ReserveCommit, SEED,
    SUMMON_SEED, Summon, Transfer, drive_streams, endow_sample, seed, summon_first,
};
use crate::load::{CALLS_MAX, Plan, drive};
use crate::measure::Tally;
use crate::progress::{Progress, TICK};
use crate::rig::{Lanes, Rig, Service, Target};
use crate::scene::{CHANNELS, Kind, Mix, Scene};
use crate::schedule::Window;
use crate::store::{MonolithStore, Population, fill, fill_collection};
use crate::summary::{CpuTimes, Summary};
use crate::traffic::{Keys, Players, Routing};
use crate::usage::{MemoryWatch, busy_time, cpu_time, cpu_time_of_tree, resident_bytes};

/// How many times longer the window of a scene is that has but one.
const ALONE: u32 = 3;

/// How long a service is left alone before its idle memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Calls in flight while a pool size is tried.
const TRIED_IN_FLIGHT: usize = 256;

/// How long everything is measured, and on what.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Each window.
    pub window: Window,
    /// Windows of each scene.
    pub rounds: u32,
    /// The ledger with a past.
    pub population: Population,
    /// Players of every other ledger.
    pub players: u32,
    /// How the lanes are set, where they are not those of the naive wallet.
    pub lanes: Lanes,
    /// The pool sizes among which the best one is looked for of what is compared with.
    pub pools: Vec<NonZeroU16>,
}

/// One pool size that was tried.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PoolTry {
    /// With what: the naive wallet, or the monolith.
    pub what: &'static str,
    /// Connections.
    pub pool: NonZeroU16,
    /// What it reached.
    pub per_second: f64,
}

/// A started target, and who its ledger knows.
struct Ready {
    target: Target,
    population: u32,
    idle_bytes: u64,
}

/// Runs scenes.
pub struct Runner {
    /// Where targets are started.
    pub rig: Rig,
    /// How long everything is measured.
    pub effort: Effort,
    /// How far it is.
    pub progress: Progress,
    /// How pools were chosen; empty until one is needed.
    pub pool_tries: Vec<PoolTry>,
    targets: HashMap<Kind, Ready>,
}

impl Runner {
    /// Begins with nothing started.
    pub fn new(rig: Rig, effort: Effort) -> Self {
        Self { rig, effort, progress: Progress::new(), pool_tries: Vec::new(), targets: HashMap::new() }
    }

    /// Runs every scene once a round, one after another, so that all of them share what else the machine does.
    ///
    /// # Shape
    ///
    /// The windows of each scene, in the order of the scenes.
    ///
    /// # Errors
    ///
    /// Something does not start, or a call fails.
    pub async fn run_all(&mut self, scenes: &[Scene]) -> Result<Vec<Vec<Summary>>> {
        for scene in scenes {
            self.start(scene.kind).await?;
        }
        let windows = self.effort.rounds.saturating_mul(u32::try_from(scenes.len()).unwrap_or(u32::MAX));
        self.progress.expect(self.effort.window.end().saturating_mul(windows));
        let mut seen = vec![Vec::new(); scenes.len()];
        if let Some(cluster) = self.rig.started_cluster() {
            cluster.forget_statements().await?;
        }
        for round in 1..=self.effort.rounds {
            for (scene, seen) in scenes.iter().zip(&mut seen) {
                self.progress.say(format!("{} (round {round} of {})", scene.name, self.effort.rounds));
                seen.push(self.run(scene, self.effort.window).await.with_context(|| scene.name)?);
            }
        }
        Ok(seen)
    }

    /// Runs one more window of a scene that was run before, and a longer one.
    ///
    /// # Errors
    ///
    /// A call fails.
    pub async fn run_once(&self, scene: &Scene) -> Result<Summary> {
        let window = self.effort.window.times(ALONE);
        self.progress.expect(window.end());
        self.progress.say(scene.name);
        self.run(scene, window).await.with_context(|| scene.name)
    }

    /// Runs one scene for one window. Its target must be started.
    ///
    /// # Errors
    ///
    /// A call fails.
    async fn run(&self, scene: &Scene, window: Window) -> Result<Summary> {
        let ready = self.targets.get(&scene.kind).context("the target is not started")?;
        let fleet = ready.target.connect(scene.channels, scene.routing).await?;
        let players = Players::new(scene.players.unwrap_or(ready.population).min(ready.population), ready.population);
        let plan = Plan { pace: scene.pace, in_flight: scene.in_flight, window, calls_max: CALLS_MAX };

        let memory = MemoryWatch::start(ready.target.pids());
        let (tally, cpu) = tokio::join!(calls(scene, fleet, players, plan), self.follow(&ready.target, window));
        let memory_bytes = memory.peaks().await.into_values().max().unwrap_or(0);
        Ok(Summary::of(&tally?, window.length, &cpu, memory_bytes))
    }

    /// Starts what a scene calls, unless it is there.
    ///
    /// # Errors
    ///
    /// It does not start.
    async fn start(&mut self, kind: Kind) -> Result<()> {
        if self.targets.contains_key(&kind) {
            return Ok(());
        }
        self.progress.say(format!("starting {kind:?}"));
        let players = self.effort.players;
        let ready = match kind {
            Kind::Echo => Ready { target: self.rig.echo().await?, population: 1, idle_bytes: 0 },
            Kind::Lanes { copies } => {
                let database = self.rig.database(&format!("lanes_{copies}")).await?;
                settled(self.rig.wallet(&database, self.effort.lanes, copies).await?, players).await?
            }
            Kind::Naive => {
                let database = self.rig.database("naive").await?;
                self.start_best(Scene::closed("naive", kind, TRIED_IN_FLIGHT, players), &database).await?
            }
            Kind::Sqlite => settled(self.rig.up().await?, players).await?,
            Kind::Filled => self.start_filled().await?,
            Kind::Traced => {
                let database = self.rig.database("traced").await?;
                settled(self.rig.traced_wallet(&database, self.effort.lanes).await?, players).await?
            }
            Kind::Summon => {
                let target = self.rig.summon().await?;
                let wallet = target.connect_behind(Service::Wallet, CHANNELS).await?;
                seed(&wallet, &names(players), SUMMON_SEED).await?;
                acquainted(target, players).await?
            }
            Kind::Monolith => {
                let database = self.rig.empty_database("monolith").await?;
                let store = MonolithStore::open(&database, 1).await?;
                let (asset, units) = SUMMON_SEED;
                store.grant(&names(players), asset, units).await?;
                store.close().await;
                let scene = Scene::closed("monolith", kind, TRIED_IN_FLIGHT, players);
                self.start_best(Scene { mix: Mix::Summon, ..scene }, &database).await?
            }
            Kind::Collection { keeps, esprits } => self.start_collection(keeps, esprits).await?,
        };
        self.targets.insert(kind, ready);
        Ok(())
    }

    /// The memory of a started target before its first call, in bytes.
    pub fn idle_bytes(&self, kind: Kind) -> Option<u64> {
        self.targets.get(&kind).map(|ready| ready.idle_bytes)
    }

    /// Tries every pool size, and keeps what was fastest.
    async fn start_best(&mut self, scene: Scene, database: &str) -> Result<Ready> {
        let window = self.effort.window;
        let mut best: Option<(f64, NonZeroU16)> = None;
        let pools = self.effort.pools.clone();
        self.progress.expect(window.end().saturating_mul(u32::try_from(pools.len()).unwrap_or(u32::MAX)));
        for pool in pools {
            self.progress.say(format!("{} on {pool} connections", scene.name));
            let ready = self.start_pooled(scene.kind, database, pool).await?;
            self.targets.insert(scene.kind, ready);
            let per_second = self.run(&scene, window).await?.per_second;
            self.targets.remove(&scene.kind);
            self.pool_tries.push(PoolTry { what: scene.name, pool, per_second });
            if best.is_none_or(|(most, _)| per_second > most) {
                best = Some((per_second, pool));
            }
        }
        let (_, pool) = best.context("there must be a pool size")?;
        self.start_pooled(scene.kind, database, pool).await
    }

    async fn start_pooled(&mut self, kind: Kind, database: &str, pool: NonZeroU16) -> Result<Ready> {
        let players = self.effort.players;
        match kind {
            Kind::Monolith => acquainted(self.rig.monolith(database, pool).await?, players).await,
            _ => settled(self.rig.wallet(database, Lanes::naive(pool), 1).await?, players).await,
        }
    }

    async fn start_filled(&mut self) -> Result<Ready> {
        let population = self.effort.population;
        let database = self.rig.database("filled").await?;
        let target = self.rig.wallet(&database, self.effort.lanes, 1).await?;
        let fleet = target.connect(1, Routing::Rendezvous).await?;
        // The row that every other one is like; its player is none of those that are called.
        seed(&fleet, &["sample".to_owned()], SEED).await?;
        let entries = u64::from(population.players) * u64::from(population.entries_each);
        self.progress.say(format!("filling {} players and {entries} entries", population.players));
        fill(&database, population).await?;
        Ok(Ready { target, population: population.players, idle_bytes: 0 })
    }

    async fn start_collection(&mut self, keeps: bool, esprits: u32) -> Result<Ready> {
        let players = self.effort.players;
        let database = self.rig.collection_database(&format!("collection_{esprits}_{}", u8::from(keeps))).await?;
        let target = self.rig.collection(&database, (!keeps).then_some(0)).await?;
        let fleet = target.connect(1, Routing::Rendezvous).await?;
        let species = species(self.rig.catalog())?;
        // The row that every other one is like; its player is none of those that are called.
        endow_sample(&fleet, self.rig.catalog(), &species[0]).await?;
        self.progress.say(format!("filling {players} players with {esprits} esprits each"));
        fill_collection(&database, (players, esprits), &species).await?;
        Ok(Ready { target, population: players, idle_bytes: 0 })
    }

    /// Moves the progress bar while calls are made, and reads the processor time at both ends of the window.
    async fn follow(&self, target: &Target, window: Window) -> CpuTimes {
        self.wait(window.warm_up).await;
        let before = self.cpu_times(target);
        self.wait(window.length).await;
        self.cpu_times(target).since(&before)
    }

    async fn wait(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return;
            }
            let step = left.min(TICK);
            tokio::time::sleep(step).await;
            self.progress.passed(step);
        }
    }

    fn cpu_times(&self, target: &Target) -> CpuTimes {
        let database = self.rig.started_cluster().and_then(crate::store::Cluster::pid);
        let mut processes: Vec<_> = target.named_pids().into_iter().map(|(name, pid)| (name, cpu_time(pid))).collect();
        let service = processes.iter().map(|(_, time)| *time).sum();
        if !target.has_several_kinds() {
            processes.clear();
        }
        CpuTimes {
            client: cpu_time(std::process::id()),
            service,
            processes,
            database: database.map(cpu_time_of_tree).unwrap_or_default(),
            machine: busy_time(),
        }
    }
}

/// The species of a catalog: the heads of its tables.
fn species(catalog: &Path) -> Result<Vec<String>> {
    let path = catalog.join("esprits.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let head = |line: &str| Some(line.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    let heads: Vec<String> = text.lines().filter_map(head).collect();
    ensure!(!heads.is_empty(), "{} has no species", path.display());
    Ok(heads)
}

/// Reads the memory of a wallet that has done nothing, then gives its players what they need.
async fn settled(target: Target, players: u32) -> Result<Ready> {
    tokio::time::sleep(SETTLE).await;
    let idle_bytes = target.pids().into_iter().map(resident_bytes).max().unwrap_or(0);
    let fleet = target.connect(CHANNELS, Routing::Rendezvous).await?;
    seed(&fleet, &names(players), SEED).await?;
    Ok(Ready { target, population: players, idle_bytes })
}

/// Has every player summon once: what is measured is players who are known.
async fn acquainted(target: Target, players: u32) -> Result<Ready> {
    let fleet = target.connect(CHANNELS, Routing::Rendezvous).await?;
    summon_first(fleet, Players::new(players, players)).await?;
    Ok(Ready { target, population: players, idle_bytes: 0 })
}

fn names(players: u32) -> Vec<String> {
    Players::new(players, players).names().collect()
}

async fn calls(scene: &Scene, fleet: Fleet, players: Players, plan: Plan) -> Result<Tally> {
    if scene.kind == Kind::Echo {
        return drive(Arc::new(Echo { fleet }), plan).await;
    }
    let ground = Ground { fleet, players, keys: Keys::new(scene.keys) };
    match scene.mix {
        Mix::Post => drive(Arc::new(Post(ground)), plan).await,
        Mix::PostStream => drive_streams(ground, scene.channels, plan).await,
        Mix::PostBatch => drive(Arc::new(PostBatch::new(ground)), plan).await,
        Mix::ReserveCommit => drive(Arc::new(ReserveCommit(ground)), plan).await,
        Mix::Transfer => drive(Arc::new(Transfer(ground)), plan).await,
        Mix::Claim => drive(Arc::new(Claim(ground)), plan).await,
        Mix::Summon => drive(Arc::new(Summon { ground, pulls: 1 }), plan).await,
        Mix::SummonTen => drive(Arc::new(Summon { ground, pulls: 10 }), plan).await,
        Mix::ListEsprits => drive(Arc::new(ListEsprits { ground, changes_one_in: None }), plan).await,
        Mix::ListAndChange => drive(Arc::new(ListEsprits { ground, changes_one_in: Some(20) }), plan).await,
        Mix::GetProfile => drive(Arc::new(GetProfile(ground)), plan).await,
        Mix::OptimizeTeam => drive(Arc::new(OptimizeTeam(ground)), plan).await,
    }
}
