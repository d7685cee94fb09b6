//! Lines on standard error: JSON for a machine, text for a person.
//!
//! Lines are written by a thread of their own (`writer`): whoever logs does not wait for the terminal or the pipe. Spans are no lines, and show on
//! none.

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::{LogFormat, TelemetryError, writer};

/// What writes lines.
pub type LinesLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// Writes everything that `filter` lets pass to standard error, until the ending is dropped.
///
/// # Errors
///
/// The system gives no thread.
pub fn on_stderr<S>(format: LogFormat, filter: EnvFilter) -> io::Result<(LinesLayer<S>, writer::Ending)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_terminal = io::stderr().is_terminal();
    let (writer, ending) = writer::start(io::stderr())?;
    let is_json = format == LogFormat::Json || (format == LogFormat::Auto && !is_terminal);
    let layer = if is_json { json(filter, writer) } else { text(filter, writer, is_terminal) };
    Ok((layer, ending))
}

/// Reads a filter.
///
/// # Errors
///
/// [`TelemetryError::Filter`] with the filter.
pub fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

fn json<S, W>(filter: EnvFilter, writer: W) -> LinesLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).json().flatten_event(true);
    let lines = lines.with_span_list(false).with_current_span(false);
    lines.with_filter(filter.and(only_lines())).boxed()
}

fn text<S, W>(filter: EnvFilter, writer: W, colours: bool) -> LinesLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).with_target(false);
    lines.with_filter(filter.and(only_lines())).boxed()
}

/// Says that it takes lines of every level: without a word from both, two filters together take every span that a library could make for made.
fn only_lines() -> FilterFn {
    let is_line: fn(&Metadata<'_>) -> bool = |metadata| metadata.is_event();
    filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE)
}

/// Makes a panic an `error` line too, so that a log collector sees it.
pub fn log_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("a value that is no text");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked at {place}: {what}");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

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

    fn lines_of(make: impl FnOnce(EnvFilter, Memory) -> LinesLayer<Registry>, act: impl FnOnce()) -> String {
        let memory = Memory::default();
        let lines = make(parse("info").unwrap(), memory.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), act);
        String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
    }

    fn json_lines(act: impl FnOnce()) -> String {
        lines_of(|filter, memory| json(filter, move || memory.clone()), act)
    }

    #[test]
    fn a_json_line_has_its_fields_side_by_side_and_no_span() {
        let lines = json_lines(|| {
            tracing::debug!("too quiet");
            let _entered = tracing::info_span!("rpc", rpc.method = "Post").entered();
            tracing::info!(player_id = "discord:1", amount = 100, success = true, "posted 100 of lumees to discord:1");
        });
        let line: serde_json::Value = serde_json::from_str(&lines).expect("one object on one line");
        assert_eq!(line["message"], "posted 100 of lumees to discord:1");
        assert_eq!(
            (&line["player_id"], &line["amount"], &line["success"]),
            (&"discord:1".into(), &100.into(), &true.into())
        );
        assert_eq!(line["level"], "INFO");
        assert!(line.get("span").is_none() && line.get("spans").is_none(), "{line}");
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
            let make = move |filter, memory: Memory| text(filter, move || memory.clone(), colours);
            lines_of(make, || tracing::info!(count = 3, "three of them"))
        };
        assert!(text_of(false).ends_with(" INFO three of them count=3\n"), "{:?}", text_of(false));
        assert!(!text_of(false).contains('\u{1b}'));
        assert!(text_of(true).contains('\u{1b}'));
    }

    #[test]
    fn a_malformed_filter_is_named() {
        let fault = parse("info,auric=loudly").unwrap_err();
        assert!(fault.to_string().contains("\"info,auric=loudly\""), "{fault}");
    }
}
