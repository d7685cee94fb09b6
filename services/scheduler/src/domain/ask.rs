//! One request that changes something.

use std::sync::Arc;

use auric_ids::{CallerId, HandlerId, IdempotencyKey, JobGroupId, JobId, TargetId, TraceId};
use auric_keys::{Canon, Field, Fingerprint, MutationKey};
use sha2::{Digest as _, Sha256};

use super::{BadField, FiringKey, JobSpec, Retry};

/// Jobs of one desired set.
pub const JOBS_MAX: usize = 1_000;

/// What the names of one-shot jobs begin with that were made of a caller's key.
const RETRY: &str = "retry:";

/// One request that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub caller: CallerId,
    /// Under which key; nothing where the scheduler asks itself.
    pub key: Option<IdempotencyKey>,
    /// The trace that it came in; not part of its meaning.
    pub trace_id: TraceId,
    /// Drawn at random, for what is made.
    pub drawn: u64,
    /// What is asked.
    pub action: Action,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a job.
    Create {
        /// Its name.
        job: JobId,
        /// What it belongs to.
        group: JobGroupId,
        /// When it fires, and what that sets in motion.
        spec: Arc<JobSpec>,
        /// Whether it waits to be resumed.
        paused: bool,
    },
    /// Give a job another spec.
    Update {
        /// Which.
        job: JobId,
        /// The new one.
        spec: Arc<JobSpec>,
        /// The version that it must have.
        expected: Option<u64>,
    },
    /// Let a job fire nothing, or again.
    SetPaused {
        /// Which.
        job: JobId,
        /// Whether it is to fire nothing.
        paused: bool,
        /// The version that it must have.
        expected: Option<u64>,
    },
    /// Fire a job now.
    Trigger {
        /// Which.
        job: JobId,
        /// The version that it must have.
        expected: Option<u64>,
    },
    /// Remove a job.
    Delete {
        /// Which.
        job: JobId,
        /// The version that it must have.
        expected: Option<u64>,
    },
    /// Make a group have the jobs that it should have.
    Ensure {
        /// Which.
        group: JobGroupId,
        /// 1 to [`JOBS_MAX`], each name once.
        jobs: Vec<DesiredJob>,
    },
    /// Have something done later, and tried again until it is done.
    Enqueue(Enqueue),
    /// Send a dead letter on its way again.
    Replay(FiringKey),
    /// Lay a dead letter to rest.
    Discard(FiringKey),
}

/// One job of a desired set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredJob {
    /// Its name.
    pub job: JobId,
    /// What it should be; or what is wrong with that.
    pub spec: Result<Arc<JobSpec>, Vec<BadField>>,
}

/// What is to be done later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    /// The job that is made of it.
    pub job: JobId,
    /// What it belongs to.
    pub group: JobGroupId,
    /// Who does it.
    pub target: TargetId,
    /// What it does.
    pub handler: HandlerId,
    /// What it is told.
    pub payload: Vec<u8>,
    /// After how long.
    pub delay_ms: u64,
    /// How failures are tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub deadline_ms: u64,
}

/// The name of the one-shot job of a caller's key.
///
/// # Errors
///
/// Never: it is made of hexadecimal digits.
pub fn retry_job(key: &MutationKey) -> Result<JobId, auric_ids::IdError> {
    let canon = Canon::of(key.caller.as_str()).text(key.key.as_str()).clone();
    let digest = Sha256::digest(canon.as_bytes());
    JobId::parse(&format!("{RETRY}{}", hex::encode(digest.get(..16).unwrap_or_default())))
}

impl Ask {
    /// Its name among mutations; nothing where the scheduler asks itself.
    #[must_use]
    pub fn mutation(&self) -> Option<MutationKey> {
        Some(MutationKey { caller: self.caller.clone(), key: self.key.clone()? })
    }
}

impl Action {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateJob",
            Self::Update { .. } => "UpdateJob",
            Self::SetPaused { paused: true, .. } => "PauseJob",
            Self::SetPaused { paused: false, .. } => "ResumeJob",
            Self::Trigger { .. } => "TriggerJob",
            Self::Delete { .. } => "DeleteJob",
            Self::Ensure { .. } => "EnsureJobs",
            Self::Enqueue(_) => "EnqueueRetry",
            Self::Replay(_) => "ReplayDeadLetter",
            Self::Discard(_) => "DiscardDeadLetter",
        }
    }

    /// What it is about, for its line and its lane: a job, a group, or a firing.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Create { job, .. }
            | Self::Update { job, .. }
            | Self::SetPaused { job, .. }
            | Self::Trigger { job, .. }
            | Self::Delete { job, .. }
            | Self::Enqueue(Enqueue { job, .. }) => job.to_string(),
            Self::Ensure { group, .. } => group.to_string(),
            Self::Replay(key) | Self::Discard(key) => key.to_string(),
        }
    }

    /// What the request means, shortened.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.method(), self.fields())
    }

    fn fields(&self) -> Vec<Field> {
        let version = |expected: &Option<u64>| expected.map(|version| ("expected_version", number(version)));
        match self {
            Self::Create { job, group, spec, paused } => {
                let own = [
                    ("job_id", Canon::of(job.as_str())),
                    ("group", Canon::of(group.as_str())),
                    ("paused", number(u64::from(*paused))),
                ];
                own.into_iter().chain(spec.fields()).collect()
            }
            Self::Update { job, spec, expected } => {
                let own = [("job_id", Canon::of(job.as_str()))].into_iter().chain(version(expected));
                own.chain(spec.fields()).collect()
            }
            Self::SetPaused { job, expected, .. }
            | Self::Trigger { job, expected }
            | Self::Delete { job, expected } => {
                [("job_id", Canon::of(job.as_str()))].into_iter().chain(version(expected)).collect()
            }
            Self::Ensure { group, jobs } => {
                let mut desired = Canon::default();
                for DesiredJob { job, spec } in jobs {
                    desired.text(job.as_str());
                    for (_, value) in spec.as_ref().map(|spec| spec.fields()).unwrap_or_default() {
                        desired.bytes(value.as_bytes());
                    }
                    for field in spec.as_ref().err().into_iter().flatten() {
                        desired.text(&field.path).text(&field.fault);
                    }
                }
                vec![("group", Canon::of(group.as_str())), ("jobs", desired)]
            }
            Self::Enqueue(Enqueue { group, target, handler, payload, delay_ms, retry, deadline_ms, job: _ }) => vec![
                ("group", Canon::of(group.as_str())),
                ("target", Canon::of(target.as_str())),
                ("handler", Canon::of(handler.as_str())),
                ("payload", Canon::default().bytes(payload).clone()),
                ("delay", number(*delay_ms)),
                ("retry", number(retry.attempts_max.into()).units(retry.base_ms).units(retry.max_ms).clone()),
                ("deadline", number(*deadline_ms)),
            ],
            Self::Replay(key) | Self::Discard(key) => vec![("key", Canon::of(&key.to_string()))],
        }
    }
}

fn number(value: u64) -> Canon {
    let mut canon = Canon::default();
    canon.units(value);
    canon
}
