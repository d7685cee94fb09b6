//! Installs what is missing from the distribution, and leaves its services switched off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::find::{PostgresPrograms, RedisPrograms, clock_library, is_root, missing_servers};

/// Debian's package makes and starts a cluster of its own unless a file here says no.
const CLUSTER_CONFIG: &str = "/etc/postgresql-common/createcluster.d/auric.conf";

/// Debian asks this program before it starts a service that was just installed; 101 says no.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Says which line installs the servers that are missing.
pub(super) fn advice() -> String {
    format!("a server for the tests is missing; run `cargo xtask setup`, or: {}", install_line(&missing_servers()))
}

/// Installs PostgreSQL, Redis and libfaketime from the distribution when they are missing, as root or with password-less sudo.
///
/// Says on standard error what it does. No system cluster is created and no service is started.
///
/// # Errors
///
/// The distribution has no `apt-get`, or this user may not install: the message has the one line to run.
pub fn install_missing() -> Result<()> {
    let packages = missing_servers();
    if packages.is_empty() {
        return Ok(());
    }
    install_packages(&packages)?;
    if PostgresPrograms::find().is_none() {
        bail!("the distribution's postgresql is older than version {}", super::find::POSTGRES_MAJOR_MIN);
    }
    if clock_library().is_none() {
        bail!("the distribution's libfaketime has no library of that name");
    }
    RedisPrograms::find().context("the distribution's redis-server has no program of that name").map(drop)
}

/// Installs packages of the distribution, as root or with password-less sudo, and starts none of their services.
///
/// # Errors
///
/// As [`install_missing`].
pub fn install_packages(packages: &[&str]) -> Result<()> {
    let Some(root) = Root::obtain()? else {
        bail!("something is missing; run: {}", install_line(packages));
    };
    eprintln!("installing {} with apt-get{}", packages.join(" and "), root.how());
    let quiet = Quiet::begin(root)?;
    let updated = root.run(&["apt-get", "update", "-qq"]);
    let mut line = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq"];
    line.push("--no-install-recommends");
    line.extend(packages);
    let installed = updated.and_then(|()| root.run(&line));
    quiet.end()?;
    installed?;
    if packages.contains(&"redis-server") && Path::new("/usr/bin/systemctl").exists() {
        // Best effort: without systemd there is nothing to switch off.
        let _ = root.run(&["systemctl", "--quiet", "disable", "redis-server"]);
    }
    Ok(())
}

fn install_line(packages: &[&str]) -> String {
    format!("sudo apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// The right to run a command as root.
#[derive(Clone, Copy)]
enum Root {
    Already,
    Sudo,
}

impl Root {
    fn obtain() -> Result<Option<Self>> {
        if !Path::new("/usr/bin/apt-get").exists() {
            return Ok(None);
        }
        if is_root()? {
            return Ok(Some(Self::Already));
        }
        let sudo = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        Ok(sudo.is_ok_and(|status| status.success()).then_some(Self::Sudo))
    }

    fn how(self) -> &'static str {
        match self {
            Self::Already => "",
            Self::Sudo => ", by sudo",
        }
    }

    fn run(self, line: &[&str]) -> Result<()> {
        let mut command = match self {
            Self::Already => Command::new("env"),
            Self::Sudo => Command::new("sudo"),
        };
        if matches!(self, Self::Sudo) {
            command.args(["-n", "--"]);
        }
        // What a package manager says is progress: it must not mix with the output of the tests.
        let status = command.args(line).stdin(Stdio::null()).stdout(std::io::stderr()).status()?;
        if !status.success() {
            bail!("`{}` ended with {status}", line.join(" "));
        }
        Ok(())
    }
}

/// Files that keep the installation from starting anything; only the ones that were not there before.
struct Quiet {
    root: Root,
    made: Vec<PathBuf>,
}

impl Quiet {
    fn begin(root: Root) -> Result<Self> {
        let mut quiet = Self { root, made: Vec::new() };
        quiet.place(CLUSTER_CONFIG, "create_main_cluster = false\n", "0644")?;
        quiet.place(SERVICE_POLICY, "#!/bin/sh\nexit 101\n", "0755")?;
        Ok(quiet)
    }

    fn place(&mut self, path: &str, text: &str, mode: &str) -> Result<()> {
        if Path::new(path).exists() {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new()?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        let source = file.path().display().to_string();
        self.root.run(&["install", "-D", "-m", mode, &source, path])?;
        self.made.push(PathBuf::from(path));
        Ok(())
    }

    fn end(self) -> Result<()> {
        for path in &self.made {
            self.root.run(&["rm", "-f", &path.display().to_string()])?;
        }
        debug_assert!(self.made.iter().all(|path| fs::metadata(path).is_err()));
        Ok(())
    }
}
