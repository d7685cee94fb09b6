//! The flags that say when a job fires, and what that sets in motion.

use std::path::PathBuf;
use std::time::Duration;

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_spec::Schedule;
use chrono::{DateTime, Utc};
use clap::ValueEnum;

use super::documents::protobuf;
use crate::commands::wallet::flags::duration;
use crate::fault::Fault;

/// When a job fires, and what that sets in motion. What is absent is as the scheduler has it by default.
#[derive(Debug, clap::Args)]
pub struct SpecFlags {
    #[command(flatten)]
    when: When,

    /// By whose clock --cron is meant: an IANA name, such as Europe/Berlin [default: UTC].
    #[arg(long, value_name = "ZONE", requires = "cron")]
    tz: Option<String>,

    /// A moment that --every counts from, both ways [default: 1970-01-01T00:00:00Z].
    #[arg(long, value_name = "TIME", requires = "every")]
    anchor: Option<DateTime<Utc>>,

    /// Who does it: a target of the scheduler's settings.
    #[arg(long)]
    to: String,

    /// What it does: a handler there.
    #[arg(long)]
    handler: String,

    /// What it is told: text, or @FILE.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    payload: String,

    /// What becomes of firings that were missed.
    #[arg(long, value_enum)]
    misfire: Option<Missed>,

    /// How late a firing may be before it counts as missed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    misfire_threshold: Option<Duration>,

    /// How far back a missed firing is still worth firing.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    misfire_window: Option<Duration>,

    /// How many missed ones fire at once, where all do.
    #[arg(long, value_name = "FIRINGS", default_value_t = 0, hide_default_value = true)]
    misfire_max: i32,

    /// What becomes of a firing that is due while another one of the job runs.
    #[arg(long, value_enum)]
    overlap: Option<Beside>,

    /// Firings are put off by up to so long, each by the same every time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    jitter: Option<Duration>,

    /// How often it is tried in all.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    attempts: i32,

    /// The longest pause after the first failure; it doubles with each.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    backoff: Option<Duration>,

    /// The longest pause after any failure.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    backoff_max: Option<Duration>,

    /// How long one attempt may take.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    deadline: Option<Duration>,
}

/// When it fires: one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct When {
    /// By the clock on the wall: minute, hour, day of the month, month, day of the week; six fields begin with the second.
    #[arg(long, value_name = "SPEC")]
    cron: Option<String>,

    /// Every so often, such as 90s, 15m, 2h or 1d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    every: Option<Duration>,

    /// Once, at this moment, such as 2026-12-24T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Missed {
    /// The latest fires.
    FireOnce,
    /// None fires.
    Skip,
    /// All fire, up to a bound.
    FireAll,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Beside {
    /// It is skipped.
    Skip,
    /// One waits for its turn.
    QueueOne,
    /// It runs beside the other.
    Allow,
}

impl SpecFlags {
    /// The spec that they say.
    ///
    /// # Errors
    ///
    /// [`Fault::Other`] when the payload's file cannot be read.
    pub fn spec(self) -> Result<api::JobSpec, Fault> {
        let payload = match self.payload.strip_prefix('@') {
            Some(file) => read(&PathBuf::from(file))?,
            None => self.payload.into_bytes(),
        };
        let length = |length: Option<Duration>| length.map(protobuf);
        let schedule = match (self.when.cron, self.when.every, self.when.at) {
            (Some(expression), _, _) => {
                let time_zone = self.tz.unwrap_or_default();
                Some(Schedule::Cron(api::CronSchedule { expression, time_zone }))
            }
            (_, every @ Some(_), _) => {
                let anchor = self.anchor.map(stamp);
                Some(Schedule::Interval(api::IntervalSchedule { every: length(every), anchor }))
            }
            (_, _, at) => at.map(|at| Schedule::OneShot(api::OneShotSchedule { at: Some(stamp(at)) })),
        };
        let misfire = api::Misfire {
            policy: match self.misfire {
                None => api::MisfirePolicy::Unspecified,
                Some(Missed::FireOnce) => api::MisfirePolicy::FireOnce,
                Some(Missed::Skip) => api::MisfirePolicy::Skip,
                Some(Missed::FireAll) => api::MisfirePolicy::FireAll,
            }
            .into(),
            threshold: length(self.misfire_threshold),
            window: length(self.misfire_window),
            firings_max: self.misfire_max,
        };
        let overlap = match self.overlap {
            None => api::OverlapPolicy::Unspecified,
            Some(Beside::Skip) => api::OverlapPolicy::Skip,
            Some(Beside::QueueOne) => api::OverlapPolicy::QueueOne,
            Some(Beside::Allow) => api::OverlapPolicy::Allow,
        };
        let retry = api::RetryPolicy {
            attempts_max: self.attempts,
            backoff_base: length(self.backoff),
            backoff_max: length(self.backoff_max),
        };
        Ok(api::JobSpec {
            schedule,
            misfire: Some(misfire),
            overlap: overlap.into(),
            jitter: length(self.jitter),
            retry: Some(retry),
            deadline: length(self.deadline),
            target: self.to,
            handler: self.handler,
            payload,
        })
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, Fault> {
    let failed = |error| anyhow::Error::new(error).context(format!("{} cannot be read", file.display()));
    Ok(std::fs::read(file).map_err(failed)?)
}

fn stamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: time.timestamp(), nanos }
}
