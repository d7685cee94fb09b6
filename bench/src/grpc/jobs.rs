//! Jobs of the scheduler, and the handler that they set in motion: it does nothing, and notes when it was told to.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_server::{JobHandlerService, JobHandlerServiceServer};
use auric_api::scheduler::v1::job_spec::Schedule;
use auric_api::scheduler::v1::scheduler_service_client::SchedulerServiceClient;
use auric_time::{Clock as _, SystemClock, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

use super::Fleet;
use crate::measure::Tally;

/// The handler's name.
const HANDLER: &str = "nothing";

/// The name of the target in the scheduler's settings.
pub const TARGET: &str = "bench";

/// Jobs of one desired set.
const SET_MAX: usize = 1_000;

/// How often the scheduler is asked whether it has written all that was done.
const SETTLED_POLL: Duration = Duration::from_millis(20);

/// When a job fires.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Once.
    Once(Timestamp),
    /// Each second, so long after the whole one.
    EachSecond(Duration),
}

/// Whether firings of one job may run beside one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// They may.
    Allowed,
    /// They may not: the job's row is written for each.
    Skipped,
}

/// What the handler was told.
#[derive(Debug, Default)]
pub struct Seen {
    keys: HashSet<String>,
    /// Firings that came more than once.
    pub repeated: u64,
    /// When the last new one came.
    pub last: Option<Timestamp>,
    window: Option<(Timestamp, Timestamp)>,
    /// Lags of the firings whose time is in the window.
    tally: Tally,
}

/// A handler that listens; gone when it is dropped.
#[derive(Debug)]
pub struct Handler {
    address: SocketAddr,
    noting: Arc<Noting>,
    _server: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Noting {
    seen: Mutex<Seen>,
    more: Notify,
}

impl Handler {
    /// Listens on a free port.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let noting = Arc::new(Noting::default());
        let service = JobHandlerServiceServer::from_arc(Arc::clone(&noting));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            // It ends with the runtime at the latest.
            drop(Server::builder().add_service(service).serve_with_incoming(incoming).await);
        });
        Ok(Self { address, noting, _server: server })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets all, and notes the lags of firings whose time is from `from` to `until`.
    pub fn begin(&self, from: Timestamp, until: Timestamp) {
        *self.noting.seen() = Seen { window: Some((from, until)), ..Seen::default() };
    }

    /// Waits until so many firings came since the beginning.
    ///
    /// # Errors
    ///
    /// They do not come in time.
    pub async fn wait_for(&self, firings: usize, within: Duration) -> Result<()> {
        let come = async {
            loop {
                let more = self.noting.more.notified();
                tokio::pin!(more);
                // Before the test, so that nothing is missed in between.
                more.as_mut().enable();
                if self.noting.seen().keys.len() >= firings {
                    return;
                }
                more.await;
            }
        };
        let late = tokio::time::timeout(within, come).await;
        late.with_context(|| format!("{} of {firings} firings came in {} s", self.count(), within.as_secs()))
    }

    /// How many firings came since the beginning.
    pub fn count(&self) -> usize {
        self.noting.seen().keys.len()
    }

    /// What came since the beginning.
    pub fn seen(&self) -> (Tally, u64, Option<Timestamp>) {
        let seen = self.noting.seen();
        (seen.tally.clone(), seen.repeated, seen.last)
    }
}

impl Noting {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // It is whole after every statement that changes it.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl JobHandlerService for Noting {
    async fn run_batch(
        &self,
        request: Request<api::RunBatchRequest>,
    ) -> Result<Response<api::RunBatchResponse>, Status> {
        let now = SystemClock.now();
        let firings = request.into_inner().firings;
        let mut seen = self.seen();
        for firing in &firings {
            if seen.keys.insert(firing.key.clone()) {
                seen.note(scheduled_for(firing), now);
            } else {
                seen.repeated += 1;
            }
        }
        drop(seen);
        self.more.notify_waiters();
        let done = |firing: api::RunFiring| api::RunResult {
            key: firing.key,
            outcome: api::RunOutcome::Done.into(),
            message: String::new(),
        };
        Ok(Response::new(api::RunBatchResponse { results: firings.into_iter().map(done).collect() }))
    }
}

impl Seen {
    fn note(&mut self, scheduled_for: Timestamp, now: Timestamp) {
        self.last = Some(now);
        if self.window.is_some_and(|(from, until)| from <= scheduled_for && scheduled_for < until) {
            self.tally.units += 1;
            self.tally.done += 1;
            self.tally.latency_us.saturating_record(now.micros_since(scheduled_for).max(1));
        }
    }
}

fn scheduled_for(firing: &api::RunFiring) -> Timestamp {
    let time = firing.scheduled_for.unwrap_or_default();
    Timestamp::from_micros(time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000))
}

