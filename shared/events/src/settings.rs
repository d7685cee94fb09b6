//! What a deployment says about its events.

use std::time::Duration;

use serde::Deserialize;

/// How long events are kept when nothing is said: a consumer that was away for longer begins anew.
const KEEP_HOURS: u32 = 7 * 24;

/// What a deployment says about the events of one service; where it says nothing, the defaults hold.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsConfig {
    /// Hours that an event is kept at least, before it may be pruned; a week when nothing is said.
    pub keep_hours: Option<u32>,
}

impl EventsConfig {
    /// How long an event is kept at least.
    #[must_use]
    pub fn keep(self) -> Duration {
        Duration::from_secs(u64::from(self.keep_hours.unwrap_or(KEEP_HOURS)).saturating_mul(3_600))
    }
}
