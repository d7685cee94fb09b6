//! `grpc.health.v1`: a service is `SERVING` while it says that it is ready, and not while it drains.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often a service is asked whether it is ready.
pub const READY_INTERVAL: Duration = Duration::from_secs(1);

/// How long it may think; longer is a no.
pub const READY_WAIT_MAX: Duration = Duration::from_secs(2);

/// What the overall health of the process is asked under.
const OVERALL: &str = "";

/// The health of the services of one process.
#[derive(Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
    names: &'static [&'static str],
}

impl Health {
    /// Begins as `NOT_SERVING`.
    pub(crate) async fn new(reporter: HealthReporter, names: &'static [&'static str]) -> Self {
        let health = Self { reporter, names };
        health.set(ServingStatus::NotServing).await;
        health
    }

    /// Asks again and again, until `stop`, and says on the log when the answer changes.
    pub(crate) async fn follow<Check, Checked>(
        &self,
        ready: Check,
        mut serving: Option<oneshot::Sender<()>>,
        stop: &CancellationToken,
    ) where
        Check: Fn() -> Checked,
        Checked: Future<Output = Result<(), String>>,
    {
        let mut last: Option<Result<(), String>> = None;
        let services = self.names.join(", ");
        let mut tick = tokio::time::interval(READY_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let asked = async {
                tick.tick().await;
                let late = |_| Err(format!("no answer within {} ms", READY_WAIT_MAX.as_millis()));
                tokio::time::timeout(READY_WAIT_MAX, ready()).await.unwrap_or_else(late)
            };
            let Some(now) = stop.run_until_cancelled(asked).await else { return };
            if last.as_ref() == Some(&now) {
                continue;
            }
            match &now {
                Ok(()) => tracing::info!(services, "{services} is ready"),
                Err(why) => tracing::warn!(services, why, "{services} is not ready: {why}"),
            }
            self.set(if now.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
            if let Some(serving) = serving.take_if(|_| now.is_ok()) {
                // Whoever asked may have gone away.
                serving.send(()).ok();
            }
            last = Some(now);
        }
    }

    /// Says `NOT_SERVING` for the last time and ends the watches: an open watch would hold the drain up.
    pub(crate) async fn end(mut self) {
        self.set(ServingStatus::NotServing).await;
        for name in self.names.iter().chain(&[OVERALL]) {
            self.reporter.clear_service_status(name).await;
        }
    }

    async fn set(&self, status: ServingStatus) {
        for name in self.names.iter().chain(&[OVERALL]) {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
