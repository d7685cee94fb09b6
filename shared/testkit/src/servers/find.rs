//! Where the programs of PostgreSQL and Redis are, and which unprivileged user runs them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::config;

/// The oldest PostgreSQL that Auric supports.
pub(super) const POSTGRES_MAJOR_MIN: u32 = 15;

/// Where Debian and Ubuntu put a folder per major version.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Where the programs of one PostgreSQL are.
#[derive(Clone, Debug)]
pub struct PostgresPrograms {
    folder: PathBuf,
}

impl PostgresPrograms {
    /// Finds the first PostgreSQL in `PATH`, else the newest below `/usr/lib/postgresql`, of at least version 15.
    pub fn find() -> Option<Self> {
        config::path_folders().into_iter().chain(debian_folders()).find_map(|folder| {
            let has_both = is_program(&folder.join("postgres")) && is_program(&folder.join("initdb"));
            let major = has_both.then(|| major_version(&folder.join("postgres"))).flatten()?;
            (major >= POSTGRES_MAJOR_MIN).then_some(Self { folder })
        })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Where the programs of Redis are.
#[derive(Clone, Debug)]
pub struct RedisPrograms {
    pub(super) server: PathBuf,
}

impl RedisPrograms {
    /// Finds the first `redis-server` in `PATH`.
    pub fn find() -> Option<Self> {
        let folders = config::path_folders().into_iter().chain([PathBuf::from("/usr/bin")]);
        folders.map(|folder| folder.join("redis-server")).find(|path| is_program(path)).map(|server| Self { server })
    }
}

/// Finds the library that lets a process see another clock on the wall: preloaded, with `FAKETIME` in its environment.
pub fn clock_library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|folder| folder.path());
    // Debian has a folder per architecture, other distributions none.
    let folders = folders.chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")]);
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}

/// Names the distribution's packages of the servers that are not found, and of the library of clocks.
pub fn missing_servers() -> Vec<&'static str> {
    let mut packages = Vec::new();
    if clock_library().is_none() {
        packages.push("libfaketime");
    }
    if PostgresPrograms::find().is_none() {
        packages.push("postgresql");
    }
    if RedisPrograms::find().is_none() {
        packages.push("redis-server");
    }
    packages
}

fn debian_folders() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir(DEBIAN_POSTGRES)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|version| Path::new(DEBIAN_POSTGRES).join(version.to_string()).join("bin")).collect()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Reads `postgres (PostgreSQL) 15.13 (Debian …)`.
fn major_version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The user that a server runs as: nobody special when the tests run as root, else whoever runs them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerUser {
    /// Absent when this process is unprivileged already.
    drop_to: Option<(u32, u32)>,
}

impl ServerUser {
    /// Looks for the first of `names` when run by root, since PostgreSQL refuses root and no server needs it.
    pub fn choose(names: &[&str]) -> Result<Self> {
        if !is_root()? {
            return Ok(Self { drop_to: None });
        }
        let found = names.iter().find_map(|name| Some((id("-u", Some(name)).ok()?, id("-g", Some(name)).ok()?)));
        let Some(ids) = found else { bail!("run by root, and none of the users {names:?} exists to run a server as") };
        Ok(Self { drop_to: Some(ids) })
    }

    /// Gives a command that runs `program` as this user, in the same process.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let Some((uid, gid)) = self.drop_to else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).args(["--clear-groups", "--"]).arg(program);
        command
    }

    /// Hands `folder` to this user.
    pub fn own(self, folder: &Path) -> Result<()> {
        let Some((uid, gid)) = self.drop_to else { return Ok(()) };
        std::os::unix::fs::chown(folder, Some(uid), Some(gid))
            .with_context(|| format!("cannot hand over {}", folder.display()))
    }
}

/// Tells whether this process runs as root.
pub(super) fn is_root() -> Result<bool> {
    Ok(id("-u", None)? == 0)
}

fn id(what: &str, user: Option<&str>) -> Result<u32> {
    let output = Command::new("id").arg(what).args(user).output().context("`id` does not start")?;
    if !output.status.success() {
        bail!("no user {}", user.unwrap_or("of this process"));
    }
    String::from_utf8(output.stdout)?.trim().parse().context("`id` told no number")
}
