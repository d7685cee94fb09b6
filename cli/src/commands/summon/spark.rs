//! `auric summon spark | path`: what a player chooses instead of drawing, and what a path leads to.

use auric_api::summon::v1 as api;
use serde_json::json;

use super::SummonTarget;
use super::documents::SummonDocument;
use super::draw::{names, summon_text};
use super::pity;
use crate::client::Peer;
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, REPLAYED};

/// Takes a species that a banner offers for spark points, and delivers an esprit of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon spark premium nerissa --player discord:1
  auric summon pity premium --player discord:1            how many points there are
  auric summon banners --json | jq '.banners[].spark'     what they buy, and for how many

Exit codes: 0 taken · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Spark {
    /// At which banner.
    banner: String,

    /// Which of the species that it offers.
    species: String,

    /// Whose points, and whose esprit.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: SummonTarget,
}

/// Sets what a player's path at a banner leads to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon path premium aurelion --player discord:1
  auric summon path premium --player discord:1            leaves the path")]
pub struct Path {
    /// At which banner.
    banner: String,

    /// What it leads to [default: nothing].
    species: Option<String>,

    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl Spark {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Self { banner, species, player, key, .. } = self;
        let sending = Sending::begin_at(Peer::Summon, settings, key.key()).await?;
        let request = sending.client.request(api::ExchangeSparkRequest {
            idempotency_key: sending.key(),
            player_id: player.clone(),
            banner_id: banner.clone(),
            species_id: species,
        })?;
        let (answer, replayed) = sending.answer(sending.client.summon().exchange_spark(request).await)?;
        let names = names(settings, &player).await;
        let mut document = SummonDocument::new(sending.key(), replayed, answer.summon.unwrap_or_default(), &names);
        // The exchange is done whether or not this can be read.
        document.pity = pity::read(&sending.client, player, banner).await.ok();
        output.show(&document, |document| summon_text(document, output))
    }
}

impl Path {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Self { banner, species, player, key, .. } = self;
        let sending = Sending::begin_at(Peer::Summon, settings, key.key()).await?;
        let request = sending.client.request(api::ChoosePathRequest {
            idempotency_key: sending.key(),
            player_id: player.clone(),
            banner_id: banner.clone(),
            species_id: species.unwrap_or_default(),
        })?;
        let (answer, replayed) = sending.answer(sending.client.summon().choose_path(request).await)?;
        let api::ChoosePathResponse { species_id, points } = answer;
        let document = json!({
            "idempotency_key": sending.key(), "replayed": replayed, "player_id": player, "banner_id": banner,
            "species_id": species_id, "points": points,
        });
        output.show(&document, |_| {
            let note = if replayed { format!("{REPLAYED}\n") } else { String::new() };
            match species_id.as_str() {
                "" => format!("{note}{player} has no path at {banner}\n"),
                species => format!("{note}the path of {player} at {banner} leads to {species}, with {points} points\n"),
            }
        })
    }
}
