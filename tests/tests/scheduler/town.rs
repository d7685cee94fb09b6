//! Copies of the scheduler on one PostgreSQL database, each a process of the built program, and the target that they call.

use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_spec::Schedule;
use auric_api::scheduler::v1::scheduler_service_client::SchedulerServiceClient;
use auric_testkit::databases::PostgresDatabase;
use futures::{StreamExt as _, stream};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::recorder::Recorder;
use crate::wallet::harness::{Line, Process, auric};

/// How long an answer is waited for, whatever happens meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// Requests of a test in flight.
const AT_ONCE: usize = 16;

type Client = SchedulerServiceClient<Channel>;

/// Copies of the scheduler, and whom they call; gone when it is dropped.
pub struct Town {
    // Before the database: a process must be gone before it is.
    copies: Vec<RwLock<Option<Process>>>,
    /// What each copy is started with besides.
    environments: Vec<Vec<(String, String)>>,
    pub recorder: Recorder,
    database: PostgresDatabase,
    folder: TempDir,
    said: Mutex<Vec<Line>>,
}

/// One setting of a process.
pub fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Town {
    /// Starts a copy for each environment.
    pub async fn start(environments: Vec<Vec<(String, String)>>) -> Self {
        let town = Self::empty(environments).await;
        for copy in 0..town.copies.len() {
            town.start_copy(copy);
        }
        town
    }

    /// The same with no copy up.
    pub async fn empty(environments: Vec<Vec<(String, String)>>) -> Self {
        let database = PostgresDatabase::empty().await.expect("a database");
        auric_scheduler::migrate(database.url()).await.expect("migrated");
        let recorder = Recorder::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!("[scheduler.targets.recorder]\nurl = \"{}\"\n", recorder.url());
        std::fs::write(folder.path().join("auric.toml"), config).expect("settings");
        // A game without zones: what fires is what a test made.
        std::fs::create_dir(folder.path().join("game")).expect("a folder");
        let copies = environments.iter().map(|_| RwLock::default()).collect();
        Self { copies, environments, recorder, database, folder, said: Mutex::default() }
    }

    pub fn start_copy(&self, copy: usize) {
        let mut command =
            auric(["serve", "scheduler", "--listen", "127.0.0.1:0", "--log", "info", "--log-format", "json"]);
        command.current_dir(self.folder.path()).env("AURIC_SCHEDULER_DATABASE", self.database.url());
        command.env("AURIC_SCHEDULER_MAINTENANCE", "false").envs(self.environments[copy].iter().cloned());
        let before = self.copies[copy].write().expect("no holder panicked").replace(Process::start(&mut command));
        assert!(before.is_none(), "copy {copy} was up");
    }

    pub fn signal(&self, copy: usize, name: &str) {
        self.copies[copy].read().expect("no holder panicked").as_ref().expect("it is up").signal(name);
    }

    /// Waits for the end of a copy that was signalled.
    pub fn bury(&self, copy: usize) {
        let process = self.copies[copy].write().expect("no holder panicked").take().expect("it is up");
        self.said.lock().expect("no holder panicked").extend(process.end());
    }

    /// Waits until a copy says such a line.
    pub fn wait_for(&self, copy: usize, wanted: impl Fn(&Line) -> bool) -> Line {
        self.copies[copy].read().expect("no holder panicked").as_ref().expect("it is up").wait_for(wanted)
    }

    /// Stops every copy that is up, and gives all that was ever said.
    pub fn stop(&self) -> Vec<Line> {
        for copy in 0..self.copies.len() {
            if self.copies[copy].read().expect("no holder panicked").is_some() {
                self.signal(copy, "TERM");
                self.bury(copy);
            }
        }
        std::mem::take(&mut *self.said.lock().expect("no holder panicked"))
    }

    fn client(&self, turn: usize) -> Option<Client> {
        let copy = &self.copies[turn % self.copies.len()];
        copy.read().expect("no holder panicked").as_ref().map(|process| SchedulerServiceClient::new(process.channel()))
    }

    /// Asks one copy after the other until there is an answer, as a caller does that hears nothing.
    pub async fn ask<Q: Clone, A>(
        &self,
        message: Q,
        call: impl AsyncFn(Client, Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, Status> {
        let begun = Instant::now();
        for turn in 0.. {
            if let Some(client) = self.client(turn) {
                let mut request = Request::new(message.clone());
                request.set_timeout(Duration::from_secs(5));
                match call(client, request).await {
                    Ok(answer) => return Ok(answer.into_inner()),
                    Err(status) if !is_passing(status.code()) => return Err(status),
                    Err(_) => {}
                }
            }
            assert!(begun.elapsed() < ANSWER_WITHIN, "nobody answers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!("turns do not end")
    }

    /// Declares jobs of a group; every one of them can be.
    pub async fn declare(&self, group: &str, jobs: Vec<(String, api::JobSpec)>) {
        for (number, part) in jobs.chunks(1_000).enumerate() {
            let desired = |(job_id, spec): &(String, api::JobSpec)| api::DesiredJob {
                job_id: job_id.clone(),
                spec: Some(spec.clone()),
            };
            let ask = api::EnsureJobsRequest {
                idempotency_key: format!("declare:{group}:{number}"),
                group: group.to_owned(),
                jobs: part.iter().map(desired).collect(),
            };
            let answer =
                self.ask(ask, async |mut client, ask| client.ensure_jobs(ask).await).await.expect("they can be");
            for job in answer.jobs {
                assert_eq!(job.change(), api::EnsuredChange::Created, "{}: {}", job.job_id, job.detail);
            }
        }
    }

    pub async fn status(&self) -> api::SchedulerStatus {
        let ask = api::GetSchedulerStatusRequest {};
        let answer = self.ask(ask, async |mut client, ask| client.get_scheduler_status(ask).await).await;
        answer.expect("a status").status.expect("a status")
    }

    /// Waits until all times of these jobs before `second` have come to their end, pauses the jobs, and waits for what was begun meanwhile.
    pub async fn settle(&self, jobs: &[String], second: i64) {
        let passed = async |job: &String| {
            let begun = Instant::now();
            loop {
                let firings = self.firings(job.clone(), api::FiringState::Unspecified).await;
                let time_of = |firing: &api::Firing| firing.scheduled_for.unwrap_or_default().seconds;
                let is_beyond = firings.iter().any(|firing| time_of(firing) >= second);
                let mut open = firings.iter().filter(|firing| time_of(firing) < second && is_open(firing.state()));
                let Some(late) = open.next().or(firings.first().filter(|_| !is_beyond)) else { return };
                assert!(begun.elapsed() < ANSWER_WITHIN, "{late:?} of {:?}", self.status().await);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        stream::iter(jobs).map(passed).buffer_unordered(AT_ONCE).collect::<()>().await;
        let pause = async |job: &String| {
            let (idempotency_key, job_id) = (format!("pause:{job}"), job.clone());
            let ask = api::PauseJobRequest { idempotency_key, job_id, expected_version: 0 };
            self.ask(ask, async |mut client, ask| client.pause_job(ask).await).await.expect("it is paused");
        };
        stream::iter(jobs).map(pause).buffer_unordered(AT_ONCE).collect::<()>().await;
        let begun = Instant::now();
        loop {
            let mut open = 0;
            for state in [api::FiringState::Pending, api::FiringState::Running, api::FiringState::Retrying] {
                let firings = |job: String| self.firings(job, state);
                let listed = stream::iter(jobs.iter().cloned()).map(firings).buffer_unordered(AT_ONCE);
                open += listed.map(|firings| firings.len()).collect::<Vec<_>>().await.into_iter().sum::<usize>();
            }
            if open == 0 {
                return;
            }
            assert!(begun.elapsed() < ANSWER_WITHIN, "{open} firings are open: {:?}", self.status().await);
        }
    }

    /// All firings of a job in a state, or in any.
    pub async fn firings(&self, job_id: String, state: api::FiringState) -> Vec<api::Firing> {
        let mut ask =
            api::ListFiringsRequest { job_id, state: state.into(), page_size: 500, page_token: String::new() };
        let mut firings = Vec::new();
        loop {
            let page = self.ask(ask.clone(), async |mut client, ask| client.list_firings(ask).await).await;
            let page = page.expect("firings");
            firings.extend(page.firings);
            ask.page_token = page.next_page_token;
            if ask.page_token.is_empty() {
                return firings;
            }
        }
    }
}

const fn is_open(state: api::FiringState) -> bool {
    matches!(state, api::FiringState::Pending | api::FiringState::Running | api::FiringState::Retrying)
}

/// A spec that tells the recorder what `payload` says.
pub fn spec(schedule: Schedule, payload: &str) -> api::JobSpec {
    let (target, handler) = ("recorder".to_owned(), "record".to_owned());
    let payload = payload.as_bytes().to_vec();
    api::JobSpec { schedule: Some(schedule), target, handler, payload, ..api::JobSpec::default() }
}

/// Once, as soon as can be.
pub fn now() -> Schedule {
    let at = prost_types::Timestamp { seconds: 1, nanos: 0 };
    Schedule::OneShot(api::OneShotSchedule { at: Some(at) })
}

/// Each second, so many milliseconds after the whole one.
pub fn each_second(after_ms: u32) -> Schedule {
    let nanos = i32::try_from(after_ms * 1_000_000).expect("less than a second");
    let anchor = Some(prost_types::Timestamp { seconds: 0, nanos });
    let every = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    Schedule::Interval(api::IntervalSchedule { every, anchor })
}

/// Whether the same request may be answered by another copy, or later.
fn is_passing(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable, Unknown};
    [Unavailable, DeadlineExceeded, Cancelled, ResourceExhausted, Aborted, Unknown].contains(&code)
}
