//! A private Redis that keeps nothing on disk.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::find::{RedisPrograms, ServerUser};
use super::keeper::{End, EndSignals, Keeper, Kept};
use super::{PORT_TRIES_MAX, free_port, install, wait_until};

const SIGNALS: EndSignals = EndSignals { orderly: "TERM", abrupt: "KILL" };

/// How long an answer to PING may take before it is asked again.
const PING_WAIT_MAX: Duration = Duration::from_secs(1);

/// A private Redis on loopback; dropping it stops it.
pub struct Redis {
    programs: RedisPrograms,
    user: ServerUser,
    port: u16,
    /// Absent while stopped. Before the folder, so that the server is gone when its folder goes.
    keeper: Option<Keeper>,
    folder: TempDir,
}

impl Redis {
    /// Starts an empty Redis.
    ///
    /// # Errors
    ///
    /// No Redis is installed (the message has the line that installs it), or it does not start.
    pub fn start() -> Result<Self> {
        let programs = RedisPrograms::find().with_context(install::advice)?;
        let user = ServerUser::choose(&["redis", "nobody"])?;
        let folder = tempfile::Builder::new().prefix("auric-redis-").tempdir()?;
        user.own(folder.path())?;
        let mut redis = Self { programs, user, port: 0, keeper: None, folder };
        let mut tries = 1;
        loop {
            redis.port = free_port()?;
            match redis.run() {
                Ok(()) => return Ok(redis),
                Err(_) if tries < PORT_TRIES_MAX && redis.log().contains("Address already in use") => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the URL of its first database.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Gives the process id of the server, or nothing while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.keeper.as_ref().map(Keeper::server_pid)
    }

    /// Shuts the server down in order; what it held is gone.
    pub fn stop(&mut self) -> Result<()> {
        self.end(End::Stop)
    }

    /// Ends the server by SIGKILL, as a crash would; what it held is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.end(End::Kill)
    }

    /// Starts the server again on its port, empty, after a [`stop`](Self::stop) if it still runs.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.run()
    }

    fn end(&mut self, how: End) -> Result<()> {
        self.keeper.take().map_or(Ok(()), |keeper| keeper.end(how))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("redis.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let mut command = self.user.command(&self.programs.server);
        command.args(["--bind", "127.0.0.1", "--port"]).arg(self.port.to_string());
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]).arg(self.folder.path());
        command
    }

    fn run(&mut self) -> Result<()> {
        let command = self.command();
        let kept = Kept { folder: self.folder.path(), log: self.log_path(), signals: SIGNALS, command: &command };
        let keeper = Keeper::start(&kept)?;
        let started = wait_until("the start of Redis", || {
            if keeper.server_ended() {
                bail!("Redis ended while it started: {}", self.log().trim());
            }
            Ok(answers_ping(self.port).unwrap_or(false))
        });
        if started.is_err() {
            keeper.end(End::Kill)?;
            return started;
        }
        self.keeper = Some(keeper);
        Ok(())
    }
}

fn answers_ping(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PING_WAIT_MAX))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0_u8; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}
