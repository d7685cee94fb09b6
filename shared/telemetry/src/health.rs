//! Whether this process can serve, dependency by dependency.
//!
//! *Live* and *ready* are two questions. A process that answers at all is live, and must not be restarted because its database is away: that
//! mends nothing. It is ready when every dependency answers and it is not draining; otherwise traffic goes elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use serde::Serialize;

use crate::context::meter;

/// What is known of the dependencies of one process; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    dependencies: Mutex<BTreeMap<&'static str, Dependency>>,
    draining: AtomicBool,
}

/// What is known of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Whether it answered when it was asked last.
    pub ok: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether the process can serve, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether it can serve now.
    pub ready: bool,
    /// Whether it is about to stop.
    pub draining: bool,
    /// Each dependency by its name, such as `wallet.database`.
    pub dependencies: BTreeMap<&'static str, Dependency>,
}

impl Health {
    /// Begins with nothing known, which is not ready.
    #[must_use]
    pub fn new() -> Self {
        let health = Self::default();
        let state = Arc::downgrade(&health.0);
        let _registered = meter()
            .u64_observable_gauge("auric.dependency.up")
            .with_description("1 while a dependency answers, 0 while it does not")
            .with_callback(move |observer| {
                for (name, dependency) in state.upgrade().iter().flat_map(|state| state.read()) {
                    observer.observe(u64::from(dependency.ok), &[KeyValue::new("auric.dependency", name)]);
                }
            })
            .build();
        health
    }

    /// Announces a dependency that was not asked yet; until it answers nothing is ready.
    pub fn expect(&self, dependency: &'static str) {
        self.tell(dependency, Err("not asked yet".to_owned()));
    }

    /// Notes what a dependency answered.
    pub fn tell(&self, dependency: &'static str, answer: Result<(), String>) {
        let told = Dependency { ok: answer.is_ok(), why: answer.err() };
        self.0.dependencies.lock().unwrap_or_else(PoisonError::into_inner).insert(dependency, told);
    }

    /// Notes that the process is about to stop: it is not ready again.
    pub fn drain(&self) {
        self.0.draining.store(true, Relaxed);
    }

    /// Says how things stand.
    #[must_use]
    pub fn report(&self) -> Report {
        let dependencies = self.0.read();
        let draining = self.0.draining.load(Relaxed);
        let is_up = !dependencies.is_empty() && dependencies.values().all(|dependency| dependency.ok);
        Report { ready: is_up && !draining, draining, dependencies }
    }
}

impl State {
    fn read(&self) -> BTreeMap<&'static str, Dependency> {
        self.dependencies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_every_dependency_and_no_drain() {
        let health = Health::new();
        assert!(!health.report().ready, "nothing is known yet");
        health.expect("wallet.database");
        health.expect("scheduler.database");
        health.tell("wallet.database", Ok(()));
        assert!(!health.report().ready, "one was not asked yet");
        health.tell("scheduler.database", Ok(()));
        assert!(health.report().ready);
        health.tell("wallet.database", Err("the connection was refused".to_owned()));
        let report = health.report();
        assert!(!report.ready && !report.draining);
        assert_eq!(report.dependencies["wallet.database"].why.as_deref(), Some("the connection was refused"));
        health.tell("wallet.database", Ok(()));
        health.drain();
        let report = health.report();
        assert!(!report.ready && report.draining && report.dependencies.values().all(|dependency| dependency.ok));
    }
}
