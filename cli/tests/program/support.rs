//! A folder, and programs that run in it and are gone when the test is.

use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

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

/// `auric up` on a free port, ready; killed when the test ends without stopping it.
pub struct Up {
    child: Child,
    // Held open: a service whose reader goes away would fail to write.
    _stdout: ChildStdout,
    stderr: ChildStderr,
    pub ready: Value,
    pub url: String,
}

impl Up {
    pub fn start(folder: &Path) -> Self {
        let mut command = auric(folder, &["up", "--port", "0", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        // The document ends before the stream does.
        let ready = serde_json::Deserializer::from_reader(&mut stdout).into_iter::<Value>().next();
        let Some(Ok(ready)) = ready else { panic!("{ready:?}: {}", read(&mut stderr)) };
        let url = ready["services"][0]["address"].as_str().unwrap().to_owned();
        Self { child, _stdout: stdout, stderr, ready, url }
    }

    /// Runs `auric wallet …` against it.
    pub fn wallet(&self, arguments: &[&str]) -> Ended {
        let command = [&["wallet"], arguments].concat();
        auric(Path::new("/"), &command).env("AURIC_WALLET", &self.url).output().unwrap().into()
    }

    /// Sends a signal to this one process.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn wait(mut self) -> (ExitStatus, String) {
        let stderr = read(&mut self.stderr);
        (self.child.wait().unwrap(), stderr)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: &mut ChildStderr) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(stream, &mut text).unwrap();
    text
}
