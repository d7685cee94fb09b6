//! The shell that owns a server process, and outlives whoever started it for long enough to stop it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Starts the server, tells its process id, waits for one word, and ends the server as the word says.
///
/// No word means that the starter is gone or needs the server no more: then the folder goes too. The traps are set after
/// the start, since a shell hands ignored signals down to its children.
const SCRIPT: &str = r#"
folder=$1 log=$2 orderly=$3 abrupt=$4; shift 4
"$@" </dev/null >>"$log" 2>&1 &
server=$!
trap '' HUP INT TERM PIPE
echo "$server"
word=gone
read -r word || word=gone
case "$word" in
  stop) kill -s "$orderly" "$server" ;;
  kill) kill -s KILL "$server" ;;
  *) kill -s "$abrupt" "$server" ;;
esac 2>/dev/null
wait "$server" 2>/dev/null
if [ "$word" = gone ]; then rm -rf -- "$folder"; fi
"#;

/// The signals that end one kind of server.
#[derive(Clone, Copy)]
pub(super) struct EndSignals {
    /// Ends it so that its data is good.
    pub orderly: &'static str,
    /// Ends it at once; its data is thrown away.
    pub abrupt: &'static str,
}

/// How a server is to be ended by hand.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// In order: it may write down what it has.
    Stop,
    /// By SIGKILL, as a crash would.
    Kill,
}

/// What a keeper runs.
pub(super) struct Kept<'a> {
    /// Removed once the server is gone for good.
    pub folder: &'a Path,
    /// Where the output of the server goes.
    pub log: PathBuf,
    pub signals: EndSignals,
    pub command: &'a Command,
}

/// One running server; dropping it ends the server and removes its folder.
pub(super) struct Keeper {
    shell: Child,
    /// Open for as long as the server is wanted.
    word: Option<ChildStdin>,
    server_pid: u32,
}

impl Keeper {
    /// Starts the command under a shell of its own, in a process group that no Ctrl-C of the terminal reaches.
    pub fn start(kept: &Kept<'_>) -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "keeper"])
            .args([kept.folder.as_os_str(), kept.log.as_os_str()])
            .args([kept.signals.orderly, kept.signals.abrupt].map(OsStr::new))
            .arg(kept.command.get_program())
            .args(kept.command.get_args())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("/bin/sh does not start")?;
        let word = shell.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Ok(server_pid) = line.trim().parse() else {
            bail!("the keeper of a server told no process id, but {line:?}");
        };
        Ok(Self { shell, word, server_pid })
    }

    /// Gives the process id of the server itself.
    pub fn server_pid(&self) -> u32 {
        self.server_pid
    }

    /// Tells whether the server ended without being told to.
    pub fn server_ended(&self) -> bool {
        // The keeper has not waited for it yet, so a dead server is still listed, as a zombie.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server_pid)).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
    }

    /// Ends the server, waits until it is gone, and leaves its folder for the next start.
    pub fn end(mut self, how: End) -> Result<()> {
        let word: &[u8] = match how {
            End::Stop => b"stop\n",
            End::Kill => b"kill\n",
        };
        if let Some(mut pipe) = self.word.take() {
            pipe.write_all(word).context("the keeper of a server is gone")?;
        }
        self.shell.wait()?;
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Closing the pipe is the word; a keeper that is gone already has nothing left to do.
        drop(self.word.take());
        let _ = self.shell.wait();
    }
}
