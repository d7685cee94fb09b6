//! The commands of a Markdown file, and a shell that runs them as a reader would.
//!
//! What a reader sees is what runs: the blocks marked `sh`, one command after the other, in one folder. Beneath a command,
//! `# → text` promises output: the text must occur in it, `…` stands for anything, and a promise that begins with `error`
//! says that the command fails. Every other command must succeed. `# Ctrl-C …` stops what stays, as the reader does in the first terminal.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::tree;

/// The ports in the examples, and how their services are called in variables; the shell puts free ones in their place.
const PORTS_SHOWN: [(&str, &str); 4] =
    [("7401", "WALLET"), ("7402", "SUMMON"), ("7403", "COLLECTION"), ("7404", "SCHEDULER")];

/// How long one command may take, and how long a service may take to start or to stop.
const WAIT_MAX: Duration = Duration::from_mins(1);

const POLL_EVERY: Duration = Duration::from_millis(10);

/// The remark, and the command of the step that it is, which stops what stays.
const STOP: &str = "Ctrl-C";

/// Stands for cargo: the program is built already, and the test tasks are what runs this.
const CARGO: &str = r#"#!/bin/sh
case "$1 $2 $3" in
  "run --release --") shift 3; exec auric "$@" ;;
  "xtask test"*) exit 0 ;;
  *) echo "no reader was told how to: cargo $*" >&2; exit 1 ;;
esac
"#;

/// One command, and the output that is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted from 1.
    pub line: usize,
    /// As it would be typed; continued lines are one.
    pub command: String,
    /// Each occurs in the output.
    pub promises: Vec<String>,
}

impl Step {
    /// Tells whether it starts services and stays.
    fn stays(&self) -> bool {
        let words: Vec<&str> = self.command.split_whitespace().collect();
        words
            .windows(2)
            .any(|pair| (pair[0] == "--" || pair[0].ends_with("auric")) && ["up", "serve"].contains(&pair[1]))
    }

    fn is_refused(&self) -> bool {
        self.promises.iter().any(|promise| promise.starts_with("error"))
    }

    /// Holds the promises against what was written.
    fn check(&self, output: &str) -> Result<()> {
        let output = one_line(output);
        for promise in &self.promises {
            ensure!(
                occurs(&one_line(promise), &output),
                "line {}: `{}` promises {promise:?} but wrote: {output}",
                self.line,
                self.command
            );
        }
        Ok(())
    }
}

/// Reads the commands of the `sh` blocks.
pub fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_block = false;
    let mut continues = false;
    for (line, number) in markdown.lines().zip(1..) {
        let text = line.trim();
        if text.starts_with("```") {
            in_block = !in_block && text == "```sh";
            continues = false;
        } else if !in_block || text.is_empty() {
            continues = false;
        } else if let Some(comment) = text.strip_prefix('#').filter(|_| !continues) {
            if let (Some(promise), Some(last)) = (comment.trim().strip_prefix('→'), steps.last_mut()) {
                last.promises.push(promise.trim().to_owned());
            } else if comment.trim().starts_with(STOP) {
                steps.push(Step { line: number, command: STOP.to_owned(), promises: Vec::new() });
            }
        } else {
            let (command, next_continues) =
                text.strip_suffix('\\').map_or((text, false), |rest| (rest.trim_end(), true));
            match steps.last_mut().filter(|_| continues) {
                Some(last) => last.command = format!("{} {command}", last.command),
                None => steps.push(Step { line: number, command: command.to_owned(), promises: Vec::new() }),
            }
            continues = next_continues;
        }
    }
    steps
}

/// A folder with the built program, in which commands run one after the other.
pub struct Shell {
    folder: TempDir,
    /// In the order of [`PORTS_SHOWN`].
    ports: [u16; PORTS_SHOWN.len()],
    /// What `up` started, and keeps running until the next `up` or the end.
    service: Option<Child>,
}

