//! Starts a throw-away PostgreSQL and Redis, prints where they are, and holds them until it is ended.
//!
//! `AURIC_TEST_POSTGRES=… cargo test` then reuses one server for many runs.

use std::io::Write as _;

use anyhow::Result;
use auric_testkit::servers::{Postgres, PostgresSettings, Redis};
use auric_testkit::{POSTGRES_URL, REDIS_URL};

fn main() -> Result<()> {
    let postgres = Postgres::start(PostgresSettings::fast())?;
    let redis = Redis::start()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "export {POSTGRES_URL}={} # pid {}", postgres.url(), postgres.pid().unwrap_or_default())?;
    writeln!(out, "export {REDIS_URL}={} # pid {}", redis.url(), redis.pid().unwrap_or_default())?;
    out.flush()?;
    // Ctrl-C or a SIGKILL ends this process here; the keepers of the servers notice both.
    loop {
        std::thread::park();
    }
}
