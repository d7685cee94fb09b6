//! One time at which a job fires, from its insertion to its end.

use std::str::FromStr;

use auric_ids::{JobId, TargetId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{JobSpec, Overlap, Skipped, trying};

/// What tells a job from others of the same name that were deleted: 63 bits, drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(i64);

/// A firing's name, the same on every attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FiringKey {
    /// Of which job.
    pub job: JobId,
    /// When it was to fire, before jitter.
    pub scheduled_for: Timestamp,
    /// Of which incarnation of the job.
    pub incarnation: Incarnation,
}

/// A firing that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFiring {
    /// Its name.
    pub key: FiringKey,
    /// The revision of its job that says what is to be done: it is the same on every attempt.
    pub revision: u64,
    /// Who is to do it.
    pub target: TargetId,
    /// What becomes of it beside others of its job.
    pub overlap: Overlap,
    /// Whether it was triggered by hand.
    pub triggered: bool,
    /// When it is due.
    pub due_at: Timestamp,
    /// The number of its last lease; 0 when it never had one.
    pub fence: u64,
}

/// How far an open firing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It never began.
    Pending,
    /// A copy has it.
    Running,
    /// It began, and no copy has it.
    Retrying,
}

/// What has become of a firing, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It is not due, or waits for its turn.
    Pending,
    /// A copy has it.
    Running,
    /// It failed, and is tried again.
    Retrying,
    /// It is done.
    Done,
    /// It never ran.
    Skipped,
    /// It failed for good.
    Dead,
    /// It failed for good, and was laid to rest.
    Discarded,
}

/// Why a firing never ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SkipReason {
    /// It was missed, and the job skips what is missed.
    MisfireSkip,
    /// It was missed, and a later one that was missed fires.
    MisfireFireOnce,
    /// It was missed, and enough later ones fire.
    MisfireBound,
    /// It was missed too long ago.
    MisfireWindow,
    /// Another one of its job was running, or waited for its turn.
    Overlap,
    /// Its job was deleted.
    JobDeleted,
}

/// How an attempt came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Done,
    /// It is tried again.
    Retry {
        /// After how long.
        after_micros: i64,
    },
    /// It failed for good; the reason in the words of the API.
    Dead(&'static str),
}

/// A firing that came to its end, as the history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its name.
    pub key: FiringKey,
    /// Done, skipped or discarded.
    pub life: Life,
    /// Why, where it is not done.
    pub reason: String,
    /// What its handler said last.
    pub message: String,
    /// How often it was begun.
    pub attempts: u32,
    /// Whether it was triggered by hand.
    pub triggered: bool,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was begun last.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Timestamp,
    /// The last time that this stands for.
    pub until: Timestamp,
    /// How many times of the job this stands for.
    pub count: u64,
    /// The number of its last lease.
    pub fence: u64,
}

/// A firing as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Its name.
    pub key: FiringKey,
    /// What has become of it.
    pub life: Life,
    /// Why it was skipped, or is dead.
    pub reason: String,
    /// What its handler said last.
    pub message: String,
    /// How often it was begun.
    pub attempts: u32,
    /// Whether it was triggered by hand.
    pub triggered: bool,
    /// When it is, or was last, due.
    pub due_at: Timestamp,
    /// When it was begun last.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// The last time that this stands for.
    pub until: Timestamp,
    /// How many times of the job this stands for.
    pub count: u64,
}

/// A firing that failed for good, and what it would take to try it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The firing.
    pub firing: Firing,
    /// The revision of its job that says what is to be done.
    pub revision: u64,
    /// Who was to do it.
    pub target: TargetId,
    /// What becomes of it beside others of its job.
    pub overlap: Overlap,
    /// The number of its last lease.
    pub fence: u64,
}

impl Incarnation {
    /// Makes one for `job` from 64 bits that were drawn at random.
    #[must_use]
    pub fn draw(drawn: u64, job: &JobId) -> Self {
        let mut hash = Sha256::new();
        hash.update(drawn.to_be_bytes());
        hash.update(job.as_str().as_bytes());
        let number = hash.finalize().iter().take(8).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
        Self(number & i64::MAX)
    }

    /// The one with that number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for Incarnation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex =
            text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = i64::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number.map(Self).ok_or("has no incarnation of 16 hexadecimal digits")
    }
}

impl std::fmt::Display for FiringKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { job, scheduled_for, incarnation } = self;
        write!(formatter, "{job}@{incarnation}@{scheduled_for}")
    }
}

