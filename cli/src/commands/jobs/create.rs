//! `auric jobs create` and `update`.

use auric_api::scheduler::v1::{CreateJobRequest, UpdateJobRequest};

use super::JobsTarget;
use super::change::told_again;
use super::documents::{Changed, JobDocument, OneJob};
use super::spec::SpecFlags;
use super::tables;
use crate::client::Peer;
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Makes a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs create sweep --cron \"*/5 * * * *\" --to wallet --handler sweep_holds
  auric jobs create nightly --cron \"30 2 * * *\" --tz America/New_York --to wallet --handler verify_audit --deadline 1h
  auric jobs create reminder-7 --at 2026-12-24T18:00:00Z --to scheduler --handler record
  auric jobs create pulse --every 15m --to scheduler --handler record --misfire skip

Exit codes: 0 made · 2 malformed, or it would never fire · 3 there is one of that name")]
pub struct Create {
    /// Its name.
    job: String,

    /// What it belongs to.
    #[arg(long, default_value = "", hide_default_value = true)]
    group: String,

    /// It fires nothing until it is resumed.
    #[arg(long)]
    paused: bool,

    #[command(flatten)]
    spec: SpecFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: JobsTarget,
}

/// Gives a job another spec from now on. What is due or has begun goes on as it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs update sweep --cron \"*/10 * * * *\" --to wallet --handler sweep_holds

A job that is declared, in zones.toml or in the settings, gets back within a minute what is declared.")]
pub struct Update {
    /// Which.
    job: String,

    /// Only if the job has this version.
    #[arg(long, value_name = "VERSION", default_value_t = 0, hide_default_value = true)]
    expected_version: i64,

    #[command(flatten)]
    spec: SpecFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: JobsTarget,
}

impl Create {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let spec = Some(self.spec.spec()?);
        let sending = Sending::begin_at(Peer::Scheduler, settings, self.key.key()).await?;
        let Self { job: job_id, group, paused, .. } = self;
        let ask = CreateJobRequest { idempotency_key: sending.key(), job_id, group, spec, paused };
        let answered = sending.client.scheduler().create_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        show(&sending, replayed, answer.job.unwrap_or_default().into(), output)
    }
}

impl Update {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let spec = Some(self.spec.spec()?);
        let sending = Sending::begin_at(Peer::Scheduler, settings, self.key.key()).await?;
        let Self { job: job_id, expected_version, .. } = self;
        let ask = UpdateJobRequest { idempotency_key: sending.key(), job_id, spec, expected_version };
        let answered = sending.client.scheduler().update_job(sending.client.request(ask)?).await;
        let (answer, replayed) = sending.answer(answered)?;
        show(&sending, replayed, answer.job.unwrap_or_default().into(), output)
    }
}

fn show(sending: &Sending, replayed: bool, job: JobDocument, output: Output) -> Result<(), Fault> {
    let changed = Changed { idempotency_key: sending.key(), replayed, thing: OneJob { job } };
    output.show(&changed, |changed| {
        format!("{}{}", told_again(changed.replayed), tables::job(&changed.thing.job, output))
    })
}
