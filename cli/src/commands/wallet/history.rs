//! `auric wallet history`: a player's audit, newest first, page after page.

use auric_api::wallet::v1::{Entry, ListEntriesRequest};
use serde::Serialize;

use super::documents::{EntryDocument, documents};
use super::tables::entries_text;
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows a player's audit, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet history discord:1
  auric wallet history discord:1 --asset lumees --limit 1000
  auric wallet history discord:1 --json | jq '.entries[].available_change'")]
pub struct History {
    /// Whose.
    player: String,

    /// Only of this asset [default: all].
    #[arg(long)]
    asset: Option<String>,

    /// How many entries at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Serialize)]
struct Entries {
    entries: Vec<EntryDocument>,
    more: bool,
}

impl History {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let (entries, more) = self.read(&client).await?;
        let shown = Entries { entries: documents(entries), more };
        output.show(&shown, |shown| {
            let mut text = entries_text(&shown.entries, output);
            if shown.more {
                text.push_str("there are older entries: raise --limit to see them\n");
            }
            text
        })
    }

    /// Reads pages until there are enough entries, or no more.
    async fn read(&self, client: &Client) -> Result<(Vec<Entry>, bool), Fault> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut page_token = String::new();
        // Every page has the same size: a token belongs to a request with the same fields.
        let page_size = i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        loop {
            let request = client.request(ListEntriesRequest {
                player_id: self.player.clone(),
                asset_id: self.asset.clone().unwrap_or_default(),
                page_size,
                page_token,
            })?;
            let answer = client.wallet().list_entries(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            entries.extend(page.entries);
            page_token = page.next_page_token;
            if entries.len() >= limit || page_token.is_empty() {
                let more = entries.len() > limit || !page_token.is_empty();
                entries.truncate(limit);
                return Ok((entries, more));
            }
        }
    }
}