impl Shell {
    /// Makes the folder: as a fresh clone has it, but for what is only there to be built.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn open(auric: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("auric-readme-").tempdir()?;
        let programs = folder.path().join(".programs");
        fs::create_dir(&programs)?;
        std::os::unix::fs::symlink(auric, programs.join("auric"))?;
        let cargo = programs.join("cargo");
        fs::write(&cargo, CARGO)?;
        fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        copy_folder(&tree::root().join("game"), &folder.path().join("game"))?;
        Ok(Self { folder, ports: free_ports()?, service: None })
    }

    /// Runs one command and holds its promises against it.
    ///
    /// A second `up` is what a reader types after Ctrl-C: the first is stopped before.
    ///
    /// # Errors
    ///
    /// It does not do what is promised.
    pub fn run(&mut self, step: &Step) -> Result<()> {
        if step.command == STOP {
            return self.stop();
        }
        if step.stays() {
            self.stop()?;
            return self.start(step);
        }
        let output = self.command(&step.command).output().context("no shell")?;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(
            output.status.success() != step.is_refused(),
            "line {}: `{}` ended with {}: {text}",
            step.line,
            step.command,
            output.status
        );
        step.check(&text)
    }

    /// Stops what `up` started by Ctrl-C, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// It does not stop, or it stops with an error.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut service) = self.service.take() else { return Ok(()) };
        signal("INT", service.id());
        let status = wait_for("the end after Ctrl-C", || Ok(service.try_wait()?));
        if status.is_err() {
            signal("KILL", service.id());
            service.wait()?;
        }
        ensure!(status?.success(), "Ctrl-C ended it with an error: {}", self.service_output());
        Ok(())
    }

    fn start(&mut self, step: &Step) -> Result<()> {
        let output = fs::File::create(self.output_path())?;
        // `exec`, so that Ctrl-C reaches the program itself and not a shell around it.
        let mut command = self.command(&format!("exec {}", step.command));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let service = self.service.insert(command.spawn().context("no shell")?);
        let (port, path) = (self.ports[0], self.folder.path().join("up.log"));
        wait_for("the start", || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if let Some(status) = service.try_wait()? {
                bail!("line {}: `{}` ended with {status}: {text}", step.line, step.command);
            }
            let is_up = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            Ok((is_up && step.check(&text).is_ok()).then_some(()))
        })
        .or_else(|late| step.check(&self.service_output()).and(Err(late)))
    }

    fn command(&self, line: &str) -> Command {
        let ports = || self.ports.iter().zip(PORTS_SHOWN);
        let line = ports().fold(line.to_owned(), |line, (port, (shown, _))| line.replace(shown, &port.to_string()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"PATH="$1:$PATH"; export PATH; eval "$2""#, "sh"]);
        command.arg(self.folder.path().join(".programs")).arg(line).current_dir(self.folder.path()).process_group(0);
        for (port, (_, service)) in ports() {
            command.env(format!("AURIC_{service}_LISTEN"), format!("127.0.0.1:{port}"));
            command.env(format!("AURIC_{service}"), format!("http://127.0.0.1:{port}"));
        }
        command.env("NO_COLOR", "1");
        command
    }

    fn output_path(&self) -> PathBuf {
        self.folder.path().join("up.log")
    }

    fn service_output(&self) -> String {
        fs::read_to_string(self.output_path()).unwrap_or_default()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            signal("KILL", service.id());
            let _ = service.wait();
        }
    }
}

/// Ports that nobody listens on now, each another.
fn free_ports() -> Result<[u16; PORTS_SHOWN.len()]> {
    // All are held before the first is let go, or two could be the same.
    let listeners = [(); PORTS_SHOWN.len()].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = [0; PORTS_SHOWN.len()];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(started.elapsed() < WAIT_MAX, "{what} took longer than {} s", WAIT_MAX.as_secs());
        std::thread::sleep(POLL_EVERY);
    }
}

/// Sends a signal to a process group that this process started.
fn signal(name: &str, group: u32) {
    let kill = r#"kill -s "$1" -- "-$2" 2>/dev/null"#;
    let _ = Command::new("/bin/sh").args(["-c", kill, "kill", name, &group.to_string()]).status();
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("no {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Tables are laid out anew when a number grows: only the words count.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn occurs(promise: &str, output: &str) -> bool {
    let mut rest = output;
    promise.split('…').map(str::trim).all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_their_lines_and_promises() {
        let markdown = "# Title\n```sh\ncargo run --release -- up   \n```\ntext\n```text\nnot this\n```\n\
            ```sh\n# a remark\nauric wallet balance \\\n  discord:1\n# → lumees … 100\n# → second\n\nauric check\n# Ctrl-C in the first terminal\n```\n";
        let found = steps(markdown);
        let commands: Vec<(usize, &str)> = found.iter().map(|step| (step.line, step.command.as_str())).collect();
        assert_eq!(
            commands,
            [(3, "cargo run --release -- up"), (11, "auric wallet balance discord:1"), (16, "auric check"), (17, STOP)]
        );
        assert_eq!(found[1].promises, ["lumees … 100", "second"]);
        assert!(found[0].stays() && !found[1].stays());
    }

    #[test]
    fn a_promise_is_held_word_by_word() {
        assert!(occurs("lumees … 100", "asset available lumees main 1 100 x"));
        assert!(occurs("a b", &one_line("x a \n   b y")));
        assert!(!occurs("100 … lumees", "lumees 100"));
    }

    #[test]
    fn a_broken_promise_is_noticed() {
        let shell_of = || Shell { folder: tempfile::tempdir().unwrap(), ports: [1; PORTS_SHOWN.len()], service: None };
        let step = |command: &str, promises: &[&str]| Step {
            line: 1,
            command: command.to_owned(),
            promises: promises.iter().map(|&promise| promise.to_owned()).collect(),
        };
        let mut shell = shell_of();
        assert!(shell.run(&step("echo one two", &["one … two"])).is_ok());
        assert!(shell.run(&step("echo one two", &["two one"])).is_err());
        assert!(shell.run(&step("false", &[])).is_err());
        assert!(shell.run(&step("echo error: no >&2; false", &["error: no"])).is_ok());
        assert!(shell.run(&step("echo error: no", &["error: no"])).is_err(), "it was to fail");
        assert!(shell.run(&step("exec true -- up", &[])).is_err(), "it was to stay");
    }
}
