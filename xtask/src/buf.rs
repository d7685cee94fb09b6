//! `buf`, the linter and compatibility check of the protobuf API: one pinned version, from npm.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use auric_testkit::servers::install_packages;

use crate::workspace_root;

/// The version whose verdicts the repository was written against.
const VERSION: &str = "1.75.0";

/// Runs the pinned `buf`, and ends as it ends.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    install_missing()?;
    let status = Command::new(program()).args(arguments).current_dir(workspace_root()).status()?;
    // Its own codes tell a verdict (100) from a fault; a signal has none.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Installs the pinned version below `target/tools`, unless it is there; from then on no network is needed.
///
/// # Errors
///
/// There is no npm and it cannot be installed, or the npm registry cannot be reached.
pub fn install_missing() -> Result<()> {
    if installed_version().as_deref() == Some(VERSION) {
        return Ok(());
    }
    if !runs("npm") {
        install_packages(&["npm"])?;
    }
    let package = format!("@bufbuild/buf@{VERSION}");
    eprintln!("installing {package} with npm below target/tools");
    let status = Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(tools())
        .arg(&package)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .context("npm does not start")?;
    if !status.success() || installed_version().as_deref() != Some(VERSION) {
        bail!("npm did not install {package}");
    }
    Ok(())
}

fn tools() -> PathBuf {
    workspace_root().join("target/tools")
}

fn program() -> PathBuf {
    tools().join("node_modules/.bin/buf")
}

fn installed_version() -> Option<String> {
    let output = Command::new(program()).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn runs(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