impl FromStr for FiringKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "must be JOB@INCARNATION@TIME, as a firing's key is told".to_owned();
        let mut parts = text.split('@');
        let (Some(job), Some(incarnation), Some(time), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let time = chrono::DateTime::parse_from_rfc3339(time).map_err(|_| form())?;
        Ok(Self {
            job: job.parse().map_err(|error: auric_ids::IdError| error.to_string())?,
            incarnation: incarnation.parse()?,
            scheduled_for: time.to_utc().into(),
        })
    }
}

impl NewFiring {
    /// The firing of a job at one of its times.
    #[must_use]
    pub fn at(key: FiringKey, revision: u64, spec: &JobSpec) -> Self {
        let due_at = trying::due(spec, &key);
        Self { due_at, key, revision, target: spec.target.clone(), overlap: spec.overlap, triggered: false, fence: 0 }
    }
}

impl Firing {
    /// A firing that is in no table yet.
    #[must_use]
    pub fn pending(firing: &NewFiring) -> Self {
        Self {
            key: firing.key.clone(),
            life: Life::Pending,
            reason: String::new(),
            message: String::new(),
            attempts: 0,
            triggered: firing.triggered,
            due_at: firing.due_at,
            started_at: None,
            ended_at: None,
            until: firing.key.scheduled_for,
            count: 1,
        }
    }
}

impl Ended {
    /// Times of a job in a row that never ran.
    #[must_use]
    pub fn skipped(job: &JobId, incarnation: Incarnation, run: Skipped, now: Timestamp) -> Self {
        let key = FiringKey { job: job.clone(), scheduled_for: run.from, incarnation };
        Self {
            key,
            life: Life::Skipped,
            reason: run.reason.as_str().to_owned(),
            message: String::new(),
            attempts: 0,
            triggered: false,
            due_at: run.from,
            started_at: None,
            ended_at: now,
            until: run.until,
            count: run.count,
            fence: 0,
        }
    }

    /// One firing that never ran.
    #[must_use]
    pub fn skipped_one(key: &FiringKey, triggered: bool, reason: SkipReason, now: Timestamp) -> Self {
        let run = Skipped { from: key.scheduled_for, until: key.scheduled_for, count: 1, reason };
        Self { triggered, ..Self::skipped(&key.job, key.incarnation, run, now) }
    }
}

impl Life {
    const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Retrying, Self::Done, Self::Skipped, Self::Dead, Self::Discarded];

    /// Names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|life| life.as_str() == text)
    }
}

impl SkipReason {
    /// Names it, in the words of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MisfireSkip => "MISFIRE_SKIP",
            Self::MisfireFireOnce => "MISFIRE_FIRE_ONCE",
            Self::MisfireBound => "MISFIRE_BOUND",
            Self::MisfireWindow => "MISFIRE_WINDOW",
            Self::Overlap => "OVERLAP",
            Self::JobDeleted => "JOB_DELETED",
        }
    }
}

#[cfg(test)]
mod tests {
    use auric_ids::IdempotencyKey;
    use auric_time::Timestamp;

    use super::{FiringKey, Incarnation};

    #[test]
    fn a_key_reads_as_it_is_written_and_fits_everywhere() {
        let job = "a".repeat(64).parse().unwrap();
        let incarnation = Incarnation::draw(7, &job);
        let key = FiringKey { job, scheduled_for: Timestamp::from_micros(1_750_000_000_123_456), incarnation };
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert!(IdempotencyKey::parse(&key.to_string()).is_ok(), "{key} is an idempotency key for whoever is told it");
    }

    #[test]
    fn a_malformed_key_is_refused() {
        let good = "job@00000000000000ff@2026-01-01T00:00:00.000000Z";
        assert!(good.parse::<FiringKey>().is_ok());
        for bad in [
            "",
            "job",
            "job@ff@2026-01-01T00:00:00Z",
            "job@00000000000000FF@2026-01-01T00:00:00Z",
            "job@00000000000000ff@now",
            "j b@00000000000000ff@2026-01-01T00:00:00Z",
            "job@00000000000000ff@2026-01-01T00:00:00Z@",
        ] {
            assert!(bad.parse::<FiringKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn incarnations_differ_by_what_is_drawn_and_by_job() {
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        assert_ne!(Incarnation::draw(1, &one), Incarnation::draw(2, &one));
        assert_ne!(Incarnation::draw(1, &one), Incarnation::draw(1, &other));
        assert!(Incarnation::draw(1, &one).number() >= 0);
    }
}
