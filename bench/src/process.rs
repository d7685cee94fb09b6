//! The processes that are measured: each the program itself, under a shell that ends it when this process goes, however it goes.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How long a service may take until it is ready.
const READY_WAIT_MAX: Duration = Duration::from_mins(1);

const READY_POLL: Duration = Duration::from_millis(20);

/// How often a process is started on another port when somebody took the one that was free a moment ago.
const PORT_TRIES_MAX: u32 = 5;

/// Starts a process, tells its id, and ends it when the pipe of the starter closes.
const SCRIPT: &str = r#"
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 &
process=$!
trap '' HUP INT TERM PIPE
echo "$process"
read -r _
kill -s KILL "$process" 2>/dev/null
wait "$process" 2>/dev/null
"#;

/// What a process is started with.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// The words after the program's name; `{address}` stands for the address to listen on, `{port}` for its port.
    pub words: Vec<OsString>,
    /// Its whole environment.
    pub variables: Vec<(String, String)>,
}

/// A service that runs in a process of its own; dropping it ends the process.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    /// Open for as long as the process is wanted.
    pipe: Option<ChildStdin>,
    pid: u32,
    url: String,
}

impl Process {
    /// Starts `program`, with its log in `folder` under `name`, and waits until it is `SERVING`.
    ///
    /// # Errors
    ///
    /// It ends, or is not ready in time; the end of its log says why.
    pub async fn start(program: &Path, folder: &Path, name: &str, arguments: &Arguments) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let mut tries = 1;
        loop {
            let mut process = Self::spawn(program, folder, &log, arguments)?;
            match process.wait_ready().await {
                Ok(()) => return Ok(process),
                Err(_) if process.has_ended()? && tries < PORT_TRIES_MAX && tail(&log).contains("is taken") => {
                    tries += 1;
                }
                Err(error) => return Err(error.context(format!("{name} does not start: {}", tail(&log)))),
            }
        }
    }

    fn spawn(program: &Path, folder: &Path, log: &Path, arguments: &Arguments) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let word = |word: &OsString| match word.to_str() {
            Some(text) => OsString::from(text.replace("{address}", &address).replace("{port}", &port.to_string())),
            None => word.clone(),
        };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(log)
            .arg(program)
            .args(arguments.words.iter().map(word))
            .env_clear()
            .envs(arguments.variables.iter().cloned())
            .current_dir(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("/bin/sh does not start")?;
        let pipe = shell.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let pid = line.trim().parse().with_context(|| format!("the shell told no process id, but {line:?}"))?;
        Ok(Self { shell, pipe, pid, url: format!("http://{address}") })
    }

    /// Where it serves.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !is_serving(&self.url).await {
            if self.has_ended()? {
                bail!("it ended");
            }
            if begun.elapsed() > READY_WAIT_MAX {
                bail!("it is not ready after {} s", READY_WAIT_MAX.as_secs());
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Ok(())
    }

    fn has_ended(&mut self) -> Result<bool> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The shell has not waited for it yet, so a process that ended is listed as a zombie.
        let is_gone = stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
        Ok(is_gone || self.shell.try_wait()?.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Closing the pipe is the word; a shell that is gone already has nothing left to do.
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

async fn is_serving(url: &str) -> bool {
    let Ok(endpoint) = Endpoint::from_shared(url.to_owned()) else { return false };
    let Ok(channel) = endpoint.connect().await else { return false };
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}

fn tail(log: &PathBuf) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}
