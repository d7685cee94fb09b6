//! The built programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use auric_testkit::cargo::cargo;

use crate::tree;

/// Builds `auric` as the tests themselves were built, and gives its path.
///
/// With the whole workspace chosen, cargo uses the dependencies that it built for the tests.
///
/// # Errors
///
/// It does not build.
pub fn build_auric() -> Result<PathBuf> {
    build("--bin", "auric", "auric")
}

/// Builds an example, as [`build_auric`] builds the program.
///
/// # Errors
///
/// It does not build.
pub fn build_example(name: &str) -> Result<PathBuf> {
    build("--example", name, &format!("examples/{name}"))
}

/// Gives the command that runs the tasks of this repository, which is built first.
///
/// # Errors
///
/// It does not build.
pub fn xtask() -> Result<Command> {
    Ok(Command::new(build("--bin", "xtask", "xtask")?))
}

fn build(kind: &str, name: &str, file: &str) -> Result<PathBuf> {
    // TARGET/debug/deps/suite-0123456789abcdef
    let this = std::env::current_exe()?;
    let mut above = this.ancestors().skip(2);
    let (Some(profile), Some(target)) = (above.next(), above.next()) else {
        bail!("{} is in no target folder", this.display())
    };
    let mut command = cargo(env!("CARGO"));
    command.args(["build", "--quiet", "--workspace", kind, name, "--target-dir"]).arg(target).current_dir(tree::root());
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let output = command.output().context("cargo does not start")?;
    ensure!(output.status.success(), "{name} does not build: {}", String::from_utf8_lossy(&output.stderr));
    let built = profile.join(file);
    ensure!(built.is_file(), "cargo built no {}", built.display());
    Ok(built)
}
