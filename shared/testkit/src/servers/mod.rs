//! Private PostgreSQL and Redis processes: on loopback, on free ports, in a folder of their own.
//!
//! Each server is the child of a *keeper*, a small shell that waits on a pipe from this process. When the pipe closes the
//! keeper stops the server and removes its folder: after a drop, after Ctrl-C, and after a SIGKILL of this process alike.
//! Nothing here looks at, or signals, a server that it did not start.

mod find;
mod install;
mod keeper;
mod postgres;
mod redis;

pub use find::{PostgresPrograms, RedisPrograms, clock_library, missing_servers};
pub use install::{install_missing, install_packages};
pub use postgres::{Postgres, PostgresSettings};
pub use redis::Redis;

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a server may take until it answers; a machine that compiles beside it is slow.
const START_WAIT_MAX: Duration = Duration::from_secs(90);

/// How often a server is started on another port when somebody took the one that was free a moment ago.
const PORT_TRIES_MAX: u32 = 5;

const POLL_EVERY: Duration = Duration::from_millis(10);

/// Finds a loopback port that nobody listens on right now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
    Ok(listener.local_addr()?.port())
}

/// Asks `is_met` until it says yes.
fn wait_until(what: &str, mut is_met: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_met()? {
        if started.elapsed() > START_WAIT_MAX {
            bail!("{what} took longer than {} s", START_WAIT_MAX.as_secs());
        }
        std::thread::sleep(POLL_EVERY);
    }
    Ok(())
}
