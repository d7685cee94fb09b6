//! Writes lines from a thread of its own, many at once.
//!
//! Whoever logs copies its line behind those that wait, and goes on. The thread takes all that waits, once a few milliseconds have brought more:
//! where thousands of lines come each second, a system call, and a change of threads, is then shared by many. None is dropped: when more than
//! `WAITING_BYTES_MAX` wait, whoever logs one more waits as well. Lines stay in the order in which they came.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait to be written.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Bytes for which nothing more is waited for.
const WRITE_BYTES: usize = 64 << 10;

/// How long the first line that waits is kept for others to join it.
const LINGER: Duration = Duration::from_millis(3);

/// Takes lines, for as long as its [`Ending`] is kept.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// Writes what waits, and ends the thread, when it is dropped.
#[derive(Debug)]
pub struct Ending {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Told when lines came, where none waited or where there are many.
    filled: Condvar,
    /// Told when what waited was taken.
    taken: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    is_ending: bool,
    has_ended: bool,
}

/// Starts the thread that writes to `out`.
///
/// # Errors
///
/// The system gives no thread.
pub fn start(out: impl Write + Send + 'static) -> io::Result<(Writer, Ending)> {
    let shared = Arc::new(Shared::default());
    let of_thread = Arc::clone(&shared);
    let thread = thread::Builder::new().name("lines".to_owned()).spawn(move || of_thread.write_to(out))?;
    Ok((Writer { shared: Arc::clone(&shared) }, Ending { shared, thread: Some(thread) }))
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Lines are whole after every statement that adds one.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let full = |waiting: &mut Waiting| waiting.lines.len() > WAITING_BYTES_MAX && !waiting.has_ended;
        let mut waiting = self.taken.wait_while(self.waiting(), full).unwrap_or_else(PoisonError::into_inner);
        let before = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        let is_due = before == 0 || (before < WRITE_BYTES && waiting.lines.len() >= WRITE_BYTES);
        drop(waiting);
        if is_due {
            self.filled.notify_one();
        }
    }

    fn write_to(&self, mut out: impl Write) {
        let mut lines = Vec::with_capacity(WRITE_BYTES);
        while self.take(&mut lines) {
            // There is nowhere left to say that lines cannot be written.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
        }
    }

    /// Waits for lines and takes them; returns whether there may be more.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let none = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_ending;
        let waiting = self.filled.wait_while(self.waiting(), none).unwrap_or_else(PoisonError::into_inner);
        let few = |waiting: &mut Waiting| waiting.lines.len() < WRITE_BYTES && !waiting.is_ending;
        let lingered = self.filled.wait_timeout_while(waiting, LINGER, few);
        let (mut waiting, _) = lingered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut waiting.lines, lines);
        waiting.has_ended = waiting.is_ending && lines.is_empty();
        let goes_on = !waiting.has_ended;
        drop(waiting);
        self.taken.notify_all();
        goes_on
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.waiting().is_ending = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by itself.
            let _ = thread.join();
        }
    }
}

impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes on what is written, once somebody takes it.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_of_every_thread_is_written_whole_and_in_order() {
        let (sender, written) = mpsc::sync_channel(1_024);
        let (writer, ending) = start(Slow(sender)).unwrap();
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let writer = &writer;
                scope.spawn(move || {
                    for number in 0..1_000 {
                        writer.make_writer().write_all(format!("{name} {number}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(ending);
        let text = String::from_utf8(written.iter().flatten().collect()).unwrap();
        assert_eq!(text.lines().count(), 3_000);
        for name in ["a", "b", "c"] {
            let of_one = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
            assert!(of_one.eq(0..1_000), "{name}");
        }
    }

    #[test]
    fn whoever_logs_waits_when_too_much_waits() {
        // Nobody takes what is written until the second thread has found no room.
        let (sender, written) = mpsc::sync_channel(0);
        let (writer, ending) = start(Slow(sender)).unwrap();
        let line = vec![b'x'; WAITING_BYTES_MAX / 2];
        let (told, tells) = mpsc::channel();
        thread::scope(|scope| {
            let writer = &writer;
            let line = &line;
            scope.spawn(move || {
                for number in 0..5 {
                    writer.make_writer().write_all(line).unwrap();
                    told.send(number).unwrap();
                }
            });
            // One is taken and stuck at most, and three fill what may wait: the fifth has to wait until something is taken.
            let last_free = tells.iter().take(3).last();
            assert_eq!(last_free, Some(2));
            assert!(writer.shared.waiting().lines.len() <= WAITING_BYTES_MAX + line.len());
            let taken: usize = std::iter::from_fn(|| written.recv().ok()).map(|part| part.len()).take(1).sum();
            assert!(taken > 0);
            let reader = scope.spawn(move || written.iter().map(|part| part.len()).sum::<usize>());
            assert_eq!(tells.iter().last(), Some(4));
            drop(ending);
            assert_eq!(reader.join().unwrap() + taken, line.len() * 5);
        });
    }
}
