//! `auric summon export`: all of a player's pulls, for a spreadsheet or a program.

use std::collections::HashMap;

use auric_api::summon::v1 as api;
use tokio_stream::StreamExt as _;

use super::SummonTarget;
use super::documents::PullDocument;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// What the export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line of names, then a line a pull.
    Csv,
    /// A JSON document a line.
    Json,
}

/// Writes all of a player's pulls of one pity group, oldest first, however many they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon export standard --player discord:1 > pulls.csv
  auric summon export standard --player discord:1 --format json --rarity legendary")]
pub struct Export {
    /// Of which pity group; `auric summon banners` names each banner's.
    pity_group: String,

    /// Whose.
    #[arg(long)]
    player: String,

    /// What it looks like.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,

    /// Only of this rarity.
    #[arg(long)]
    rarity: Option<String>,

    /// Only from this banner.
    #[arg(long)]
    banner: Option<String>,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl Export {
    pub async fn run(self, settings: &Settings) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let filter = api::PullFilter {
            rarity: self.rarity.unwrap_or_default(),
            banner_id: self.banner.unwrap_or_default(),
            ..api::PullFilter::default()
        };
        let (player_id, pity_group_id) = (self.player, self.pity_group);
        let request = client.request(api::ExportPullsRequest { player_id, pity_group_id, filter: Some(filter) })?;
        let answer = client.summon().export_pulls(request).await.map_err(|status| client.fault(&status))?;
        let mut pages = answer.into_inner();
        let lines = Output::new(self.format == Format::Json, true);
        if self.format == Format::Csv {
            lines.show_line(&(), |()| HEAD.to_owned())?;
        }
        let names = HashMap::new();
        while let Some(page) = pages.next().await {
            for pull in page.map_err(|status| client.fault(&status))?.pulls {
                let csv = csv(&pull);
                lines.show_line(&PullDocument::new(pull, &names), |_| csv)?;
            }
        }
        Ok(())
    }
}

const HEAD: &str = "number,create_time,banner_id,species_id,rarity,featured,esprit_id,operation_id,slot,nonce,epoch,catalog_hash,draws,exchanged,pity_before,pity_after\n";

fn csv(pull: &api::Pull) -> String {
    let featured = pull.featured.map(|featured| featured.to_string()).unwrap_or_default();
    let draws = pull.draws.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let fields = [
        pull.number.to_string(),
        output::time(pull.create_time.as_ref()),
        pull.banner_id.clone(),
        pull.species_id.clone(),
        pull.rarity.clone(),
        featured,
        pull.esprit_id.clone(),
        pull.operation_id.clone(),
        pull.slot.to_string(),
        pull.nonce.to_string(),
        pull.epoch.to_string(),
        pull.catalog_hash.clone(),
        draws,
        pull.exchanged.to_string(),
        quoted(&pull.pity_before),
        quoted(&pull.pity_after),
    ];
    format!("{}\n", fields.join(","))
}

/// A field with commas and quotes in it, after RFC 4180.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_as_many_fields_as_its_head_has_names() {
        let pull = api::Pull { pity_after: r#"{"pulls":1}"#.to_owned(), draws: vec![1, 2], ..api::Pull::default() };
        let line = csv(&pull);
        assert_eq!(line.matches(',').count(), HEAD.matches(',').count());
        assert!(line.ends_with("1 2,false,\"\",\"{\"\"pulls\"\":1}\"\n"), "{line}");
    }
}
