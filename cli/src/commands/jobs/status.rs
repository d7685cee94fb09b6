//! `auric jobs status`: how the scheduler stands.

use auric_api::scheduler::v1::{GetSchedulerStatusRequest, SchedulerStatus};
use serde::Serialize;

use super::JobsTarget;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows how the scheduler stands: what is due, what runs, what waits for a person.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs status
  auric jobs status --json | jq .dead_letters")]
pub struct Status {
    #[command(flatten)]
    pub target: JobsTarget,
}

#[derive(Debug, Serialize)]
struct StatusDocument {
    copy: String,
    time: String,
    jobs: i64,
    jobs_paused: i64,
    firings_due: i64,
    due_since: String,
    firings_running: i64,
    firings_retrying: i64,
    dead_letters: i64,
    calls: i32,
    calls_max: i32,
    targets: Vec<TargetDocument>,
}

#[derive(Debug, Serialize)]
struct TargetDocument {
    target: String,
    calls: i32,
    calls_max: i32,
}

impl Status {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
        let request = client.request(GetSchedulerStatusRequest {})?;
        let answer = client.scheduler().get_scheduler_status(request).await.map_err(|status| client.fault(&status))?;
        let status = StatusDocument::from(answer.into_inner().status.unwrap_or_default());
        output.show(&status, |status| text(status, output))
    }
}

impl From<SchedulerStatus> for StatusDocument {
    fn from(status: SchedulerStatus) -> Self {
        let target = |target: auric_api::scheduler::v1::TargetStatus| TargetDocument {
            target: target.target,
            calls: target.calls,
            calls_max: target.calls_max,
        };
        Self {
            time: output::time(status.time.as_ref()),
            due_since: output::time(status.due_since.as_ref()),
            copy: status.copy,
            jobs: status.jobs,
            jobs_paused: status.jobs_paused,
            firings_due: status.firings_due,
            firings_running: status.firings_running,
            firings_retrying: status.firings_retrying,
            dead_letters: status.dead_letters,
            calls: status.calls,
            calls_max: status.calls_max,
            targets: status.targets.into_iter().map(target).collect(),
        }
    }
}

fn text(status: &StatusDocument, output: Output) -> String {
    let since = if status.due_since.is_empty() { String::new() } else { format!(", since {}", status.due_since) };
    let mut text = format!(
        "{} jobs, {} of them paused; due {}{since}; running {}; to be tried again {}; dead letters {}\n\n",
        grouped(status.jobs),
        grouped(status.jobs_paused),
        grouped(status.firings_due),
        grouped(status.firings_running),
        grouped(status.firings_retrying),
        grouped(status.dead_letters),
    );
    let mut table = output.table(&["target", ">calls", ">at most"]);
    for TargetDocument { target, calls, calls_max } in &status.targets {
        table.add_row([target, &calls.to_string(), &calls_max.to_string()]);
    }
    table.add_row([&format!("all, by copy {}", status.copy), &status.calls.to_string(), &status.calls_max.to_string()]);
    text.push_str(&output::render(&table));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_says_since_when() {
        let status = SchedulerStatus {
            copy: "0f1e2d3c".to_owned(),
            jobs: 1_081,
            firings_due: 2,
            due_since: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            calls: 1,
            calls_max: 10,
            targets: vec![auric_api::scheduler::v1::TargetStatus {
                target: "wallet".to_owned(),
                calls: 1,
                calls_max: 10,
            }],
            ..SchedulerStatus::default()
        };
        insta::assert_snapshot!(text(&status.into(), Output::new(false, true)), @r"
        1,081 jobs, 0 of them paused; due 2, since 2023-11-14T22:13:20.000Z; running 0; to be tried again 0; dead letters 0

        target                 calls  at most
        wallet                     1       10
        all, by copy 0f1e2d3c      1       10
        ");
    }
}
