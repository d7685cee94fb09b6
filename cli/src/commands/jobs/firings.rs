//! `auric jobs firings`: when a job fired, and what became of it.

use auric_api::scheduler::v1::{FiringState, ListFiringsRequest};
use clap::ValueEnum;
use serde::Serialize;

use super::JobsTarget;
use super::documents::FiringDocument;
use super::tables;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Lists the firings of a job, the newest first: what waits, what runs, what is dead, and its history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs firings nightstorm_fernhollow
  auric jobs firings nightstorm_fernhollow --state skipped        with the reason of each")]
pub struct Firings {
    /// Of which job; a deleted one's history is there too.
    job: String,

    /// Only in this state.
    #[arg(long, value_enum)]
    state: Option<State>,

    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: JobsTarget,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Pending,
    Running,
    Retrying,
    Done,
    Skipped,
    Dead,
    Discarded,
}

#[derive(Debug, Serialize)]
struct Listed {
    firings: Vec<FiringDocument>,
    more: bool,
}

impl State {
    const fn asked(self) -> FiringState {
        match self {
            Self::Pending => FiringState::Pending,
            Self::Running => FiringState::Running,
            Self::Retrying => FiringState::Retrying,
            Self::Done => FiringState::Done,
            Self::Skipped => FiringState::Skipped,
            Self::Dead => FiringState::Dead,
            Self::Discarded => FiringState::Discarded,
        }
    }
}

impl Firings {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut ask = ListFiringsRequest {
            job_id: self.job,
            state: self.state.map_or(FiringState::Unspecified, State::asked).into(),
            page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
            page_token: String::new(),
        };
        let mut firings = Vec::new();
        let more = loop {
            let request = client.request(ask.clone())?;
            let answer = client.scheduler().list_firings(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            firings.extend(page.firings.into_iter().map(FiringDocument::from));
            ask.page_token = page.next_page_token;
            if firings.len() >= limit || ask.page_token.is_empty() {
                break firings.len() > limit || !ask.page_token.is_empty();
            }
        };
        firings.truncate(limit);
        output.show(&Listed { firings, more }, |listed| {
            if listed.firings.is_empty() {
                return "there are no such firings\n".to_owned();
            }
            let more = if listed.more { "there are more: raise --limit to see them\n" } else { "" };
            format!("{}{more}", tables::firings(&listed.firings, output))
        })
    }
}
