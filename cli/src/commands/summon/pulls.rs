//! `auric summon pulls`: what a player drew, newest first, page after page.

use auric_api::summon::v1::{ListPullsRequest, Pull};
use serde::Serialize;

use super::SummonTarget;
use super::documents::PullDocument;
use super::draw::{names, pulls_text};
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows a player's pulls of one pity group, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon pulls standard --player discord:1
  auric summon pulls standard --player discord:1 --limit 1000 --json | jq '.pulls[] | {number, rarity, pity_after}'")]
pub struct Pulls {
    /// Of which pity group; `auric summon banners` names each banner's.
    pity_group: String,

    /// Whose.
    #[arg(long)]
    player: String,

    /// How many pulls at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: SummonTarget,
}

#[derive(Debug, Serialize)]
struct Log {
    pulls: Vec<PullDocument>,
    more: bool,
}

impl Pulls {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let (pulls, more) = self.read(&client).await?;
        let names = names(settings, &self.player).await;
        let pulls = pulls.into_iter().map(|pull| PullDocument::new(pull, &names)).collect();
        output.show(&Log { pulls, more }, |log| {
            let mut text = pulls_text(&log.pulls, output);
            if log.more {
                text.push_str("there are older pulls: raise --limit to see them\n");
            }
            text
        })
    }

    /// Reads pages until there are enough pulls, or no more.
    async fn read(&self, client: &Client) -> Result<(Vec<Pull>, bool), Fault> {
        let mut pulls: Vec<Pull> = Vec::new();
        let mut page_token = String::new();
        // Every page has the same size: a token belongs to a request with the same fields.
        let page_size = i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        loop {
            let request = client.request(ListPullsRequest {
                player_id: self.player.clone(),
                pity_group_id: self.pity_group.clone(),
                page_size,
                page_token,
                ..ListPullsRequest::default()
            })?;
            let answer = client.summon().list_pulls(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            pulls.extend(page.pulls);
            page_token = page.next_page_token;
            if pulls.len() >= limit || page_token.is_empty() {
                let more = pulls.len() > limit || !page_token.is_empty();
                pulls.truncate(limit);
                return Ok((pulls, more));
            }
        }
    }
}
