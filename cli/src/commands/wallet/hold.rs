//! `auric wallet hold`: one hold, or those that are open.

use std::time::Duration;

use auric_api::wallet::v1::{GetHoldRequest, Hold, ListHoldsRequest};
use auric_ids::HoldId;
use serde::Serialize;

use super::documents::{HoldDocument, documents};
use super::flags::duration;
use super::tables::{hold_text, holds_text};
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows one hold; without a name, the open ones in the order of their names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet hold auction-9
  auric wallet hold --player discord:1
  auric wallet hold --of summon --older-than 15m

Exit codes: 0 shown · 3 there is no such hold, which is no promise that it will not be made")]
pub struct HoldOf {
    /// Which [default: all that are open].
    hold: Option<HoldId>,

    /// Only open ones that touch this player.
    #[arg(long, conflicts_with = "hold")]
    player: Option<String>,

    /// Only open ones that this caller made.
    #[arg(long, value_name = "CALLER", conflicts_with = "hold")]
    of: Option<String>,

    /// Only open ones made so long ago or longer, such as 90s, 15m, 2h or 1d.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "hold")]
    older_than: Option<Duration>,

    /// How many open ones at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Serialize)]
struct Holds {
    holds: Vec<HoldDocument>,
    more: bool,
}

impl HoldOf {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        if let Some(hold) = &self.hold {
            let request = client.request(GetHoldRequest { hold_id: hold.to_string() })?;
            let answer = client.wallet().get_hold(request).await.map_err(|status| client.fault(&status))?;
            let document = HoldDocument::from(answer.into_inner().hold.unwrap_or_default());
            return output.show(&document, |document| hold_text(document, output));
        }
        let (holds, more) = self.read(&client).await?;
        let shown = Holds { holds: documents(holds), more };
        output.show(&shown, |shown| {
            let mut text = holds_text(&shown.holds, output);
            if shown.more {
                text.push_str("there are more open holds: raise --limit to see them\n");
            }
            text
        })
    }

    /// Reads pages until there are enough holds, or no more.
    async fn read(&self, client: &Client) -> Result<(Vec<Hold>, bool), Fault> {
        let age_min = self.older_than.map(prost_types::Duration::try_from).transpose().map_err(anyhow::Error::from)?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut holds: Vec<Hold> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = client.request(ListHoldsRequest {
                player_id: self.player.clone().unwrap_or_default(),
                caller: self.of.clone().unwrap_or_default(),
                age_min,
                // Every page has the same size: a token belongs to a request with the same fields.
                page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
                page_token,
            })?;
            let page = client.wallet().list_holds(request).await.map_err(|status| client.fault(&status))?.into_inner();
            holds.extend(page.holds);
            page_token = page.next_page_token;
            if holds.len() >= limit || page_token.is_empty() {
                let more = holds.len() > limit || !page_token.is_empty();
                holds.truncate(limit);
                return Ok((holds, more));
            }
        }
    }
}
