//! The commands, a file each.

pub mod audit;
mod bench;
mod caller;
mod check;
mod collection;
mod completions;
mod events;
mod jobs;
mod migrate;
mod odds;
mod payments;
mod serve;
mod services;
mod summon;
mod up;
pub mod wallet;

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::{self, Flags, Settings, Surroundings};
use crate::fault::Fault;
use crate::output::Output;

/// How long tasks that nobody waits for may delay the end of the program.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Up(up::Up),
    Serve(serve::Serve),
    Migrate(migrate::Migrate),
    Check(check::Check),
    Wallet(wallet::Wallet),
    Summon(summon::Summon),
    Odds(odds::Odds),
    Collection(collection::Collection),
    Jobs(jobs::Jobs),
    Audit(audit::Audit),
    Payments(payments::Payments),
    Caller(caller::CallerCommand),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

/// Where things are kept, for every command that runs a service or looks at its files.
#[derive(Debug, Args)]
pub struct Places {
    /// Folder of everything that is kept [default: ./data; variable: `AURIC_DATA`].
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,

    /// Folder of the catalog [default: ./game, else game in the data folder; variable: `AURIC_GAME`].
    #[arg(long, value_name = "FOLDER")]
    game: Option<String>,
}

/// What a service tells of itself, for every command that runs one.
#[derive(Debug, Args)]
pub struct Logs {
    /// Which lines are logged, such as `warn,auric_wallet=debug` [default: info; variable: `AURIC_LOG`].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// What they look like; auto is text on a terminal [default: auto; variable: `AURIC_LOG_FORMAT`].
    #[arg(long, value_name = "FORMAT", value_parser = auric_telemetry::LogFormat::NAMES)]
    log_format: Option<String>,

    /// Shows metrics and health by HTTP at this address: /metrics, /livez, /readyz [variable: `AURIC_METRICS_LISTEN`].
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
}

/// Which wallet to talk to, and how.
#[derive(Debug, Args)]
pub struct Target {
    /// The wallet's URL [default: `http://127.0.0.1:7401`; variable: `AURIC_WALLET`].
    #[arg(long, value_name = "URL")]
    wallet: Option<String>,

    #[command(flatten)]
    asking: Asking,
}

/// How to talk to a service, and how to show what it says.
#[derive(Debug, Args)]
pub struct Asking {
    /// Who asks [default: local; variable: `AURIC_CALLER`].
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,

    /// Seconds to wait for an answer [default: 10; variable: `AURIC_TIMEOUT_SECONDS`].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: Option<u64>,

    /// Shows the answer as one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Where the services besides the wallet are.
#[derive(Debug, Args)]
pub struct Others {
    /// The summon service's URL [default: `http://127.0.0.1:7402`; variable: `AURIC_SUMMON`].
    #[arg(long, value_name = "URL")]
    summon: Option<String>,

    /// The collection's URL [default: `http://127.0.0.1:7403`; variable: `AURIC_COLLECTION`].
    #[arg(long, value_name = "URL")]
    collection: Option<String>,
}

impl Others {
    fn flags(&self) -> Flags {
        vec![("client.summon", self.summon.clone()), ("client.collection", self.collection.clone())]
    }
}

impl Places {
    fn flags(&self) -> Flags {
        vec![("data", self.data.clone()), ("game", self.game.clone())]
    }
}

impl Logs {
    fn flags(&self) -> Flags {
        vec![
            ("log.filter", self.log.clone()),
            ("log.format", self.log_format.clone()),
            ("telemetry.listen", self.metrics.clone()),
        ]
    }
}

impl Target {
    const fn wants_json(&self) -> bool {
        self.asking.json
    }

    fn flags(&self) -> Flags {
        [self.asking.flags(), vec![("client.wallet", self.wallet.clone())]].concat()
    }
}

impl Asking {
    fn flags(&self) -> Flags {
        let timeout_seconds = self.timeout.map(|seconds| seconds.to_string());
        vec![("client.caller", self.caller.clone()), ("client.timeout_seconds", timeout_seconds)]
    }
}

impl Command {
    /// Whether the answer is to be one JSON document.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Up(up) => up.json,
            Self::Migrate(migrate) => migrate.json,
            Self::Check(check) => check.target.wants_json(),
            Self::Wallet(wallet) => wallet.wants_json(),
            Self::Summon(summon) => summon.wants_json(),
            Self::Odds(odds) => odds.wants_json(),
            Self::Collection(collection) => collection.wants_json(),
            Self::Jobs(jobs) => jobs.wants_json(),
            Self::Audit(audit) => audit.wants_json(),
            Self::Payments(payments) => payments.json,
            Self::Caller(caller) => caller.json,
            Self::Bench(bench) => bench.wants_json(),
            Self::Serve(_) | Self::Completions(_) => false,
        }
    }

    /// What its flags say about settings.
    fn flags(&self) -> Flags {
        match self {
            Self::Up(up) => up.flags(),
            Self::Serve(serve) => serve.flags(),
            Self::Migrate(migrate) => migrate.flags(),
            Self::Check(check) => check.flags(),
            Self::Wallet(wallet) => wallet.flags(),
            Self::Summon(summon) => summon.flags(),
            Self::Odds(odds) => odds.flags(),
            Self::Collection(collection) => collection.flags(),
            Self::Jobs(jobs) => jobs.flags(),
            Self::Audit(audit) => audit.flags(),
            Self::Payments(payments) => payments.flags(),
            Self::Caller(caller) => caller.flags(),
            Self::Bench(_) | Self::Completions(_) => Flags::new(),
        }
    }
}

/// Does what `command` says.
///
/// # Errors
///
/// [`Fault`], to be shown.
pub fn run(command: Command, file: Option<&Path>, surroundings: &Surroundings, output: Output) -> Result<(), Fault> {
    if let Command::Completions(completions) = command {
        return completions.run();
    }
    let settings = config::load(file, surroundings, &command.flags());
    let threads = settings.as_ref().map_or(1, Settings::threads);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    let ended = runtime.block_on(async {
        match command {
            Command::Check(check) => check.run(settings, surroundings, output).await,
            command => Box::pin(with_settings(command, settings?, surroundings, output)).await,
        }
    });
    runtime.shutdown_timeout(FAREWELL_MAX);
    ended
}

async fn with_settings(
    command: Command,
    settings: Settings,
    surroundings: &Surroundings,
    output: Output,
) -> Result<(), Fault> {
    match command {
        Command::Up(up) => up.run(&settings, surroundings, output).await,
        Command::Serve(serve) => serve.run(&settings, surroundings).await,
        Command::Migrate(migrate) => migrate.run(&settings, output).await,
        Command::Wallet(wallet) => wallet.run(&settings, output).await,
        Command::Summon(summon) => summon.run(&settings, output).await,
        Command::Odds(odds) => odds.run(&settings, output).await,
        Command::Collection(collection) => collection.run(&settings, output).await,
        Command::Jobs(jobs) => jobs.run(&settings, output).await,
        Command::Audit(audit) => audit.run(&settings, output).await,
        Command::Payments(payments) => payments.run(&settings, output).await,
        Command::Caller(caller) => {
            caller.run(&settings, auric_time::Clock::now(&auric_time::SystemClock).into(), output)
        }
        Command::Bench(bench) => bench.run(&settings, output).await,
        Command::Check(_) | Command::Completions(_) => Ok(()),
    }
}