/// Has the scheduler make these jobs, some hundred a call.
///
/// # Errors
///
/// A call fails, or a job is refused.
pub async fn declare(fleet: &Fleet, group: &str, beside: Beside, jobs: &[When]) -> Result<()> {
    let overlap = match beside {
        Beside::Allowed => api::OverlapPolicy::Allow,
        Beside::Skipped => api::OverlapPolicy::Skip,
    };
    let job = |(number, when): (usize, &When)| {
        let spec = api::JobSpec {
            schedule: Some(schedule(*when)),
            overlap: overlap.into(),
            target: TARGET.to_owned(),
            handler: HANDLER.to_owned(),
            ..api::JobSpec::default()
        };
        api::DesiredJob { job_id: format!("{group}:{number}"), spec: Some(spec) }
    };
    let desired: Vec<api::DesiredJob> = jobs.iter().enumerate().map(job).collect();
    for (number, jobs) in desired.chunks(SET_MAX).enumerate() {
        let request = api::EnsureJobsRequest {
            idempotency_key: format!("{group}:{number}"),
            group: group.to_owned(),
            jobs: jobs.to_vec(),
        };
        let answer = client(fleet).ensure_jobs(super::with_deadline(request)).await?.into_inner();
        let refused = answer.jobs.iter().find(|job| job.change() != api::EnsuredChange::Created);
        if let Some(refused) = refused {
            bail!("the job {} was not made: {:?} {}", refused.job_id, refused.change(), refused.detail);
        }
    }
    Ok(())
}

fn schedule(when: When) -> Schedule {
    let stamp = |time: Timestamp| {
        let (seconds, nanos) = time.seconds_and_nanos();
        Some(prost_types::Timestamp { seconds, nanos })
    };
    match when {
        When::Once(at) => Schedule::OneShot(api::OneShotSchedule { at: stamp(at) }),
        When::EachSecond(after) => {
            let anchor = stamp(Timestamp::EPOCH.plus_micros(i64::try_from(after.as_micros()).unwrap_or(0)));
            let every = Some(prost_types::Duration { seconds: 1, nanos: 0 });
            Schedule::Interval(api::IntervalSchedule { every, anchor })
        }
    }
}

/// Waits until the scheduler has written the end of every firing that is due.
///
/// # Errors
///
/// A call fails, or that does not happen in time.
pub async fn settled(fleet: &Fleet, within: Duration) -> Result<()> {
    let begun = tokio::time::Instant::now();
    loop {
        let request = super::with_deadline(api::GetSchedulerStatusRequest {});
        let status = client(fleet).get_scheduler_status(request).await?.into_inner().status.unwrap_or_default();
        let open = [status.firings_due, status.firings_running, status.firings_retrying, status.dead_letters];
        if open == [0; 4] {
            return Ok(());
        }
        if begun.elapsed() > within {
            bail!("due, running, to be tried again and dead are {open:?} after {} s", within.as_secs());
        }
        tokio::time::sleep(SETTLED_POLL).await;
    }
}

fn client(fleet: &Fleet) -> SchedulerServiceClient<Channel> {
    SchedulerServiceClient::new(fleet.channel("", 0))
}

#[cfg(test)]
mod tests {
    use auric_api::scheduler::v1::job_handler_service_client::JobHandlerServiceClient;

    use super::*;

    #[tokio::test]
    async fn a_firing_counts_once_with_its_lag() {
        let handler = Handler::start().await.expect("a port");
        let now = SystemClock.now();
        let due = now.plus_micros(-500_000);
        handler.begin(due, now);
        let (seconds, nanos) = due.seconds_and_nanos();
        let firing = |key: &str| api::RunFiring {
            key: key.to_owned(),
            scheduled_for: Some(prost_types::Timestamp { seconds, nanos }),
            ..api::RunFiring::default()
        };
        let mut client = JobHandlerServiceClient::connect(handler.url()).await.expect("it listens");
        for firings in [vec![firing("a"), firing("b")], vec![firing("b")]] {
            let request = api::RunBatchRequest { handler: HANDLER.to_owned(), firings };
            let results = client.run_batch(request).await.expect("an answer").into_inner().results;
            assert!(results.iter().all(|result| result.outcome() == api::RunOutcome::Done));
        }
        handler.wait_for(2, Duration::from_secs(1)).await.expect("both came");
        let (tally, repeated, last) = handler.seen();
        assert_eq!((tally.units, repeated), (2, 1));
        assert!(tally.latency_us.min() >= 499_000 && last >= Some(now));
        assert!(handler.wait_for(3, Duration::from_millis(1)).await.is_err());
    }
}
