//! When a job fires, and what that sets in motion: plain values, checked once.

use auric_ids::{HandlerId, TargetId};
use auric_keys::{Canon, Field};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BadField, Timetable};

/// Bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1_024;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const YEAR_MS: u64 = 366 * DAY_MS;

/// Missed firings that are fired at once.
const FIRINGS_MAX: u32 = 1_000;

/// Attempts of one firing.
const ATTEMPTS_MAX: u32 = 100;

/// When a job fires, and what that sets in motion; every default is filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// When.
    pub schedule: Schedule,
    /// What becomes of missed firings.
    pub misfire: Misfire,
    /// What becomes of firings that would run beside one another.
    pub overlap: Overlap,
    /// Firings are put off by up to so long.
    pub jitter_ms: u64,
    /// How failures are tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub deadline_ms: u64,
    /// Who does it.
    pub target: TargetId,
    /// What it does.
    pub handler: HandlerId,
    /// What it is told.
    #[serde(with = "hex::serde")]
    pub payload: Vec<u8>,
}

/// When a job fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Schedule {
    /// By the clock on the wall.
    Cron {
        /// Five fields, or six with seconds first.
        expression: String,
        /// An IANA name.
        time_zone: String,
    },
    /// Every so often.
    Interval {
        /// How often.
        every_ms: u64,
        /// A moment that it fires at.
        anchor: Timestamp,
    },
    /// Once.
    OneShot {
        /// When.
        at: Timestamp,
    },
}

/// When a firing counts as missed, and what becomes of it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misfire {
    /// What becomes of it.
    pub policy: MisfirePolicy,
    /// How late it may be before it counts as missed.
    pub threshold_ms: u64,
    /// How far back it is still worth firing.
    pub window_ms: u64,
    /// How many missed ones fire at once, the newest, where all fire.
    pub firings_max: u32,
}

/// What becomes of missed firings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfirePolicy {
    /// The latest fires.
    #[default]
    FireOnce,
    /// All are skipped.
    Skip,
    /// All fire, up to the bound.
    FireAll,
}

/// What becomes of a firing that is due while another one of its job runs, or waits to be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// One waits for its turn; more are skipped.
    QueueOne,
    /// It runs beside the other.
    Allow,
}

/// How a firing is tried again that failed for a reason that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried in all.
    pub attempts_max: u32,
    /// The longest pause after the first attempt; it doubles with each.
    pub base_ms: u64,
    /// The longest pause after any.
    pub max_ms: u64,
}

impl Default for Misfire {
    fn default() -> Self {
        let policy = MisfirePolicy::default();
        Self { policy, threshold_ms: 60 * SECOND_MS, window_ms: DAY_MS, firings_max: 100 }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 5, base_ms: SECOND_MS, max_ms: 300 * SECOND_MS }
    }
}

impl JobSpec {
    /// How long one attempt may take where nothing is said.
    pub const DEADLINE_DEFAULT_MS: u64 = 30 * SECOND_MS;

    /// A spec with every default: `handler` of `target` by `schedule`, told nothing.
    #[must_use]
    pub fn new(schedule: Schedule, target: TargetId, handler: HandlerId) -> Self {
        Self {
            schedule,
            misfire: Misfire::default(),
            overlap: Overlap::default(),
            jitter_ms: 0,
            retry: Retry::default(),
            deadline_ms: Self::DEADLINE_DEFAULT_MS,
            target,
            handler,
            payload: Vec::new(),
        }
    }

    /// Tests every bound, and that it fires at least once after `now`.
    ///
    /// # Errors
    ///
    /// Every field that cannot be, by its path in the API.
    pub fn check(&self, now: Timestamp) -> Result<Timetable, Vec<BadField>> {
        let mut bad = Vec::new();
        let mut within = |path: &str, value: u64, min: u64, max: u64, unit: &str| {
            if !(min..=max).contains(&value) {
                bad.push(BadField::new(path, format!("must be {min} to {max}{unit}, is {value}")));
            }
        };
        let Misfire { threshold_ms, window_ms, firings_max, .. } = self.misfire;
        within("misfire.threshold", threshold_ms, 0, DAY_MS, " ms");
        within("misfire.window", window_ms, 0, YEAR_MS, " ms");
        within("misfire.firings_max", firings_max.into(), 1, FIRINGS_MAX.into(), "");
        within("jitter", self.jitter_ms, 0, HOUR_MS, " ms");
        let Retry { attempts_max, base_ms, max_ms } = self.retry;
        within("retry.attempts_max", attempts_max.into(), 1, ATTEMPTS_MAX.into(), "");
        within("retry.backoff_base", base_ms, 1, DAY_MS, " ms");
        within("retry.backoff_max", max_ms, base_ms, DAY_MS, " ms");
        within("deadline", self.deadline_ms, 1, HOUR_MS, " ms");
        if let Schedule::Interval { every_ms, .. } = self.schedule {
            within("interval.every", every_ms, SECOND_MS, YEAR_MS, " ms");
        }
        let length = self.payload.len();
        if length > PAYLOAD_BYTES_MAX {
            bad.push(BadField::new("payload", format!("must have at most {PAYLOAD_BYTES_MAX} bytes, has {length}")));
        }
        let timetable = Timetable::of(&self.schedule).and_then(|timetable| match timetable.first(now) {
            Some(_) => Ok(timetable),
            None => Err(BadField::new(timetable.path(), "never fires")),
        });
        match timetable {
            Ok(timetable) if bad.is_empty() => Ok(timetable),
            Ok(_) => Err(bad),
            Err(fault) => {
                bad.push(fault);
                Err(bad)
            }
        }
    }

    /// The fields that a request with this spec means, for its fingerprint.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let text = |value: Result<String, serde_json::Error>| Canon::of(&value.unwrap_or_default());
        vec![
            ("schedule", text(serde_json::to_string(&self.schedule))),
            ("misfire", text(serde_json::to_string(&self.misfire))),
            ("overlap", text(serde_json::to_string(&self.overlap))),
            ("jitter", text(serde_json::to_string(&self.jitter_ms))),
            ("retry", text(serde_json::to_string(&self.retry))),
            ("deadline", text(serde_json::to_string(&self.deadline_ms))),
            ("target", Canon::of(self.target.as_str())),
            ("handler", Canon::of(self.handler.as_str())),
            ("payload", Canon::default().bytes(&self.payload).clone()),
        ]
    }

    /// Whether it fires only once.
    #[must_use]
    pub const fn is_one_shot(&self) -> bool {
        matches!(self.schedule, Schedule::OneShot { .. })
    }
}

impl Overlap {
    /// Names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueOne => "queue_one",
            Self::Allow => "allow",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Skip, Self::QueueOne, Self::Allow].into_iter().find(|overlap| overlap.as_str() == text)
    }
}
