//! A private PostgreSQL cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::find::{PostgresPrograms, ServerUser};
use super::keeper::{End, EndSignals, Keeper, Kept};
use super::{PORT_TRIES_MAX, free_port, install, wait_until};

/// SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
const SIGNALS: EndSignals = EndSignals { orderly: "INT", abrupt: "QUIT" };

/// What a private PostgreSQL is started with.
#[derive(Clone, Debug, Default)]
pub struct PostgresSettings {
    /// `postgresql.conf` settings by name; the server's own defaults hold for the rest, durability included.
    pub settings: Vec<(String, String)>,
}

impl PostgresSettings {
    /// Gives up what protects the data from a power cut, and allows many connections: for suites of short tests.
    ///
    /// A SIGKILL of the server still loses nothing that was committed.
    pub fn fast() -> Self {
        Self::default()
            .with("fsync", "off")
            .with("full_page_writes", "off")
            .with("synchronous_commit", "off")
            .with("max_connections", "300")
    }

    /// Adds one setting; a later one wins over an earlier one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A private PostgreSQL on loopback; dropping it stops it and removes its data.
pub struct Postgres {
    programs: PostgresPrograms,
    user: ServerUser,
    settings: PostgresSettings,
    port: u16,
    /// Absent while stopped. Before the folder, so that the server is gone when its folder goes.
    keeper: Option<Keeper>,
    folder: TempDir,
}

impl Postgres {
    /// Makes a new cluster and starts it.
    ///
    /// # Errors
    ///
    /// No PostgreSQL of version 15 or newer is installed (the message has the line that installs it), or it does not start.
    pub fn start(settings: PostgresSettings) -> Result<Self> {
        let programs = PostgresPrograms::find().with_context(install::advice)?;
        let user = ServerUser::choose(&["postgres", "nobody"])?;
        let folder = tempfile::Builder::new().prefix("auric-postgres-").tempdir()?;
        user.own(folder.path())?;
        let mut postgres = Self { programs, user, settings, port: 0, keeper: None, folder };
        postgres.make_cluster()?;
        let mut tries = 1;
        loop {
            postgres.port = free_port()?;
            match postgres.run() {
                Ok(()) => return Ok(postgres),
                Err(_) if tries < PORT_TRIES_MAX && postgres.port_was_taken() => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the URL of the administrator in the database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://auric@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Gives the process id of the server, or nothing while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.keeper.as_ref().map(Keeper::server_pid)
    }

    /// Shuts the server down in order; the data stays.
    pub fn stop(&mut self) -> Result<()> {
        self.end(End::Stop)
    }

    /// Ends the server by SIGKILL, as a crash would; the data stays.
    pub fn kill(&mut self) -> Result<()> {
        self.end(End::Kill)
    }

    /// Starts the server again on its port and its data, after a [`stop`](Self::stop) if it still runs.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        wait_until("a PostgreSQL that starts again", || match self.run() {
            Ok(()) => Ok(true),
            // The children of a killed server take a moment to notice, and hold its memory until then.
            Err(_) if self.log().contains("is still in use") => {
                fs::remove_file(self.log_path())?;
                Ok(false)
            }
            Err(error) => Err(error),
        })
    }

    fn end(&mut self, how: End) -> Result<()> {
        self.keeper.take().map_or(Ok(()), |keeper| keeper.end(how))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("postgres.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn port_was_taken(&self) -> bool {
        self.log().contains("Address already in use")
    }

    /// Runs `initdb` under a keeper as well: a starter that dies meanwhile leaves no folder behind either.
    fn make_cluster(&self) -> Result<()> {
        let mut command = self.user.command(self.programs.program("initdb"));
        command.args([
            "--username=auric",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--pgdata",
        ]);
        command.arg(self.data());
        let signals = EndSignals { orderly: "TERM", abrupt: "TERM" };
        let log = self.folder.path().join("initdb.log");
        let keeper = Keeper::start(&Kept { folder: self.folder.path(), log: log.clone(), signals, command: &command })?;
        wait_until("initdb", || Ok(keeper.server_ended()))?;
        keeper.end(End::Stop)?;
        // When it fails it takes its files away again.
        if !self.data().join("global/pg_control").exists() {
            bail!("initdb failed: {}", fs::read_to_string(log).unwrap_or_default().trim());
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = self.user.command(self.programs.program("postgres"));
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        let ours = [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")];
        let theirs = self.settings.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in ours.into_iter().chain(theirs) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
    }

    fn run(&mut self) -> Result<()> {
        let command = self.command();
        let kept = Kept { folder: self.folder.path(), log: self.log_path(), signals: SIGNALS, command: &command };
        let keeper = Keeper::start(&kept)?;
        let started = wait_until("the start of PostgreSQL", || {
            if keeper.server_ended() {
                bail!("PostgreSQL ended while it started: {}", self.log().trim());
            }
            Ok(is_ready(&self.data(), keeper.server_pid()))
        });
        if started.is_err() {
            // Ends the keeper without the data: the next try needs it.
            keeper.end(End::Kill)?;
            return started;
        }
        self.keeper = Some(keeper);
        Ok(())
    }
}

/// Reads `postmaster.pid` as `pg_ctl --wait` does: the first line is the process id, the eighth the state.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}
