//! `auric bench`: measures the services on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auric_bench::{
    CollectionOptions, Installation, MonolithConfig, RunOptions, SchedulerOptions, SummonOptions, WalletOptions,
};
use auric_server::Stop;
use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::fault::Fault;
use crate::game;
use crate::output::Output;

/// Measures the services on this machine, against the naive way, an empty call and a monolith.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric bench wallet                            compares lanes, naive and echo
  auric bench wallet --suite --check            the whole table of docs/performance.md, against its bounds
  auric bench wallet --suite --quick            the same in about a minute and a half
  auric bench wallet --mode lanes --rate 8000   an open loop at a constant rate
  auric bench wallet --svg curve.svg            latency against throughput, drawn
  auric bench summon --check                    summons over three services against one transaction, and its bounds
  auric bench collection --check                reads of large collections, kept in memory and not, and their bounds
  auric bench scheduler --check                 firings leased and completed, how late they come, and their bounds
  auric bench scheduler --svg lag.svg           the lag against the rate, drawn")]
pub struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Measures the wallet.
    Wallet(Box<WalletOptions>),
    /// Measures summons.
    Summon(Box<SummonOptions>),
    /// Measures the scheduler.
    Scheduler(Box<SchedulerOptions>),
    /// Measures reads of collections.
    Collection(Box<CollectionOptions>),
    /// Serves the empty call that the others are measured against.
    #[command(hide = true)]
    Echo(Echo),
    /// Serves summons as one transaction each, which they are measured against.
    #[command(hide = true)]
    Monolith(Monolith),
}

#[derive(Debug, clap::Args)]
struct Echo {
    /// Address and port to listen on; loopback only.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
}

#[derive(Debug, clap::Args)]
struct Monolith {
    /// Address and port to listen on; loopback only.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,

    /// `postgres://…`; the tables are made.
    #[arg(long, value_name = "URL")]
    database: String,

    /// Folder of the catalog.
    #[arg(long, value_name = "FOLDER")]
    game: PathBuf,

    /// Connections to PostgreSQL at most.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
}

impl Subject {
    /// How a measurement is to be run; nothing where something is served.
    fn run_options(&self) -> Option<&RunOptions> {
        match self {
            Self::Wallet(options) => Some(&options.run),
            Self::Summon(options) => Some(&options.run),
            Self::Scheduler(options) => Some(&options.run),
            Self::Collection(options) => Some(&options.run),
            Self::Echo(_) | Self::Monolith(_) => None,
        }
    }
}

impl Bench {
    pub fn wants_json(&self) -> bool {
        self.subject.run_options().is_some_and(|run| run.json)
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let stop = || Stop { token: CancellationToken::new(), drain_max: Duration::ZERO };
        let fails_when_missed = self.subject.run_options().is_some_and(|run| run.check);
        let report = match self.subject {
            Subject::Wallet(options) => {
                let catalog = Catalog::write(settings)?;
                auric_bench::wallet(&options, catalog.installation()?).await?
            }
            Subject::Summon(options) => {
                let catalog = Catalog::write(settings)?;
                auric_bench::summon(&options, catalog.installation()?).await?
            }
            Subject::Scheduler(options) => {
                let catalog = Catalog::write(settings)?;
                auric_bench::scheduler(&options, catalog.installation()?).await?
            }
            Subject::Collection(options) => {
                let catalog = Catalog::write(settings)?;
                auric_bench::collection(&options, catalog.installation()?).await?
            }
            Subject::Echo(echo) => return Ok(auric_bench::serve_echo(echo.listen, stop()).await?),
            Subject::Monolith(Monolith { listen, database, game: catalog, connections: connections_max }) => {
                // It writes its lines as a service does: they are part of what is measured.
                let _telemetry = auric_telemetry::init(&settings.telemetry("auric-monolith"))?;
                let config = MonolithConfig { database, catalog, connections_max };
                return Ok(auric_bench::serve_monolith(listen, &config, stop()).await?);
            }
        };
        output.show(&report, auric_bench::Report::text)?;
        let missed = report.missed().len();
        if fails_when_missed && missed > 0 {
            return Err(Fault::Check { failed: missed, checks: report.figures.len() });
        }
        Ok(())
    }
}

/// The catalog that is measured with: what is measured must not depend on what somebody keeps in the data folder.
struct Catalog {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Catalog {
    fn write(settings: &Settings) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(anyhow::Error::from)?;
        let path = game::find_or_complete(&Settings { data: folder.path().to_owned(), ..settings.clone() })?;
        Ok(Self { path, _folder: folder })
    }

    fn installation(&self) -> Result<Installation, Fault> {
        Ok(Installation::of_this_program(&self.path)?)
    }
}
