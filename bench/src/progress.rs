//! How far it is, on standard error, for whoever looks on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often it moves.
pub const TICK: Duration = Duration::from_millis(200);

/// A bar over the seconds that all windows take together. Nothing is shown where nobody looks on.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins; what is to come is told as it becomes known.
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {percent:>3} % {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Adds time that is still to come.
    pub fn expect(&self, time: Duration) {
        self.bar.inc_length(millis(time));
    }

    /// Says what is being done.
    pub fn say(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// Counts time that has passed.
    pub fn passed(&self, time: Duration) {
        self.bar.inc(millis(time));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
