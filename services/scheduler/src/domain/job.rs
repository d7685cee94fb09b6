//! A job as it stands.

use std::sync::Arc;

use auric_ids::{JobGroupId, JobId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Firing, FiringKey, Incarnation, JobSpec, NewFiring};

/// Something that is to be done at certain times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it belongs to.
    pub group: JobGroupId,
    /// Tells it from jobs of the same name that were deleted.
    pub incarnation: Incarnation,
    /// Which of its definitions is in force, from 1.
    pub revision: u64,
    /// That definition; nothing where it cannot be read.
    pub spec: Option<Arc<JobSpec>>,
    /// Whether it fires nothing until it is resumed.
    pub paused: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// The first of its times that is not planned; nothing when there is none.
    pub next_at: Option<Timestamp>,
    /// The first of its firings that is planned and not due; only where it is told.
    #[serde(default)]
    pub planned_at: Option<Timestamp>,
    /// The latest of its firings that came to an end; only where it is told.
    #[serde(default)]
    pub last: Option<Firing>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its version changed last.
    pub updated_at: Timestamp,
}

/// A job, and by which number it may be written: firing changes it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub job: Job,
    /// Counts everything that is done to it; 0 when it is new.
    pub plan: u64,
}

/// One definition of a job: never changed, so that all attempts of a firing do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Of which job.
    pub job: JobId,
    /// Of which incarnation.
    pub incarnation: Incarnation,
    /// Which.
    pub revision: u64,
    /// What it says.
    pub spec: Arc<JobSpec>,
}

impl Job {
    /// The next time that it fires; nothing when it is paused, or never fires again.
    #[must_use]
    pub fn next_fire(&self) -> Option<Timestamp> {
        let coming = [self.planned_at, self.next_at].into_iter().flatten().min();
        coming.filter(|_| !self.paused)
    }

    /// What a job belongs to that belongs to nothing.
    #[must_use]
    pub fn no_group() -> JobGroupId {
        JobGroupId::parse("").unwrap_or_else(|_| unreachable!("a group may be empty"))
    }

    /// The definition in force.
    #[must_use]
    pub fn definition(&self) -> Option<Definition> {
        let spec = Arc::clone(self.spec.as_ref()?);
        Some(Definition { job: self.id.clone(), incarnation: self.incarnation, revision: self.revision, spec })
    }
}

impl JobRow {
    /// The job's firing at `scheduled_for`; nothing where its spec cannot be read.
    #[must_use]
    pub fn firing(&self, scheduled_for: Timestamp) -> Option<NewFiring> {
        let job = &self.job;
        let key = FiringKey { job: job.id.clone(), scheduled_for, incarnation: job.incarnation };
        Some(NewFiring::at(key, job.revision, job.spec.as_ref()?))
    }
}
