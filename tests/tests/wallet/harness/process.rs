//! One process of the built program, and what it says on standard error.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use auric_tests::program::build_auric;
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

/// A line of the log, or what else was said as a text.
pub type Line = Value;

/// How long a debug build on a busy machine may take until it listens, and its lines until they are read.
const SAID_WITHIN: Duration = Duration::from_mins(1);

static AURIC: OnceLock<PathBuf> = OnceLock::new();

/// The built program, with nothing of this process's settings.
pub fn auric<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let program = AURIC.get_or_init(|| build_auric().expect("auric builds"));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// A wallet that listens; killed when it is dropped.
pub struct Process {
    child: Child,
    said: Arc<Said>,
    reader: Option<JoinHandle<()>>,
    address: SocketAddr,
    channel: Channel,
}

impl Process {
    /// Starts `command`, which is an `auric serve` with JSON lines, and waits until it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("auric starts");
        let said = Arc::new(Said::default());
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let reader = std::thread::spawn({
            let said = Arc::clone(&said);
            move || said.read(stderr)
        });
        let listens = said.wait_for(|line| line["address"].is_string() && line["version"].is_string());
        let address: SocketAddr = listens["address"].as_str().and_then(|text| text.parse().ok()).expect("an address");
        let url = format!("http://{address}");
        let channel = Endpoint::from_shared(url).expect("a URL").connect_lazy();
        Self { child, said, reader: Some(reader), address, channel }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it says such a line.
    pub fn wait_for(&self, wanted: impl Fn(&Line) -> bool) -> Line {
        self.said.wait_for(wanted)
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Sends a signal to this one process.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "SIG{name} was not sent");
    }

    /// Waits for the end of the process, and gives all that it said.
    pub fn end(mut self) -> Vec<Line> {
        self.child.wait().expect("it is our child");
        self.reader.take().expect("read once").join().expect("it was read to the end");
        std::mem::take(&mut *self.said.lines.lock().expect("no reader panicked"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

impl Said {
    fn read(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).lines() {
            let line = line.expect("the log is UTF-8");
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            self.lines.lock().expect("no reader panicked").push(line);
            self.more.notify_all();
        }
    }

    fn wait_for(&self, wanted: impl Fn(&Line) -> bool) -> Line {
        let lines = self.lines.lock().expect("no reader panicked");
        let absent = |lines: &mut Vec<Line>| !lines.iter().any(&wanted);
        let (lines, _) = self.more.wait_timeout_while(lines, SAID_WITHIN, absent).expect("no reader panicked");
        lines.iter().find(|line| wanted(line)).unwrap_or_else(|| panic!("it is not said: {lines:#?}")).clone()
    }
}
