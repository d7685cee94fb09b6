//! Rows as both databases give them, and values as both keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auric_db::{DbTime, StoreError};
use auric_ids::{IdError, JobId};
use auric_keys::{Fingerprint, MutationKey};
use auric_time::Timestamp;
use serde::Serialize;

use super::{Counts, Leased};
use crate::domain::{
    Candidate, DeadLetter, Definition, Ended, Firing, FiringKey, Incarnation, Job, JobRow, JobSpec, Life, Overlap,
    Record, SkipReason, Stage, Turn, Turns, take_turns,
};

/// Seconds of scheduled time that one part of the hot table holds.
const SLOT_MICROS: i64 = 5_000_000;

/// Parts of the hot table, as the migration makes them.
pub const SLOTS: i16 = 12;

/// How far ahead of its time a firing may be in the hot table; what is due later waits elsewhere.
pub const HOT_MICROS: i64 = 30_000_000;

/// The part of the hot table that a firing belongs in.
pub fn slot_of(scheduled_for: Timestamp) -> i16 {
    let slot = scheduled_for.micros().div_euclid(SLOT_MICROS).rem_euclid(i64::from(SLOTS));
    i16::try_from(slot).unwrap_or(0)
}

/// A count as BIGINT. Every count is far below its bound.
pub fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A small count as INTEGER.
pub fn integer(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A value as text: read by people too.
pub fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("a value cannot be written: {error}")))
}

