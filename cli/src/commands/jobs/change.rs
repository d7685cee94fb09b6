//! `auric jobs pause`, `resume`, `trigger` and `delete`.

use auric_api::scheduler::v1::{DeleteJobRequest, PauseJobRequest, ResumeJobRequest, TriggerJobRequest};

use super::JobsTarget;
use super::documents::{Changed, OneFiring, OneJob};
use crate::client::Peer;
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, REPLAYED};

/// Lets a job fire nothing until it is resumed. What has begun goes on to its end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs pause nightstorm_fernhollow")]
pub struct Pause {
    #[command(flatten)]
    pub which: Which,
}

/// Lets a job fire again. What was missed meanwhile is treated as the job says.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs resume nightstorm_fernhollow")]
pub struct Resume {
    #[command(flatten)]
    pub which: Which,
}

/// Fires a job now, once, whether it is paused or not. Its schedule stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs trigger nightstorm_fernhollow
  auric jobs firings nightstorm_fernhollow --limit 1      what became of it")]
pub struct Trigger {
    #[command(flatten)]
    pub which: Which,
}

/// Removes a job. What has begun goes on to its end, its history stays. One that is declared comes back within a minute: pause that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs delete reminder-7")]
pub struct Delete {
    #[command(flatten)]
    pub which: Which,
}

/// Which job, in which version.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Which job.
    job: String,

    /// Only if the job has this version.
    #[arg(long, value_name = "VERSION", default_value_t = 0, hide_default_value = true)]
    expected_version: i64,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: JobsTarget,
}

/// The job's new state was answered.
fn show_job(sending: &Sending, replayed: bool, thing: OneJob, done: &str, output: Output) -> Result<(), Fault> {
    let changed = Changed { idempotency_key: sending.key(), replayed, thing };
    output.show(&changed, |changed| {
        let job = &changed.thing.job;
        let next = if job.next_fire_time.is_empty() {
            String::new()
        } else {
            format!("; it fires next at {}", job.next_fire_time)
        };
        format!("{}{} is {done}{next}\n", told_again(changed.replayed), job.job_id)
    })
}

/// The line that says of an answer that it is not new.
pub fn told_again(replayed: bool) -> String {
    if replayed { format!("{REPLAYED}\n") } else { String::new() }
}

impl Pause {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Which { job: job_id, expected_version, key, .. } = self.which;
        let sending = Sending::begin_at(Peer::Scheduler, settings, key.key()).await?;
        let ask = PauseJobRequest { idempotency_key: sending.key(), job_id, expected_version };
        let answered = sending.client.scheduler().pause_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        show_job(&sending, replayed, OneJob { job: answer.job.unwrap_or_default().into() }, "paused", output)
    }
}

impl Resume {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Which { job: job_id, expected_version, key, .. } = self.which;
        let sending = Sending::begin_at(Peer::Scheduler, settings, key.key()).await?;
        let ask = ResumeJobRequest { idempotency_key: sending.key(), job_id, expected_version };
        let answered = sending.client.scheduler().resume_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        show_job(&sending, replayed, OneJob { job: answer.job.unwrap_or_default().into() }, "resumed", output)
    }
}

impl Trigger {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Which { job: job_id, expected_version, key, .. } = self.which;
        let sending = Sending::begin_at(Peer::Scheduler, settings, key.key()).await?;
        let ask = TriggerJobRequest { idempotency_key: sending.key(), job_id, expected_version };
        let answered = sending.client.scheduler().trigger_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        let thing = OneFiring { firing: answer.firing.unwrap_or_default().into() };
        let changed = Changed { idempotency_key: sending.key(), replayed, thing };
        output.show(&changed, |changed| {
            let firing = &changed.thing.firing;
            format!("{}{} fires now: {}\n", told_again(changed.replayed), firing.job_id, firing.key)
        })
    }
}

impl Delete {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Which { job: job_id, expected_version, key, .. } = self.which;
        let sending = Sending::begin_at(Peer::Scheduler, settings, key.key()).await?;
        let ask = DeleteJobRequest { idempotency_key: sending.key(), job_id, expected_version };
        let answered = sending.client.scheduler().delete_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        let mut job: super::documents::JobDocument = answer.job.unwrap_or_default().into();
        // It is told as it was; when it would have fired is of no use any more.
        job.next_fire_time.clear();
        show_job(&sending, replayed, OneJob { job }, "deleted", output)
    }
}
