//! How patient a coordinator is.

use std::time::Duration;

/// The bounds of every wait of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose operations they are, for metrics.
    pub service: &'static str,
    /// How long an operation is its copy's own after the last sign of life; then anybody may take it up.
    pub lease: Duration,
    /// How long a participant may take to promise; later counts as a no.
    pub prepare_timeout: Duration,
    /// How long one attempt to tell a participant the decision may take.
    pub finish_timeout: Duration,
    /// How often a copy tells a participant the decision before it puts the operation off.
    pub finish_attempts: u32,
    /// The pause before the second attempt; it doubles with each, and is anything from half of it to all of it.
    pub backoff_min: Duration,
    /// The longest pause before an operation that was put off is taken up again.
    pub backoff_max: Duration,
    /// Operations that a copy takes up at a time.
    pub recoveries_max: u32,
    /// How long a participant may hold something for an operation that nobody knows of.
    pub orphan_age: Duration,
    /// How often participants are asked for that.
    pub orphan_every: Duration,
}

impl Settings {
    /// How often a copy shows that its operations live, and looks for those that do not.
    #[must_use]
    pub fn heartbeat(&self) -> Duration {
        self.lease / 3
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: "",
            lease: Duration::from_secs(10),
            prepare_timeout: Duration::from_secs(3),
            finish_timeout: Duration::from_secs(3),
            finish_attempts: 5,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(30),
            recoveries_max: 64,
            orphan_age: Duration::from_mins(10),
            orphan_every: Duration::from_mins(1),
        }
    }
}
