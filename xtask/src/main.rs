//! What a developer runs: the whole test suite on both stores, and the set-up of the tools it needs.

mod buf;
mod campaign;
mod closing;
mod group;
mod python;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test on private PostgreSQL and Redis servers, and stops them again.
    ///
    /// Missing servers are installed from the distribution, as root or with password-less sudo.
    #[command(after_help = "Examples:\n  \
        cargo xtask test                              every test of the workspace\n  \
        cargo xtask test -p auric-wallet              every test of one crate\n  \
        cargo xtask test parallel_debits replayed     every test whose name contains one of the words\n  \
        cargo xtask test -- house --test-threads 1    what follows the dashes goes to the test runners as it is")]
    Test(test::Options),
    /// Runs what takes too long for every landing, by name.
    #[command(after_help = "Examples:\n  \
        cargo xtask campaign          lists the campaigns\n  \
        cargo xtask campaign model    20,000 random histories against the reference model")]
    Campaign(campaign::Options),
    /// Installs what the checks need: PostgreSQL, Redis, libfaketime, `buf`, and a Python with gRPC.
    #[command(after_help = "Examples:\n  \
        cargo xtask setup             installs what is missing\n  \
        cargo xtask setup --servers   without buf and Python, which need npm and pip")]
    Setup {
        /// Only PostgreSQL, Redis and libfaketime.
        #[arg(long)]
        servers: bool,
    },
    /// Runs the pinned `buf` in the root of the workspace; installs it first when it is missing.
    #[command(after_help = "Examples:\n  \
        cargo xtask buf lint\n  \
        cargo xtask buf format --write\n  \
        cargo xtask buf breaking --against proto/released.binpb")]
    Buf {
        /// The arguments of `buf`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Runs a private Python that has the packages of the Python example; installs it first when it is missing.
    #[command(after_help = "Examples:\n  \
        cargo xtask python --version\n  \
        cargo xtask python -m grpc_tools.protoc --version")]
    Python {
        /// The arguments of `python`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(options) => test::run(&options, &[]),
        Task::Campaign(options) => campaign::run(&options),
        Task::Setup { servers } => setup(servers),
        Task::Buf { arguments } => buf::run(&arguments),
        Task::Python { arguments } => python::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn setup(only_servers: bool) -> anyhow::Result<ExitCode> {
    auric_testkit::servers::install_missing()?;
    if !only_servers {
        buf::install_missing()?;
        python::install_missing()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives the root of the workspace that this program was built from.
fn workspace_root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
