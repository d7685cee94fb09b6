//! `auric jobs list` and `show`: which jobs there are, and all of one.

use auric_api::scheduler::v1::{GetJobRequest, ListFiringsRequest, ListJobsRequest};
use serde::Serialize;

use super::JobsTarget;
use super::documents::{FiringDocument, JobDocument};
use super::tables;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Lists jobs in the order of their names: when each fires next, and what became of its last firing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs list
  auric jobs list --group nightstorm-group
  auric jobs list --paused
  auric jobs list --json | jq '.jobs[] | select(.last_firing.state == \"dead\") | .job_id'")]
pub struct List {
    /// Only of this group.
    #[arg(long)]
    group: Option<String>,

    /// Only those that are paused.
    #[arg(long, conflicts_with = "active")]
    paused: bool,

    /// Only those that are not.
    #[arg(long)]
    active: bool,

    /// How many jobs at most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: JobsTarget,
}

/// Shows one job with all that it says, and its latest firings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs show nightstorm_fernhollow
  auric jobs show nightstorm_fernhollow --firings 20

Exit codes: 0 shown · 3 there is no such job")]
pub struct Show {
    /// Which.
    job: String,

    /// How many of its latest firings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=500))]
    firings: u32,

    #[command(flatten)]
    pub target: JobsTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    jobs: Vec<JobDocument>,
    more: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    job: JobDocument,
    firings: Vec<FiringDocument>,
}

impl List {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut ask = ListJobsRequest {
            group: self.group.unwrap_or_default(),
            paused: (self.paused || self.active).then_some(self.paused),
            page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
            page_token: String::new(),
        };
        let mut jobs = Vec::new();
        let more = loop {
            let request = client.request(ask.clone())?;
            let answer = client.scheduler().list_jobs(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            jobs.extend(page.jobs.into_iter().map(JobDocument::from));
            ask.page_token = page.next_page_token;
            if jobs.len() >= limit || ask.page_token.is_empty() {
                break jobs.len() > limit || !ask.page_token.is_empty();
            }
        };
        jobs.truncate(limit);
        output.show(&Listed { jobs, more }, |listed| list_text(listed, output))
    }
}

impl Show {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
        let request = client.request(GetJobRequest { job_id: self.job.clone() })?;
        let answer = client.scheduler().get_job(request).await.map_err(|status| client.fault(&status))?;
        let job = answer.into_inner().job.unwrap_or_default().into();
        let mut firings = Vec::new();
        if self.firings > 0 {
            let page_size = i32::try_from(self.firings).unwrap_or(i32::MAX);
            let ask = ListFiringsRequest { job_id: self.job, page_size, ..ListFiringsRequest::default() };
            let request = client.request(ask)?;
            let answer = client.scheduler().list_firings(request).await.map_err(|status| client.fault(&status))?;
            firings = answer.into_inner().firings.into_iter().map(FiringDocument::from).collect();
        }
        output.show(&Shown { job, firings }, |shown| {
            let firings = if shown.firings.is_empty() {
                "it has not fired yet\n".to_owned()
            } else {
                tables::firings(&shown.firings, output)
            };
            format!("{}\n{firings}", tables::job(&shown.job, output))
        })
    }
}

fn list_text(listed: &Listed, output: Output) -> String {
    if listed.jobs.is_empty() {
        return "there are no such jobs\n".to_owned();
    }
    let more = if listed.more { "there are more: raise --limit to see them\n" } else { "" };
    let count = crate::output::grouped(i64::try_from(listed.jobs.len()).unwrap_or(i64::MAX));
    format!("{}{count} jobs\n{more}", tables::jobs(&listed.jobs, output))
}
