//! Turns what the services say with `tracing` into lines on standard error: JSON for a machine, text for a person.
//!
//! A line's message reads alone; its fields are there to be searched. A panic becomes an `error` line too, so that a log collector sees it.
//! Lines are written by a thread of their own, many at once when there are many: whoever logs does not wait for the terminal or the pipe,
//! until `LINES_WAITING_MAX` wait. None is dropped.

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use serde::Deserialize;
use thiserror::Error;
use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// Text on a terminal, JSON everywhere else.
    #[default]
    Auto,
    /// For a person; coloured on a terminal.
    Text,
    /// An object a line: `timestamp`, `level`, `target`, `message` and the fields side by side.
    Json,
}

impl LogFormat {
    /// The words that a configuration may use.
    pub const NAMES: [&str; 3] = ["auto", "text", "json"];
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("must be one of {}; {text:?} is not", Self::NAMES.join(", "))),
        }
    }
}

/// Why no log can be written.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter {filter:?} is malformed; examples are \"info\" and \"warn,auric_wallet=debug\"")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A log is already being written by this process.
    #[error("the log is already set up")]
    Twice(#[from] TryInitError),
}

/// Lines that may wait to be written; whoever logs one more waits too.
const LINES_WAITING_MAX: usize = 65_536;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 64 * 1024;

/// Keeps the log alive; dropping it ends the log, after the last line.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Telemetry {
    _writer: WorkerGuard,
}

/// Writes everything that `filter` lets pass to standard error, from now on and for the whole process.
///
/// # Errors
///
/// [`TelemetryError`]; nothing has changed.
pub fn init(format: LogFormat, filter: &str) -> Result<Telemetry, TelemetryError> {
    let filter = parse(filter)?;
    let is_terminal = io::stderr().is_terminal();
    let lines = io::BufWriter::with_capacity(WRITE_BYTES, io::stderr());
    let writer = NonBlockingBuilder::default().lossy(false).buffered_lines_limit(LINES_WAITING_MAX);
    let (writer, guard) = writer.finish(lines);
    if format == LogFormat::Json || (format == LogFormat::Auto && !is_terminal) {
        json(filter, writer).try_init()?;
    } else {
        text(filter, writer, is_terminal).try_init()?;
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(Telemetry { _writer: guard })
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    lines.json().flatten_event(true).with_span_list(false).finish()
}

fn text<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours).with_target(false).finish()
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("a value that is no text");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked at {place}: {what}");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(
        make: impl FnOnce(EnvFilter, Memory) -> Box<dyn Subscriber + Send + Sync>,
        act: impl FnOnce(),
    ) -> String {
        let memory = Memory::default();
        tracing::subscriber::with_default(make(parse("info").unwrap(), memory.clone()), act);
        String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
    }

    fn json_lines(act: impl FnOnce()) -> String {
        lines_of(|filter, memory| Box::new(json(filter, move || memory.clone())), act)
    }

    #[test]
    fn a_json_line_has_its_fields_side_by_side() {
        let lines = json_lines(|| {
            tracing::debug!("too quiet");
            tracing::info!(player_id = "discord:1", amount = 100, success = true, "posted 100 of lumees to discord:1");
        });
        let line: serde_json::Value = serde_json::from_str(&lines).expect("one object on one line");
        assert_eq!(line["message"], "posted 100 of lumees to discord:1");
        assert_eq!(
            (&line["player_id"], &line["amount"], &line["success"]),
            (&"discord:1".into(), &100.into(), &true.into())
        );
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_panic_is_an_error_line() {
        let lines = json_lines(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(log_panic));
            std::panic::catch_unwind(|| panic!("seven of eight")).unwrap_err();
            std::panic::set_hook(hook);
        });
        let line: serde_json::Value = serde_json::from_str(&lines).expect("one object on one line");
        assert_eq!(line["level"], "ERROR");
        assert!(line["message"].as_str().unwrap().ends_with("seven of eight"), "{line}");
    }

    #[test]
    fn text_has_no_colours_unless_asked() {
        let text_of = |colours| {
            let make = move |filter, memory: Memory| Box::new(text(filter, move || memory.clone(), colours)) as _;
            lines_of(make, || tracing::info!(count = 3, "three of them"))
        };
        assert!(text_of(false).ends_with(" INFO three of them count=3\n"), "{:?}", text_of(false));
        assert!(!text_of(false).contains('\u{1b}'));
        assert!(text_of(true).contains('\u{1b}'));
    }

    #[test]
    fn every_name_of_a_format_is_one() {
        for name in LogFormat::NAMES {
            assert!(LogFormat::try_from(name.to_owned()).is_ok(), "{name}");
        }
        assert_eq!(
            LogFormat::try_from("xml".to_owned()),
            Err("must be one of auto, text, json; \"xml\" is not".to_owned())
        );
    }

    #[test]
    fn a_malformed_filter_is_named() {
        let fault = parse("info,auric=loudly").unwrap_err();
        assert!(fault.to_string().contains("\"info,auric=loudly\""), "{fault}");
    }
}
