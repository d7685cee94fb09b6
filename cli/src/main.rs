//! `auric`: runs the services of a game's economy, and talks to them.

mod client;
mod commands;
mod config;
mod fault;
mod game;
mod lock;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use config::Surroundings;
use output::Output;

/// A mutation allocates some hundred small things on one thread and frees them on another: a fifth of the service's time with the system's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The economy of a game as gRPC services: money that cannot be lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "auric", version, propagate_version = true, max_term_width = 120, after_help = EXAMPLES)]
struct Cli {
    /// Settings file [default: auric.toml, where there is one; variable: `AURIC_CONFIG`].
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: commands::Command,
}

const EXAMPLES: &str = "\
Examples:
  auric up                                                        starts everything, in ./data
  auric wallet post --credit discord:1 lumees 100 --reason gift   moves units
  auric wallet balance discord:1                                  shows what a player has
  auric check                                                     tells what is not in order

A setting is taken from its flag, else from its variable (AURIC_…), else from auric.toml.";

fn main() -> ExitCode {
    let surroundings = Surroundings::of_process();
    let cli = Cli::parse();
    let output = Output::new(cli.command.wants_json(), surroundings.refuses_colours());
    let ended = commands::run(cli.command, cli.config.as_deref(), &surroundings, output);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            output.show_fault(&fault);
            fault.exit_code()
        }
    }
}
