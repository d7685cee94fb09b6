//! Why a request has no effect.

use auric_ids::JobId;
use serde::{Deserialize, Serialize};

/// A field that cannot be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// Its path in the request.
    pub path: String,
    /// What is wrong with it.
    pub fault: String,
}

/// A rule said no. Nothing was changed, and the same key gets the same no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// There is a job of that name.
    JobExists {
        /// Its name.
        job: JobId,
    },
    /// There is no job of that name.
    JobNotFound {
        /// The name.
        job: JobId,
    },
    /// The job is not as the request expected it.
    StaleVersion {
        /// Which.
        job: JobId,
        /// What the request expected.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// There is no such dead letter; it may have been replayed or discarded.
    DeadLetterNotFound {
        /// The firing's key.
        key: String,
    },
}

/// It was never decided: nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot mean anything.
    Invalid(Vec<BadField>),
    /// The key was used for another request.
    KeyReused {
        /// What differs.
        fields: Vec<String>,
        /// The first request's method.
        first_method: String,
    },
}

impl BadField {
    /// A field, and what is wrong with it.
    pub fn new(path: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { path: path.into(), fault: fault.into() }
    }
}

impl Rejection {
    /// Its word in the API.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::JobExists { .. } => "JOB_EXISTS",
            Self::JobNotFound { .. } => "JOB_NOT_FOUND",
            Self::StaleVersion { .. } => "STALE_VERSION",
            Self::DeadLetterNotFound { .. } => "DEAD_LETTER_NOT_FOUND",
        }
    }
}

impl Refusal {
    /// Its word in the API.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_ARGUMENT",
            Self::KeyReused { .. } => "IDEMPOTENCY_KEY_REUSED",
        }
    }
}
