//! The life of a throw-away server: it keeps its data over a crash, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a helper of a test panics as the test itself would")]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use auric_testkit::servers::{Postgres, PostgresSettings, Redis};

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn port_of(url: &str) -> u16 {
    let after = url.split("127.0.0.1:").nth(1).unwrap();
    after.split('/').next().unwrap().parse().unwrap()
}

fn redis_command(url: &str, line: &str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut stream = TcpStream::connect(("127.0.0.1", port_of(url))).unwrap();
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim().to_owned()
}

#[test]
fn a_dropped_server_is_gone_with_its_folder() {
    let postgres = Postgres::start(PostgresSettings::default()).unwrap();
    let pid = postgres.pid().unwrap();
    let folder = data_folder(pid);
    assert!(Path::new(&folder).exists());
    drop(postgres);
    assert!(!is_alive(pid), "PostgreSQL {pid} is still there");
    assert!(!Path::new(&folder).exists(), "{folder} is still there");

    let redis = Redis::start().unwrap();
    let pid = redis.pid().unwrap();
    drop(redis);
    assert!(!is_alive(pid), "Redis {pid} is still there");
}

#[test]
fn a_killed_redis_starts_again_on_its_port() {
    let mut redis = Redis::start().unwrap();
    let (url, pid) = (redis.url(), redis.pid().unwrap());
    assert_eq!(redis_command(&url, "SET units 5"), "+OK");
    redis.kill().unwrap();
    assert_eq!(redis.pid(), None);
    assert!(!is_alive(pid));
    assert!(TcpStream::connect(("127.0.0.1", port_of(&url))).is_err());
    redis.restart().unwrap();
    assert_eq!(redis.url(), url);
    assert_eq!(redis_command(&url, "GET units"), "$-1", "a test's Redis keeps nothing");
}

#[test]
fn no_server_runs_as_root() {
    let postgres = Postgres::start(PostgresSettings::fast()).unwrap();
    let redis = Redis::start().unwrap();
    for pid in [postgres.pid().unwrap(), redis.pid().unwrap()] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(uids.split_whitespace().skip(1).all(|uid| uid != "0"), "{pid} runs as root: {uids}");
    }
}

/// A process that is killed runs no destructor; only the keeper is left to clean up.
#[test]
fn a_server_ends_with_a_starter_that_was_killed() {
    use std::io::{BufRead as _, BufReader};
    let mut starter =
        Command::new(env!("CARGO_BIN_EXE_auric-servers")).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = (0..2)
        .map(|_| {
            let line = lines.next().unwrap().unwrap();
            line.rsplit_once("pid ").unwrap().1.trim().parse().unwrap()
        })
        .collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?} are not both alive");
    let folder = data_folder(pids[0]);
    starter.kill().unwrap();
    starter.wait().unwrap();
    until(|| pids.iter().all(|pid| !is_alive(*pid)) && !Path::new(&folder).exists());
}

fn data_folder(pid: u32) -> String {
    std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().display().to_string()
}

/// Polls a condition of the operating system, which tells nobody when it changes.
fn until(mut is_met: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_met() {
        assert!(started.elapsed().as_secs() < 30, "the condition is still not met");
        std::thread::yield_now();
    }
}
