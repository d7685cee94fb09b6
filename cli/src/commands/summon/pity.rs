//! `auric summon pity`: how far a player has come.

use std::fmt::Write as _;

use auric_api::summon::v1::GetPityRequest;

use super::SummonTarget;
use super::bar::{bar, percent};
use super::documents::PityDocument;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows a player's pity at a banner: a bar for each rarity, and its chance in the next pull.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon pity standard --player discord:1
  auric summon pity premium --player discord:1 --json | jq '.tiers[] | {rarity, chance_ppb}'")]
pub struct PityOf {
    /// At which banner.
    banner: String,

    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl PityOf {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let pity = read(&client, self.player, self.banner).await?;
        output.show(&pity, |pity| pity_text(pity, output))
    }
}

/// Reads a player's pity at a banner.
pub async fn read(client: &Client, player_id: String, banner_id: String) -> Result<PityDocument, Fault> {
    let request = client.request(GetPityRequest { player_id, banner_id })?;
    let answer = client.summon().get_pity(request).await.map_err(|status| client.fault(&status))?;
    Ok(answer.into_inner().pity.unwrap_or_default().into())
}

/// Shows the bars. What a bar counts is its rarity's own business; it is full when the next pull is sure.
pub fn pity_text(pity: &PityDocument, output: Output) -> String {
    let PityDocument { player_id, banner_id, pulls, .. } = pity;
    let mut text = format!("pity of {player_id} at {banner_id} after {} pulls\n", grouped(*pulls));
    if !pity.tiers.is_empty() {
        let mut table = output.table(&["rarity", "pity", ">full", ">next pull", ">lost"]);
        for tier in &pity.tiers {
            let lost = if tier.losses == 0 { String::new() } else { tier.losses.to_string() };
            let row =
                [tier.rarity.clone(), bar(tier.filled_ppb), percent(tier.filled_ppb), percent(tier.chance_ppb), lost];
            table.add_row(row);
        }
        text.push_str(&output::render(&table));
    }
    // Writing to a String cannot fail.
    if pity.spark_points > 0 {
        let _ = writeln!(text, "spark points: {}", grouped(pity.spark_points));
    }
    if !pity.free_cost_ids.is_empty() {
        let _ = writeln!(text, "free now: --cost {}", pity.free_cost_ids.join(", --cost "));
    }
    if let Some(left) = pity.limit_left {
        let _ = writeln!(text, "pulls left in this period: {left}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::documents::TierDocument;
    use super::*;

    #[test]
    fn a_bar_stands_for_each_rarity() {
        let tier = |rarity: &str, filled_ppb, chance_ppb, losses| TierDocument {
            rarity: rarity.to_owned(),
            count: 7,
            filled_ppb,
            chance_ppb,
            losses,
        };
        let pity = PityDocument {
            player_id: "discord:1".to_owned(),
            banner_id: "premium".to_owned(),
            pity_group_id: "premium".to_owned(),
            pulls: 1_011,
            tiers: vec![tier("legendary", 125_000_000, 8_000_000, 1), tier("epic", 1_000_000_000, 992_000_000, 0)],
            spark_points: 11,
            catalog_hash: String::new(),
            free_cost_ids: vec!["daily".to_owned()],
            limit_left: Some(3),
        };
        insta::assert_snapshot!(pity_text(&pity, Output::new(false, true)), @r"
        pity of discord:1 at premium after 1,011 pulls
        rarity     pity                      full  next pull  lost
        legendary  ██░░░░░░░░░░░░░░░░░░   12.50 %     0.80 %     1
        epic       ████████████████████  100.00 %    99.20 %
        spark points: 11
        free now: --cost daily
        pulls left in this period: 3
        ");
    }
}
