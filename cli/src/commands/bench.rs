//! `auric bench`: measures the services on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use auric_bench::{Installation, WalletOptions};
use auric_server::Stop;
use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::fault::Fault;
use crate::game;
use crate::output::Output;

/// Measures the services on this machine, against the naive way and an empty call.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric bench wallet                            compares lanes, naive and echo
  auric bench wallet --suite --check            the whole table of docs/performance.md, against its bounds
  auric bench wallet --suite --quick            the same in about a minute and a half
  auric bench wallet --mode lanes --rate 8000   an open loop at a constant rate
  auric bench wallet --svg curve.svg            latency against throughput, drawn")]
pub struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Measures the wallet.
    Wallet(Box<WalletOptions>),
    /// Serves the empty call that the others are measured against.
    #[command(hide = true)]
    Echo(Echo),
}

#[derive(Debug, clap::Args)]
struct Echo {
    /// Address and port to listen on; loopback only.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
}

impl Bench {
    pub fn wants_json(&self) -> bool {
        matches!(&self.subject, Subject::Wallet(options) if options.json)
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let options = match self.subject {
            Subject::Wallet(options) => options,
            Subject::Echo(echo) => {
                let stop = Stop { token: CancellationToken::new(), drain_max: Duration::ZERO };
                return Ok(auric_bench::serve_echo(echo.listen, stop).await?);
            }
        };
        // What is measured must not depend on what somebody keeps in the data folder.
        let folder = tempfile::tempdir().map_err(anyhow::Error::from)?;
        let catalog = game::find_or_complete(&Settings { data: folder.path().to_owned(), ..settings.clone() })?;
        let report = auric_bench::wallet(&options, Installation::of_this_program(&catalog)?).await?;
        output.show(&report, auric_bench::Report::text)?;
        let missed = report.missed().len();
        if options.check && missed > 0 {
            return Err(Fault::Check { failed: missed, checks: report.figures.len() });
        }
        Ok(())
    }
}
