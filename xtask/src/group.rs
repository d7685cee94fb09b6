//! A command and all that it starts, ended together.

use std::io::PipeReader;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the group when this process is gone, however it went: then the pipe closes.
const WATCH: &str = r#"trap '' HUP INT TERM; read -r word; kill -s TERM -- "-$1"; sleep 5; kill -s KILL -- "-$1""#;

/// Ctrl-C and its like, and what they are to end.
#[derive(Clone, Default)]
pub struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How often this process was told to end.
    times: u32,
    /// The process group that runs now.
    group: Option<u32>,
}

impl Interrupt {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP for the rest of the process.
    pub fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be handled")?;
        let heard = interrupt.clone();
        std::thread::spawn(move || {
            for _ in signals.forever() {
                heard.hear();
            }
        });
        Ok(interrupt)
    }

    /// Tells whether this process was told to end.
    pub fn was_heard(&self) -> bool {
        self.lock().times > 0
    }

    /// Runs `command` in a process group of its own, gives its output line by line to `on_line`, and waits for it.
    ///
    /// Both output streams go through one pipe, so that the order of their lines is the order of writing.
    ///
    /// # Errors
    ///
    /// The command does not start, or this process was told to end before.
    pub fn run(&self, command: &mut Command, on_line: impl FnMut(&[u8])) -> Result<ExitStatus> {
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let mut state = self.lock();
        if state.times > 0 {
            bail!("stopped before the start of {}", command.get_program().display());
        }
        let mut child =
            command.spawn().with_context(|| format!("{} does not start", command.get_program().display()))?;
        // The command holds the writing ends of the pipe; the reader never sees its end while they are open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        state.group = Some(child.id());
        drop(state);
        let group = child.id();
        let mut watch = watch(group)?;
        let (status, passed_on) = std::thread::scope(|scope| {
            let ended = scope.spawn(|| {
                let status = child.wait();
                self.lock().group = None;
                // Whatever a test left running holds the pipe open, and has no business any more.
                signal_group("KILL", group);
                status
            });
            let passed_on = pass_on(reader, on_line);
            (ended.join(), passed_on)
        });
        // Killed, not told: a word would make it end a group that is gone, or one that has its number now.
        watch.kill()?;
        watch.wait()?;
        passed_on?;
        let Ok(status) = status else { bail!("the wait for {} failed", command.get_program().display()) };
        Ok(status?)
    }

    fn hear(&self) {
        let mut state = self.lock();
        state.times = state.times.saturating_add(1);
        let Some(group) = state.group else { return };
        let signal = if state.times == 1 { "TERM" } else { "KILL" };
        eprintln!("\nstopping the tests ({signal})");
        // A group that just ended is no fault.
        let _ = Command::new("/bin/sh")
            .args(["-c", r#"kill -s "$1" -- "-$2" 2>/dev/null"#, "kill", signal, &group.to_string()])
            .status();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal_group(signal: &str, group: u32) {
    let kill = r#"kill -s "$1" -- "-$2" 2>/dev/null"#;
    // A group that has ended is no fault.
    let _ = Command::new("/bin/sh").args(["-c", kill, "kill", signal, &group.to_string()]).status();
}

fn watch(group: u32) -> Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCH, "watch", &group.to_string()]).process_group(0).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("/bin/sh does not start")
}

fn pass_on(reader: PipeReader, mut on_line: impl FnMut(&[u8])) -> std::io::Result<()> {
    use std::io::BufRead as _;
    let mut reader = std::io::BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        on_line(&line);
        line.clear();
    }
    Ok(())
}
