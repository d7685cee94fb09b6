//! A Python of our own below `target/tools`, with the pinned packages of `examples/python/requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use auric_testkit::servers::install_packages;

use crate::workspace_root;

const REQUIREMENTS: &str = "examples/python/requirements.txt";

/// Runs the private Python, and ends as it ends.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    install_missing()?;
    let status = Command::new(folder().join("bin/python")).args(arguments).current_dir(workspace_root()).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Installs the pinned packages, unless they are there; from then on no network is needed.
///
/// # Errors
///
/// There is no Python and it cannot be installed, or the package index cannot be reached.
pub fn install_missing() -> Result<()> {
    let wanted = fs::read_to_string(workspace_root().join(REQUIREMENTS)).context("the requirements cannot be read")?;
    let (folder, stamp) = (folder(), folder().join("installed.txt"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if !has_venv() {
        install_packages(&["python3", "python3-venv"])?;
    }
    eprintln!("installing the packages of {REQUIREMENTS} with pip below target/tools");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
    succeed(Command::new(folder.join("bin/python")).args(pip).arg(REQUIREMENTS))?;
    // Written last: a set-up that was cut short begins anew.
    fs::write(stamp, wanted)?;
    Ok(())
}

fn folder() -> PathBuf {
    workspace_root().join("target/tools/python")
}

/// Debian's `python3` has a `venv` that does not work until another package is there.
fn has_venv() -> bool {
    let asked = Command::new("python3").args(["-c", "import venv, ensurepip"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn succeed(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).to_owned();
    // What an installer says is progress: it must not mix with the output of what is run.
    let status = command.current_dir(workspace_root()).stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.with_context(|| format!("{} does not start", program.display()))?;
    if !status.success() {
        bail!("{} ended with {status}", program.display());
    }
    Ok(())
}
