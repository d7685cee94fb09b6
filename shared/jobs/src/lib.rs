//! What a service does when a job of the scheduler fires: its handlers by name, and what became of each firing.
//!
//! A firing may come any number of times, from two copies of the scheduler at once too. A [`Handler`] is harmless when it is repeated; beyond that one copy
//! of a service runs a handler once at a time, and answers a firing that it has done lately without doing it again.
//!
//! Bounds: the firings of one request are run one after the other, under the request's deadline. What is not reached by then has no result, and comes again.

mod figures;
mod grpc;
mod lately;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tracing::Instrument as _;

pub use grpc::{SERVICE_NAME, reasons};

use lately::Lately;

/// One time at which something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The same on every attempt.
    pub key: String,
    /// The job that fires.
    pub job: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What the job says.
    pub payload: Vec<u8>,
}

/// What became of a firing, with a sentence for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done(String),
    /// It failed for a reason that may pass.
    Failed(String),
    /// It failed for a reason that will not pass by itself.
    Rejected(String),
}

/// Does one thing, as often as it is told.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does it. To do it twice must be harmless.
    ///
    /// # Cancellation
    ///
    /// The future is dropped when the deadline passes or the scheduler goes away: what is half done must be harmless too.
    async fn run(&self, firing: &Firing) -> Outcome;
}

/// The handlers of one service.
#[derive(Clone)]
pub struct Roster {
    service: &'static str,
    entries: Arc<BTreeMap<&'static str, Entry>>,
}

struct Entry {
    handler: Box<dyn Handler>,
    /// Held while it runs.
    lately: Mutex<Lately>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Roster")
            .field("service", &self.service)
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

impl Firing {
    /// Reads the payload as JSON; an absent one is the default.
    ///
    /// # Errors
    ///
    /// [`Outcome::Rejected`] with what is wrong: to try it again would not help.
    pub fn options<T: DeserializeOwned + Default>(&self) -> Result<T, Outcome> {
        if self.payload.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&self.payload).map_err(|error| Outcome::Rejected(format!("payload: {error}")))
    }
}

impl Outcome {
    /// The word in lines and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The sentence for an operator.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Done(message) | Self::Failed(message) | Self::Rejected(message) => message,
        }
    }
}

impl Roster {
    /// The handlers of `service` by their names.
    #[must_use]
    pub fn new(service: &'static str, handlers: Vec<(&'static str, Box<dyn Handler>)>) -> Self {
        let entry = |(name, handler)| (name, Entry { handler, lately: Mutex::default() });
        Self { service, entries: Arc::new(handlers.into_iter().map(entry).collect()) }
    }

    /// What there is, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.entries.keys().copied().collect()
    }

    /// Does `firing`, unless it was done lately; [`None`] where there is no such handler.
    pub async fn run(&self, name: &str, firing: &Firing) -> Option<Outcome> {
        let (name, entry) = self.entries.get_key_value(name)?;
        let span =
            tracing::info_span!("job", auric.handler = name, auric.firing = firing.key, auric.job_id = firing.job);
        Some(self.once(name, entry, firing).instrument(span).await)
    }

    async fn once(&self, name: &'static str, entry: &Entry, firing: &Firing) -> Outcome {
        let mut lately = entry.lately.lock().await;
        if let Some(message) = lately.of(&firing.key) {
            return Outcome::Done(message.to_owned());
        }
        let begun = tokio::time::Instant::now();
        let outcome = entry.handler.run(firing).await;
        if let Outcome::Done(message) = &outcome {
            lately.remember(&firing.key, message);
        }
        drop(lately);
        figures::ran(self.service, name, &outcome, begun.elapsed());
        self.tell(name, firing, &outcome, begun.elapsed());
        outcome
    }

    fn tell(&self, handler: &'static str, firing: &Firing, outcome: &Outcome, time: std::time::Duration) {
        let Firing { key, job, attempt, .. } = firing;
        let (message, millis) = (outcome.message(), u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let service = self.service;
        match outcome {
            Outcome::Done(_) => {
                tracing::info!(
                    service,
                    handler,
                    job,
                    key,
                    attempt,
                    millis,
                    success = true,
                    "the job {handler} is done: {message}"
                );
            }
            Outcome::Failed(_) => {
                tracing::warn!(
                    service,
                    handler,
                    job,
                    key,
                    attempt,
                    millis,
                    success = false,
                    error = message,
                    "the job {handler} failed and comes again: {message}"
                );
            }
            Outcome::Rejected(_) => {
                tracing::error!(
                    service,
                    handler,
                    job,
                    key,
                    attempt,
                    millis,
                    success = false,
                    error = message,
                    "the job {handler} failed for good: {message}"
                );
            }
        }
    }
}
