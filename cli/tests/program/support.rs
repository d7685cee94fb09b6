//! A folder, and programs that run in it and are gone when the test is.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

/// How long something may take that happens by itself.
const WAIT_MAX: Duration = Duration::from_secs(30);

const POLL_EVERY: Duration = Duration::from_millis(10);

/// The built program, in `folder`, with nothing of this process's settings.
pub fn auric(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auric"));
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

/// A place far from the checkout.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The shipped catalog in `folder` under `name`, but for the wallet's part.
pub fn game_without_assets(folder: &Path, name: &str) -> PathBuf {
    let game = folder.join(name);
    std::fs::create_dir(&game).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../game");
    for file in ["esprits.toml", "rarities.toml", "collection.toml", "banners.toml"] {
        std::fs::copy(shipped.join(file), game.join(file)).unwrap();
    }
    game
}

/// The shipped catalog, whole, in a folder of its own.
pub fn game(folder: &Path, name: &str) -> PathBuf {
    let game = game_without_assets(folder, name);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../game");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), game.join(file.file_name())).unwrap();
    }
    game
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The lines that say what is wrong; log lines are not among them.
    pub fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error: ")).collect()
    }
}

/// Runs a command to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Ended {
    auric(folder, arguments).output().unwrap().into()
}

/// `auric up` on free ports, ready; killed when the test ends without stopping it.
pub struct Up {
    child: Child,
    // Held open: a service whose reader goes away would fail to write.
    _stdout: ChildStdout,
    stderr: NamedTempFile,
    pub ready: Value,
    pub url: String,
}

impl Up {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[], &[])
    }

    /// The same with more flags and variables.
    pub fn start_with(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = auric(folder, &[&["up", "--json"], flags].concat());
        for port in ["--port", "--summon-port", "--collection-port", "--scheduler-port"] {
            if !flags.contains(&port) {
                command.args([port, "0"]);
            }
        }
        let stderr = NamedTempFile::new().unwrap();
        let mut child = command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // The document ends before the stream does.
        let ready = serde_json::Deserializer::from_reader(&mut stdout).into_iter::<Value>().next();
        let log = || std::fs::read_to_string(stderr.path()).unwrap();
        let Some(Ok(ready)) = ready else { panic!("{ready:?}: {}", log()) };
        let url = ready["services"][0]["address"].as_str().unwrap().to_owned();
        Self { child, _stdout: stdout, stderr, ready, url }
    }

    /// Runs `auric wallet …` against it.
    pub fn wallet(&self, arguments: &[&str]) -> Ended {
        self.ask(&[&["wallet"], arguments].concat())
    }

    /// Runs `auric summon …` against it.
    pub fn summon(&self, arguments: &[&str]) -> Ended {
        self.ask(&[&["summon"], arguments].concat())
    }

    /// Runs `auric …` against it.
    pub fn ask(&self, arguments: &[&str]) -> Ended {
        self.asking(arguments).output().unwrap().into()
    }

    /// `auric …` against it, to be started.
    pub fn asking(&self, arguments: &[&str]) -> Command {
        let mut command = auric(Path::new("/"), arguments);
        command.env("AURIC_WALLET", &self.url);
        command.env("AURIC_COLLECTION", self.url_of("collection")).env("AURIC_SUMMON", self.url_of("summon"));
        command.env("AURIC_SCHEDULER", self.url_of("scheduler"));
        command
    }

    /// Where one of its services is.
    pub fn url_of(&self, service: &str) -> &str {
        let services = self.ready["services"].as_array().unwrap();
        let found = services.iter().find(|found| found["name"] == service);
        found.and_then(|found| found["address"].as_str()).unwrap_or_else(|| panic!("no {service}: {}", self.ready))
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.stderr.path()).unwrap()
    }

    /// Sends a signal to this one process.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `auric serve` on a free port, listening; killed when the test ends.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let stderr = NamedTempFile::new().unwrap();
        let child = auric(folder, arguments)
            .args(["--listen", "127.0.0.1:0", "--log", "info", "--log-format", "json"])
            .stdout(Stdio::null())
            .stderr(stderr.reopen().unwrap())
            .spawn()
            .unwrap();
        let address = wait_for("the line that says where it listens", || {
            let log = std::fs::read_to_string(stderr.path()).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut listens = lines.filter(|line| line["version"].is_string());
            Some(listens.next()?["address"].as_str()?.to_owned())
        });
        Self { child, url: format!("http://{address}") }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < WAIT_MAX, "{what} took longer than {} s", WAIT_MAX.as_secs());
        std::thread::sleep(POLL_EVERY);
    }
}
