//! `cargo xtask test`: build, start private servers, run every test, stop the servers.

use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;
use auric_testkit::servers::{Postgres, PostgresSettings, Redis, install_missing};
use auric_testkit::{POSTGRES_URL, REDIS_URL};
use clap::Args;

use crate::closing::Closing;
use crate::group::Interrupt;
use crate::workspace_root;

/// What a shell tells of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
pub struct Options {
    /// Only the tests of this package; may be given several times.
    #[arg(short, long = "package", value_name = "NAME")]
    packages: Vec<String>,
    /// Only tests whose name contains one of these words.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Arguments for the test runners.
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Runs the tests with `environment` besides the process's own, and ends as they end.
///
/// # Errors
///
/// A server is missing and cannot be installed, or does not start.
pub fn run(options: &Options, environment: &[(&str, &str)]) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let stopped = ExitCode::from(INTERRUPTED);
    install_missing()?;

    let mut build = cargo(&["test", "--no-run"]);
    options.choose_packages(&mut build);
    let built = timed("build", || interrupt.run(&mut build, write_through));
    if interrupt.was_heard() {
        return Ok(stopped);
    }
    if !built?.success() {
        return Ok(ExitCode::FAILURE);
    }

    let (postgres, redis) = timed("servers", start_servers)?;
    let mut tests = cargo(&["test", "--no-fail-fast"]);
    options.choose_packages(&mut tests);
    tests.arg("--").args(&options.filters).args(&options.arguments);
    tests.env(POSTGRES_URL, postgres.url()).env(REDIS_URL, redis.url()).envs(environment.iter().copied());
    let mut closing = Closing::default();
    let ended = timed("tests", || {
        interrupt.run(&mut tests, |line| {
            write_through(line);
            closing.read(line);
        })
    });
    drop((postgres, redis));
    if interrupt.was_heard() {
        return Ok(stopped);
    }
    println!("\n{closing}");
    Ok(if ended?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    /// The tests of one package whose name contains `filter`; all of them when it is empty.
    pub fn of(package: &str, filter: &str) -> Self {
        let filters = if filter.is_empty() { Vec::new() } else { vec![filter.to_owned()] };
        Self { packages: vec![package.to_owned()], filters, arguments: Vec::new() }
    }

    fn choose_packages(&self, command: &mut Command) {
        if self.packages.is_empty() {
            command.arg("--workspace");
        }
        for package in &self.packages {
            command.args(["--package", package]);
        }
    }
}

fn start_servers() -> Result<(Postgres, Redis)> {
    let postgres = Postgres::start(PostgresSettings::fast())?;
    let redis = Redis::start()?;
    eprintln!("PostgreSQL {} and Redis {} run for these tests alone", postgres.url(), redis.url());
    Ok((postgres, redis))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = auric_testkit::cargo::cargo("cargo");
    command.args(arguments).current_dir(workspace_root());
    if std::io::stderr().is_terminal() {
        // Cargo and the runners see a pipe, and would leave the colours out.
        command.args(["--color", "always"]);
    }
    command
}

/// A reader of the output that went away is no reason to stop the tests.
fn write_through(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line).and_then(|()| out.flush());
}

fn timed<T>(stage: &str, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = run();
    eprintln!("{stage}: {:.1} s", started.elapsed().as_secs_f64());
    done
}
