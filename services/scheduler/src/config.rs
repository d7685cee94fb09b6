//! The scheduler's deployment settings. What is to be done when is not here: it is in jobs.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use auric_client::ClientConfig;
use auric_db::PostgresSettings;
use auric_ids::TargetId;
use auric_lanes::LanesConfig;

use crate::DesiredSet;

/// How one copy of the scheduler is set up.
#[derive(Clone, Debug)]
pub struct SchedulerConfig {
    /// `sqlite:///path/to/scheduler.db` or `postgres://user@host/database`.
    pub database: String,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that changes of jobs go through.
    pub lanes: LanesConfig,
    /// Who does what jobs set in motion, by the names that jobs know.
    pub targets: BTreeMap<TargetId, TargetConfig>,
    /// The folder of the catalog, whose zones have nightstorms; none in a set-up without a game.
    pub catalog: Option<PathBuf>,
    /// Desired sets besides those of the catalog.
    pub declared: Vec<DesiredSet>,
    /// How firings are run.
    pub pace: Pace,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// The way to it.
    pub client: ClientConfig,
    /// Calls that a copy may have in flight there; absent means half of all, so that a target that hangs leaves room for the others.
    pub parallel_max: Option<NonZeroU16>,
}

/// How one copy runs firings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Calls that the copy may have in flight, of all targets.
    pub parallel_max: NonZeroU16,
    /// Firings of one call: 1 to 1,000.
    pub batch_max: NonZeroU16,
    /// How long the copy has a firing to itself after its last sign of life.
    pub lease: Duration,
    /// How often the copy looks for what others left, or made.
    pub poll: Duration,
    /// How far ahead firings are planned.
    pub ahead: Duration,
    /// How often desired sets are looked at.
    pub reconcile_every: Duration,
    /// How long history is kept.
    pub keep_for: Duration,
    /// How long calls in flight may take to end when the copy stops.
    pub drain_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            parallel_max: NonZeroU16::new(10).unwrap_or(NonZeroU16::MIN),
            batch_max: NonZeroU16::new(500).unwrap_or(NonZeroU16::MIN),
            lease: Duration::from_secs(30),
            poll: Duration::from_millis(200),
            ahead: Duration::from_secs(5),
            reconcile_every: Duration::from_mins(1),
            keep_for: Duration::from_hours(7 * 24),
            drain_max: Duration::from_secs(15),
        }
    }
}

impl SchedulerConfig {
    /// The smallest set-up: a database, and no target.
    #[must_use]
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            connections_max: None,
            named_statements: None,
            lanes: LanesConfig::default(),
            targets: BTreeMap::new(),
            catalog: None,
            declared: Vec::new(),
            pace: Pace::default(),
        }
    }

    /// How PostgreSQL is connected to.
    pub(crate) fn postgres(&self) -> PostgresSettings {
        let defaults = PostgresSettings::default();
        PostgresSettings {
            connections_max: self.connections_max.unwrap_or(defaults.connections_max),
            named_statements: self.named_statements.unwrap_or(defaults.named_statements),
        }
    }
}

impl TargetConfig {
    /// A target that is called by `client`.
    #[must_use]
    pub const fn new(client: ClientConfig) -> Self {
        Self { client, parallel_max: None }
    }
}
