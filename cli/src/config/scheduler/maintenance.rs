//! The jobs that keep the suite in order: what each does and when, unless the settings say otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_ids::{JobGroupId, JobId};
use auric_scheduler::DesiredSet;
use auric_scheduler::domain::{DesiredJob, JobSpec, Misfire, MisfirePolicy, Schedule};
use auric_time::Timestamp;
use serde::Deserialize;

use crate::fault::Fault;

/// The group that they are in.
const GROUP: &str = "maintenance";

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The jobs that keep the suite in order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintenanceSettings {
    /// `false`: none of them is declared. Those that were made stay, for a person to delete.
    pub enabled: bool,
    /// What is otherwise, by the names of the jobs.
    pub jobs: BTreeMap<String, JobSettings>,
}

/// What is otherwise about one of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// `false`: it is not declared.
    pub enabled: bool,
    /// When, by the clock on the wall.
    pub cron: Option<String>,
    /// Whose clock.
    pub time_zone: Option<String>,
}

/// One of them, as it is by default.
struct Usual {
    name: &'static str,
    target: &'static str,
    handler: &'static str,
    cron: &'static str,
    deadline_ms: u64,
    jitter_ms: u64,
}

/// What is done often, of which one that was missed is none to be made up for.
const OFTEN: Usual =
    Usual { name: "", target: "", handler: "", cron: "* * * * *", deadline_ms: MINUTE_MS, jitter_ms: 0 };

/// What deletes a service's old events.
const PRUNE: Usual = Usual { handler: "prune_events", cron: "20 * * * *", deadline_ms: 10 * MINUTE_MS, ..OFTEN };

/// All of them, in the order of names.
const USUAL: [Usual; 7] = [
    Usual { name: "collection_prune_events", target: "collection", ..PRUNE },
    Usual { name: "collection_recover", target: "collection", handler: "recover", ..OFTEN },
    Usual { name: "summon_prune_events", target: "summon", ..PRUNE },
    Usual { name: "summon_recover", target: "summon", handler: "recover", ..OFTEN },
    Usual { name: "wallet_prune_events", target: "wallet", ..PRUNE },
    Usual { name: "wallet_sweep_holds", target: "wallet", handler: "sweep_holds", cron: "*/5 * * * *", ..OFTEN },
    Usual {
        name: "wallet_verify_audit",
        target: "wallet",
        handler: "verify_audit",
        cron: "30 3 * * *",
        deadline_ms: HOUR_MS,
        jitter_ms: 10 * MINUTE_MS,
    },
];

impl Default for MaintenanceSettings {
    fn default() -> Self {
        Self { enabled: true, jobs: BTreeMap::new() }
    }
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { enabled: true, cron: None, time_zone: None }
    }
}

impl MaintenanceSettings {
    /// The set that is declared; none where it is switched off.
    ///
    /// # Errors
    ///
    /// [`Fault::Config`] for a name that is none of these jobs, and for a time that can never be.
    pub fn jobs(&self) -> Result<Vec<DesiredSet>, Fault> {
        if let Some(unknown) = self.jobs.keys().find(|name| USUAL.iter().all(|usual| usual.name != name.as_str())) {
            let names: Vec<&str> = USUAL.iter().map(|usual| usual.name).collect();
            let reason = format!("is none of these jobs: {}", names.join(", "));
            return Err(Fault::Config(format!("scheduler.maintenance.jobs.{unknown}: {reason}")));
        }
        let mut jobs = Vec::new();
        for usual in USUAL.iter().filter(|_| self.enabled) {
            let said = self.jobs.get(usual.name).cloned().unwrap_or_default();
            let job = usual.job(&said)?;
            jobs.extend(said.enabled.then_some(job));
        }
        let group = JobGroupId::parse(GROUP).map_err(|fault| Fault::Config(fault.to_string()))?;
        Ok(if jobs.is_empty() { Vec::new() } else { vec![DesiredSet { group, jobs }] })
    }
}

impl Usual {
    fn job(&self, said: &JobSettings) -> Result<DesiredJob, Fault> {
        let Self { name, target, handler, cron, deadline_ms, jitter_ms } = *self;
        let fault = |why: String| Fault::Config(format!("scheduler.maintenance.jobs.{name}: {why}"));
        let id = |why: auric_ids::IdError| fault(why.to_string());
        let schedule = Schedule::Cron {
            expression: said.cron.clone().unwrap_or_else(|| cron.to_owned()),
            time_zone: said.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        };
        // One that was missed is as good as the next: none is made up for but the night's.
        let policy = if jitter_ms > 0 { MisfirePolicy::FireOnce } else { MisfirePolicy::Skip };
        let misfire = Misfire { policy, window_ms: 6 * HOUR_MS, ..Misfire::default() };
        let spec = JobSpec {
            misfire,
            jitter_ms,
            deadline_ms,
            ..JobSpec::new(schedule, target.parse().map_err(id)?, handler.parse().map_err(id)?)
        };
        if let Err(bad) = spec.check(Timestamp::EPOCH) {
            let why = bad.iter().map(|field| format!("{}: {}", field.path.trim_start_matches("cron."), field.fault));
            return Err(fault(why.collect::<Vec<_>>().join("; ")));
        }
        Ok(DesiredJob { job: JobId::parse(name).map_err(id)?, spec: Ok(Arc::new(spec)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> MaintenanceSettings {
        toml::from_str(text).unwrap()
    }

    fn declared(text: &str) -> Vec<(String, String)> {
        let sets = settings(text).jobs().unwrap();
        let jobs = sets.into_iter().flat_map(|set| set.jobs);
        let shown = jobs.map(|DesiredJob { job, spec }| match spec.unwrap().schedule.clone() {
            Schedule::Cron { expression, time_zone } => (job.to_string(), format!("{expression} {time_zone}")),
            other => panic!("{other:?}"),
        });
        shown.collect()
    }

    #[test]
    fn each_job_is_declared_unless_the_settings_say_otherwise() {
        let names = |text: &str| declared(text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let all: Vec<&str> = USUAL.iter().map(|usual| usual.name).collect();
        assert_eq!(names(""), all);
        assert!(names("enabled = false").is_empty());
        assert!(!names("[jobs.wallet_sweep_holds]\nenabled = false").contains(&"wallet_sweep_holds".to_owned()));
        let moved = declared("[jobs.wallet_verify_audit]\ncron = '0 5 * * *'\ntime_zone = 'Europe/Berlin'");
        assert!(moved.contains(&("wallet_verify_audit".to_owned(), "0 5 * * * Europe/Berlin".to_owned())), "{moved:?}");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let fault = |text: &str| settings(text).jobs().unwrap_err().to_string();
        let never = fault("[jobs.summon_recover]\ncron = '0 0 30 2 *'");
        assert!(never.starts_with("config: scheduler.maintenance.jobs.summon_recover: expression: "), "{never}");
        assert!(
            fault("[jobs.paint]\nenabled = false")
                .contains("jobs.paint: is none of these jobs: collection_prune_events")
        );
    }
}
