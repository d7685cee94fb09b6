//! `auric collection profile`: what a player has collected, in numbers.

use std::collections::BTreeMap;

use auric_api::collection::v1::{GetProfileRequest, GetProfileResponse};
use serde::Serialize;

use super::CollectionTarget;
use super::documents::{PowerDocument, power_text};
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows what a player has collected, in numbers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection profile discord:1
  auric collection profile discord:1 --json | jq '.team_power.total'")]
pub struct Profile {
    /// Whose.
    player: String,

    #[command(flatten)]
    pub target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct ProfileDocument {
    player_id: String,
    esprits: i64,
    esprits_max: i64,
    equipment: i64,
    species: i64,
    species_max: i64,
    rarities: BTreeMap<String, i64>,
    team_power: PowerDocument,
    best_power: i64,
    collection_version: i64,
}

impl Profile {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = client.request(GetProfileRequest { player_id: self.player })?;
        let answer = client.collection().get_profile(request).await.map_err(|status| client.fault(&status))?;
        let profile = ProfileDocument::from(answer.into_inner());
        output.show(&profile, |profile| text(profile, output))
    }
}

impl From<GetProfileResponse> for ProfileDocument {
    fn from(profile: GetProfileResponse) -> Self {
        Self {
            player_id: profile.player_id,
            esprits: profile.esprits,
            esprits_max: profile.esprits_max,
            equipment: profile.equipment,
            species: profile.species,
            species_max: profile.species_max,
            rarities: profile.rarities.into_iter().collect(),
            team_power: profile.team_power.map(PowerDocument::from).unwrap_or_default(),
            best_power: profile.best_power,
            collection_version: profile.collection_version,
        }
    }
}

fn text(profile: &ProfileDocument, output: Output) -> String {
    let mut table = output.table(&["", ""]);
    let of = |count: i64, most: i64| format!("{} of {}", grouped(count), grouped(most));
    table.add_row(["player", &profile.player_id]);
    table.add_row(["esprits", &of(profile.esprits, profile.esprits_max)]);
    for (rarity, count) in &profile.rarities {
        table.add_row([&format!("  {rarity}"), &grouped(*count)]);
    }
    table.add_row(["species", &of(profile.species, profile.species_max)]);
    table.add_row(["equipment", &grouped(profile.equipment)]);
    table.add_row(["strongest", &grouped(profile.best_power)]);
    table.add_row(["version", &grouped(profile.collection_version)]);
    let about = output::render(&table);
    format!("{}\nthe team's power\n{}", about.trim_start_matches('\n'), power_text(&profile.team_power, output))
}
