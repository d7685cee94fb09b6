//! What can be asked for on the command line.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::scene::Mix;
use crate::schedule::Window;
use crate::suite::Part;
use crate::traffic::{KeyOrder, Routing};

/// What is called in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// The wallet as it ships, on PostgreSQL.
    Lanes,
    /// One transaction a mutation, on the pool size that suits it best.
    Naive,
    /// The empty call.
    Echo,
    /// Everything in one process, on SQLite.
    Sqlite,
}

/// Measures the wallet against the naive way and an empty call, all in one run on one machine.
///
/// Starts everything itself: the services as processes of their own, and a private PostgreSQL that loses nothing.
#[derive(Clone, Debug, Args)]
pub struct WalletOptions {
    /// Runs every part of the table and holds the figures against their bounds.
    #[arg(long)]
    pub suite: bool,

    /// Runs one part of the table; can be given several times.
    #[arg(long, value_name = "PART", value_enum)]
    pub part: Vec<Part>,

    /// What is compared, without a table [default: lanes, naive and echo].
    #[arg(long, value_name = "MODE", value_enum, value_delimiter = ',')]
    pub mode: Vec<Mode>,

    /// What the calls ask for.
    #[arg(long, value_enum, default_value = "post")]
    pub mix: Mix,

    /// Calls in flight; in an open loop at most.
    #[arg(long, value_name = "CALLS", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub in_flight: u16,

    /// Sends at this constant rate, whether or not answers come (open loop), instead of keeping calls in flight (closed loop).
    #[arg(long, value_name = "CALLS_PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,

    /// Players that the calls are spread over.
    #[arg(long, value_name = "PLAYERS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub players: u32,

    /// Sends every call to one player.
    #[arg(long)]
    pub hot: bool,

    /// Copies of the wallet.
    #[arg(long, value_name = "COPIES", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub copies: u8,

    /// How a call chooses its copy.
    #[arg(long, value_enum, default_value = "rendezvous")]
    pub routing: Routing,

    /// Keys of the calls: UUIDs that begin with the time, as `auric` makes them, or random ones.
    #[arg(long, value_name = "ORDER", value_enum, default_value = "growing")]
    pub keys: KeyOrder,

    /// Lanes of the wallet on PostgreSQL, other than as it ships.
    #[arg(long, value_name = "LANES")]
    pub lanes: Option<NonZeroU16>,

    /// Mutations in one transaction at most, other than as it ships.
    #[arg(long, value_name = "MUTATIONS")]
    pub batch_max: Option<NonZeroU16>,

    /// Pool sizes among which the naive wallet's best is looked for.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "4,8,16,32")]
    pub naive_pools: Vec<NonZeroU16>,

    /// Draws latency against throughput into this file, over loads that grow.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// How, and what is made of it.
    #[command(flatten)]
    pub run: RunOptions,
}

impl WalletOptions {
    /// The parts of the table that are asked for; none in a comparison.
    pub fn parts(&self) -> Vec<Part> {
        if self.suite { Part::ALL.to_vec() } else { self.part.clone() }
    }

    /// What is compared.
    pub fn modes(&self) -> Vec<Mode> {
        if self.mode.is_empty() { vec![Mode::Echo, Mode::Naive, Mode::Lanes] } else { self.mode.clone() }
    }
}

/// Measures summons against the monolith: the same rows in one database, one transaction a summon, behind the same gRPC stack.
///
/// Starts everything itself: wallet, collection and summon as processes of their own, the monolith, and a private PostgreSQL that loses nothing.
#[derive(Clone, Debug, Args)]
pub struct SummonOptions {
    /// Summons in flight.
    #[arg(long, value_name = "CALLS", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub in_flight: u16,

    /// Players that the summons are spread over; the hot ones are ten of them.
    #[arg(long, value_name = "PLAYERS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub players: u32,

    /// Pool sizes among which the monolith's best is looked for.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "4,8,16,32")]
    pub monolith_pools: Vec<NonZeroU16>,

    /// How, and what is made of it.
    #[command(flatten)]
    pub run: RunOptions,
}

/// Measures the scheduler with a handler that does nothing: bursts of firings that are due at one moment, and firings at a constant rate.
///
/// Starts everything itself: the scheduler as a process of its own for each window, the handler in this one, and a private PostgreSQL that loses nothing.
#[derive(Clone, Debug, Args)]
pub struct SchedulerOptions {
    /// Firings of a burst, each a one-shot job of its own.
    #[arg(long, value_name = "FIRINGS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub firings: u32,

    /// Firings a second whose lag is measured, each a job that fires every second.
    #[arg(long, value_name = "FIRINGS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,

    /// Copies of the scheduler.
    #[arg(long, value_name = "COPIES", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub copies: u8,

    /// Draws the lag against the rate into this file, over rates that grow up to --curve-rate.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// The largest rate of the curve.
    #[arg(long, value_name = "FIRINGS", default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub curve_rate: u32,

    /// How, and what is made of it.
    #[command(flatten)]
    pub run: RunOptions,
}

/// Measures reads of collections: with what readers saw kept in memory and without, against an empty call.
///
/// Starts everything itself: the collection as a process of its own, filled, and a private PostgreSQL.
#[derive(Clone, Debug, Args)]
pub struct CollectionOptions {
    /// Reads in flight.
    #[arg(long, value_name = "CALLS", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub in_flight: u16,

    /// Players that the reads are spread over.
    #[arg(long, value_name = "PLAYERS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub players: u32,

    /// Esprits of each.
    #[arg(long, value_name = "ESPRITS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(50..=5_000))]
    pub esprits: u32,

    /// How, and what is made of it.
    #[command(flatten)]
    pub run: RunOptions,
}

/// How long anything is measured, on which PostgreSQL, and what is made of it.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is given or not")]
pub struct RunOptions {
    /// About a minute: short windows, one of each, and a short past.
    #[arg(long)]
    pub quick: bool,

    /// Fails when a figure that must be reached is not.
    #[arg(long)]
    pub check: bool,

    /// Connections to each copy.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub channels: u8,

    /// Seconds of each measured window [default: 3, quick: 2].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub seconds: Option<u16>,

    /// Seconds before each window that do not count [default: 1].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=60))]
    pub warm_up: Option<u16>,

    /// Windows of everything, in turns; the middle one is shown [default: 5, quick: 1].
    #[arg(long, value_name = "WINDOWS", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,

    /// PostgreSQL to measure on, whose role may make databases [default: a private one, thrown away].
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,

    /// Shows what PostgreSQL spends its time on (`pg_stat_statements`).
    #[arg(long)]
    pub statements: bool,

    /// Shows the report as one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl RunOptions {
    /// How long each window is, and how many there are: short ones, so that those of one round lie close together in time.
    pub fn windows(&self) -> (Window, u32) {
        let (warm_up, length, rounds) = if self.quick { (1, 2, 1) } else { (1, 3, 5) };
        let seconds = |asked: Option<u16>, default: u16| Duration::from_secs(asked.unwrap_or(default).into());
        let window = Window { warm_up: seconds(self.warm_up, warm_up), length: seconds(self.seconds, length) };
        (window, self.rounds.unwrap_or(rounds))
    }
}
