//! The scheduler's settings: where it listens, its database, who does what jobs set in motion, and the jobs that keep the suite in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use auric_ids::TargetId;
use auric_lanes::LanesConfig;
use auric_scheduler::SchedulerConfig;
use auric_scheduler::config::{Pace, TargetConfig};
use serde::Deserialize;

use super::peer::Presented;
use super::summon::{LeaseMs, Peers};
use super::variables::{COLLECTION_URL, SUMMON_URL, WALLET_URL};
use super::{Secret, Settings};
use crate::fault::Fault;

mod maintenance;

pub use maintenance::MaintenanceSettings;

/// The name of the scheduler among its own targets: it keeps what nightstorms tell it.
const ITSELF: &str = "scheduler";

/// The scheduler's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchedulerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
    /// The wallet's URL, or several with commas between them.
    pub wallet: Option<String>,
    /// The collection's URL, or several with commas between them.
    pub collection: Option<String>,
    /// The summon service's URL, or several with commas between them.
    pub summon: Option<String>,
    /// What it presents to services that ask who comes.
    pub credential: Option<Secret>,
    /// A file with the credential; a change is followed.
    pub credential_file: Option<PathBuf>,
    /// Who issues the others' certificates, PEM.
    pub ca: Option<PathBuf>,
    /// A client certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// Calls of targets that a copy may have in flight.
    pub parallel_max: Option<NonZeroU16>,
    /// Firings of one call.
    pub batch_max: Option<NonZeroU16>,
    /// How long a firing is its copy's own after the last sign of life.
    pub lease_ms: Option<LeaseMs>,
    /// How often a copy looks for what others left, or made.
    pub poll_ms: Option<u64>,
    /// How often the declared jobs are looked at.
    pub reconcile_ms: Option<u64>,
    /// How long history is kept.
    pub keep_hours: Option<u32>,
    /// Who else does what jobs set in motion, by the names that jobs know.
    #[serde(default)]
    pub targets: BTreeMap<TargetId, TargetSettings>,
    /// The jobs that keep the suite in order.
    #[serde(default)]
    pub maintenance: MaintenanceSettings,
    /// The lanes that changes of jobs go through.
    #[serde(default)]
    pub lanes: LanesConfig,
}

/// One target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Its URL, or several with commas between them.
    pub url: String,
    /// Calls that a copy may have in flight there.
    pub parallel_max: Option<NonZeroU16>,
}

impl Settings {
    /// The scheduler's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn scheduler_database(&self) -> Result<String, Fault> {
        self.database(self.scheduler.database.as_ref(), "scheduler.db")
    }

    /// The scheduler's own settings.
    ///
    /// # Errors
    ///
    /// As [`Self::scheduler_database`]; [`Fault::Config`] for a certificate without its key, and for a maintenance job that cannot be.
    pub fn scheduler_config(&self, catalog: PathBuf, peers: &Peers) -> Result<SchedulerConfig, Fault> {
        let scheduler = &self.scheduler;
        Ok(SchedulerConfig {
            connections_max: scheduler.connections_max,
            named_statements: scheduler.named_statements,
            lanes: scheduler.lanes,
            targets: scheduler.targets(peers)?,
            pace: scheduler.pace(Duration::from_secs(self.drain_seconds)),
            declared: scheduler.maintenance.jobs()?,
            catalog: Some(catalog),
            ..SchedulerConfig::new(self.scheduler_database()?)
        })
    }
}

impl SchedulerSettings {
    /// Who the scheduler is to the others.
    pub fn presented(&self) -> Presented<'_> {
        Presented {
            service: "scheduler",
            credential: self.credential.as_ref(),
            credential_file: self.credential_file.as_deref(),
            ca: self.ca.as_deref(),
            certificate: self.certificate.as_deref(),
            key: self.key.as_deref(),
        }
    }

    /// The suite's services, the scheduler itself, and whoever else is named; who is named here is where the name says.
    fn targets(&self, peers: &Peers) -> Result<BTreeMap<TargetId, TargetConfig>, Fault> {
        let own = |said: &Option<String>, beside: &Option<String>, default: &str| {
            said.as_ref().or(beside.as_ref()).map_or_else(|| default.to_owned(), String::clone)
        };
        let suite = [
            ("wallet", own(&self.wallet, &peers.wallet, WALLET_URL)),
            ("collection", own(&self.collection, &peers.collection, COLLECTION_URL)),
            ("summon", own(&self.summon, &peers.summon, SUMMON_URL)),
            (ITSELF, own(&None, &peers.own, &format!("http://{}", self.listen))),
        ];
        let mut targets = BTreeMap::new();
        for (name, url) in suite {
            let name = TargetId::parse(name).map_err(|fault| Fault::Config(fault.to_string()))?;
            targets.insert(name, TargetConfig::new(self.presented().to(&url)?));
        }
        for (name, TargetSettings { url, parallel_max }) in &self.targets {
            let target = TargetConfig { parallel_max: *parallel_max, ..TargetConfig::new(self.presented().to(url)?) };
            targets.insert(name.clone(), target);
        }
        Ok(targets)
    }

    fn pace(&self, drain_max: Duration) -> Pace {
        let usual = Pace::default();
        let millis = |said: Option<u64>, usual| said.map_or(usual, |ms| Duration::from_millis(ms.max(1)));
        Pace {
            parallel_max: self.parallel_max.unwrap_or(usual.parallel_max),
            batch_max: self.batch_max.unwrap_or(usual.batch_max),
            lease: self.lease_ms.map_or(usual.lease, LeaseMs::duration),
            poll: millis(self.poll_ms, usual.poll),
            reconcile_every: millis(self.reconcile_ms, usual.reconcile_every),
            keep_for: self.keep_hours.map_or(usual.keep_for, |hours| Duration::from_hours(hours.into())),
            drain_max,
            ..usual
        }
    }
}