pub fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn small(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

pub fn key(job: &str, scheduled_for: DbTime, incarnation: i64) -> Result<FiringKey, StoreError> {
    let job = job.parse().map_err(corrupt)?;
    Ok(FiringKey { job, scheduled_for: scheduled_for.0, incarnation: Incarnation::from_number(incarnation) })
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
pub fn corrupt(error: IdError) -> StoreError {
    StoreError::Corrupt(format!("an id {error}"))
}

#[derive(sqlx::FromRow)]
pub struct KeyRow {
    pub job_id: String,
    pub scheduled_for: DbTime,
    pub incarnation: i64,
}

impl KeyRow {
    pub fn into_domain(self) -> Result<FiringKey, StoreError> {
        key(&self.job_id, self.scheduled_for, self.incarnation)
    }
}

#[derive(sqlx::FromRow)]
pub struct PendingRow {
    job_id: String,
    scheduled_for: DbTime,
    incarnation: i64,
    triggered: bool,
}

impl PendingRow {
    pub fn into_domain(self) -> Result<(FiringKey, bool), StoreError> {
        Ok((key(&self.job_id, self.scheduled_for, self.incarnation)?, self.triggered))
    }
}

#[derive(sqlx::FromRow)]
pub struct JobDbRow {
    job_id: String,
    job_group: String,
    incarnation: i64,
    revision: i64,
    paused: bool,
    version: i64,
    plan: i64,
    next_at: Option<DbTime>,
    created_at: DbTime,
    updated_at: DbTime,
    /// Of the definition in force; one that is not there cannot be read.
    spec: Option<String>,
}

impl JobDbRow {
    /// One whose definition cannot be read comes without: it is named, and holds up no other.
    pub fn into_domain(self) -> Result<JobRow, StoreError> {
        let spec = self.spec.as_deref().and_then(|spec| serde_json::from_str::<JobSpec>(spec).ok());
        let job = Job {
            id: self.job_id.parse().map_err(corrupt)?,
            group: self.job_group.parse().map_err(corrupt)?,
            incarnation: Incarnation::from_number(self.incarnation),
            revision: count(self.revision),
            spec: spec.map(Arc::new),
            paused: self.paused,
            version: count(self.version),
            next_at: self.next_at.map(|time| time.0),
            planned_at: None,
            last: None,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        };
        Ok(JobRow { job, plan: count(self.plan) })
    }
}

#[derive(sqlx::FromRow)]
pub struct DefinitionRow {
    job_id: String,
    incarnation: i64,
    revision: i64,
    spec: String,
}

impl DefinitionRow {
    /// Nothing for one that cannot be read.
    pub fn into_domain(self) -> Option<Definition> {
        Some(Definition {
            job: self.job_id.parse().ok()?,
            incarnation: Incarnation::from_number(self.incarnation),
            revision: count(self.revision),
            spec: Arc::new(serde_json::from_str(&self.spec).ok()?),
        })
    }
}

#[derive(sqlx::FromRow)]
pub struct LeasedRow {
    job_id: String,
    scheduled_for: DbTime,
    incarnation: i64,
    revision: i64,
    target: String,
    fence: i64,
    attempts: i32,
    due_at: DbTime,
    started_at: DbTime,
    message: String,
}

impl LeasedRow {
    pub fn into_domain(self) -> Result<Leased, StoreError> {
        Ok(Leased {
            key: key(&self.job_id, self.scheduled_for, self.incarnation)?,
            revision: count(self.revision),
            target: self.target.parse().map_err(corrupt)?,
            fence: count(self.fence),
            attempts: small(self.attempts),
            due_at: self.due_at.0,
            started_at: self.started_at.0,
            message: self.message,
        })
    }
}

/// A firing from any of the tables.
#[derive(sqlx::FromRow)]
pub struct FiringRow {
    job_id: String,
    scheduled_for: DbTime,
    incarnation: i64,
    state: String,
    reason: String,
    message: String,
    attempts: i32,
    triggered: bool,
    due_at: DbTime,
    started_at: Option<DbTime>,
    ended_at: Option<DbTime>,
    skipped_until: DbTime,
    firings: i64,
}

impl FiringRow {
    pub fn into_domain(self) -> Result<Firing, StoreError> {
        let unknown = || StoreError::Corrupt(format!("{:?} is no state of a firing", self.state));
        Ok(Firing {
            key: key(&self.job_id, self.scheduled_for, self.incarnation)?,
            life: Life::parse(&self.state).ok_or_else(unknown)?,
            reason: self.reason,
            message: self.message,
            attempts: small(self.attempts),
            triggered: self.triggered,
            due_at: self.due_at.0,
            started_at: self.started_at.map(|time| time.0),
            ended_at: self.ended_at.map(|time| time.0),
            until: self.skipped_until.0,
            count: count(self.firings),
        })
    }
}

#[derive(sqlx::FromRow)]
pub struct DeadRow {
    job_id: String,
    scheduled_for: DbTime,
    incarnation: i64,
    revision: i64,
    target: String,
    overlap: String,
    triggered: bool,
    due_at: DbTime,
    fence: i64,
    attempts: i32,
    started_at: Option<DbTime>,
    ended_at: DbTime,
    reason: String,
    message: String,
}

impl DeadRow {
    pub fn into_domain(self) -> Result<DeadLetter, StoreError> {
        let firing = Firing {
            key: key(&self.job_id, self.scheduled_for, self.incarnation)?,
            life: Life::Dead,
            reason: self.reason,
            message: self.message,
            attempts: small(self.attempts),
            triggered: self.triggered,
            due_at: self.due_at.0,
            started_at: self.started_at.map(|time| time.0),
            ended_at: Some(self.ended_at.0),
            until: self.scheduled_for.0,
            count: 1,
        };
        Ok(DeadLetter {
            firing,
            revision: count(self.revision),
            target: self.target.parse().map_err(corrupt)?,
            overlap: overlap(&self.overlap)?,
            fence: count(self.fence),
        })
    }
}

pub fn overlap(text: &str) -> Result<Overlap, StoreError> {
    Overlap::parse(text).ok_or_else(|| StoreError::Corrupt(format!("{text:?} says nothing about overlap")))
}

#[derive(sqlx::FromRow)]
pub struct RecordRow {
    caller: String,
    idempotency_key: String,
    method: String,
    fingerprint: Vec<u8>,
    fields: String,
    outcome: String,
    created_at: DbTime,
}

impl RecordRow {
    pub fn into_domain(self) -> Result<Record, StoreError> {
        let digest = self.fingerprint.try_into();
        let digest = digest.map_err(|_| StoreError::Corrupt("a fingerprint has not 32 bytes".to_owned()))?;
        let outcome = serde_json::from_str(&self.outcome);
        let outcome = outcome.map_err(|error| StoreError::Corrupt(format!("an answer cannot be read: {error}")))?;
        let key = MutationKey {
            caller: self.caller.parse().map_err(corrupt)?,
            key: self.idempotency_key.parse().map_err(corrupt)?,
        };
        let fingerprint = Fingerprint { digest, fields: self.fields };
        Ok(Record { key, method: self.method, fingerprint, outcome, time: self.created_at.0 })
    }
}

/// An open firing of a job that is locked.
#[derive(sqlx::FromRow)]
pub struct OpenRow {
    pub job_id: String,
    pub scheduled_for: DbTime,
    pub incarnation: i64,
    pub overlap: String,
    pub triggered: bool,
    pub attempts: i32,
    pub copy: Option<String>,
    pub fence: i64,
    pub is_ready: bool,
}

#[derive(sqlx::FromRow)]
pub struct CountsRow {
    now: DbTime,
    jobs: i64,
    paused: i64,
    due: i64,
    due_since: Option<DbTime>,
    running: i64,
    retrying: i64,
    dead: i64,
}

impl CountsRow {
    pub fn into_domain(self) -> Counts {
        Counts {
            now: self.now.0,
            jobs: count(self.jobs),
            paused: count(self.paused),
            due: count(self.due),
            due_since: self.due_since.map(|time| time.0),
            running: count(self.running),
            retrying: count(self.retrying),
            dead: count(self.dead),
        }
    }
}

/// Jobs with the first of their firings that is planned, and the last that came to an end.
pub fn told(
    jobs: Vec<JobRow>,
    planned: &BTreeMap<JobId, Timestamp>,
    last: Vec<FiringRow>,
) -> Result<Vec<Job>, StoreError> {
    let last = last.into_iter().map(|row| row.into_domain().map(|firing| (firing.key.job.clone(), firing)));
    let mut last = last.collect::<Result<BTreeMap<JobId, Firing>, _>>()?;
    let tell = |row: JobRow| {
        let (planned_at, last) = (planned.get(&row.job.id).copied(), last.remove(&row.job.id));
        Job { planned_at, last, ..row.job }
    };
    Ok(jobs.into_iter().map(tell).collect())
}

/// What becomes of the open firings of some jobs.
pub struct Decided {
    pub run: Vec<FiringKey>,
    pub skipped: Vec<Ended>,
    /// Those that wait for their turn.
    pub queued: BTreeSet<FiringKey>,
    /// By which fence each was read.
    pub fences: BTreeMap<FiringKey, i64>,
}

/// Lets the domain decide on what was read behind the locks.
pub fn decide_turns(open: &[OpenRow], now: Timestamp) -> Result<Decided, StoreError> {
    let mut decided =
        Decided { run: Vec::new(), skipped: Vec::new(), queued: BTreeSet::new(), fences: BTreeMap::new() };
    let mut jobs: BTreeMap<&str, Turns> = BTreeMap::new();
    for row in open {
        let candidate = candidate(row)?;
        decided.fences.insert(candidate.key.clone(), row.fence);
        if candidate.is_ready && candidate.stage == Stage::Pending && candidate.overlap != Overlap::Allow {
            decided.queued.insert(candidate.key.clone());
        }
        jobs.entry(&row.job_id).or_default().0.push(candidate);
    }
    for turn in jobs.values().flat_map(take_turns) {
        match turn {
            Turn::Run(key) => {
                decided.queued.remove(&key);
                decided.run.push(key);
            }
            Turn::Skip(key, triggered) => {
                decided.queued.remove(&key);
                decided.skipped.push(Ended::skipped_one(&key, triggered, SkipReason::Overlap, now));
            }
        }
    }
    Ok(decided)
}

fn candidate(row: &OpenRow) -> Result<Candidate, StoreError> {
    let stage = match (row.attempts, &row.copy) {
        (0, _) => Stage::Pending,
        (_, Some(_)) => Stage::Running,
        (_, None) => Stage::Retrying,
    };
    Ok(Candidate {
        key: key(&row.job_id, row.scheduled_for, row.incarnation)?,
        stage,
        is_ready: row.is_ready,
        overlap: overlap(&row.overlap)?,
        triggered: row.triggered,
    })
}
