//! The built program.

use std::path::PathBuf;

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
    // TARGET/debug/deps/suite-0123456789abcdef
    let this = std::env::current_exe()?;
    let mut above = this.ancestors().skip(2);
    let (Some(profile), Some(target)) = (above.next(), above.next()) else {
        bail!("{} is in no target folder", this.display())
    };
    let mut command = cargo(env!("CARGO"));
    command
        .args(["build", "--quiet", "--workspace", "--bin", "auric", "--target-dir"])
        .arg(target)
        .current_dir(tree::root());
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let output = command.output().context("cargo does not start")?;
    ensure!(output.status.success(), "auric does not build: {}", String::from_utf8_lossy(&output.stderr));
    let auric = profile.join("auric");
    ensure!(auric.is_file(), "cargo built no {}", auric.display());
    Ok(auric)
}
