//! `auric collection team`: who stands in the team, what it is worth, and which would be worth the most.

use auric_api::collection::v1 as api;
use clap::Subcommand;
use serde::Serialize;

use super::documents::{ChangedDocument, EspritDocument, PowerDocument, power_text};
use super::{Changing, CollectionTarget};
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows a player's team, changes it, and finds the strongest.
#[derive(Debug, clap::Args)]
pub struct Team {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    View(View),
    Set(Set),
    Clear(Clear),
    Optimize(Optimize),
}

/// Shows who is in the team, what it is worth, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection team view discord:1")]
struct View {
    /// Whose.
    player: String,

    #[command(flatten)]
    target: CollectionTarget,
}

/// Puts an esprit into a place of the team; it leaves the place where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection team set discord:1 2 0af7651916cd43dd8448eb211c80319c.0

`--expect` is the team's version.")]
struct Set {
    /// Whose.
    player: String,

    /// Which place, from 1.
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    slot: i32,

    /// Who is to be there.
    esprit: String,

    #[command(flatten)]
    changing: Changing,
}

/// Empties a place of the team.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection team clear discord:1 2

`--expect` is the team's version.")]
struct Clear {
    /// Whose.
    player: String,

    /// Which place, from 1.
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    slot: i32,

    #[command(flatten)]
    changing: Changing,
}

/// Finds the strongest team of all the player's esprits, and says why it is that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection team optimize discord:1
  auric collection team optimize discord:1 --field      and puts it up, place by place")]
struct Optimize {
    /// Whose.
    player: String,

    /// Puts the team up, one change a place: `KEY.1`, `KEY.2` and so on are their keys.
    #[arg(long)]
    field: bool,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct TeamDocument {
    player_id: String,
    slots: Vec<SlotDocument>,
    members: Vec<EspritDocument>,
    power: PowerDocument,
    version: i64,
}

#[derive(Debug, Serialize)]
struct SlotDocument {
    slot: i32,
    esprit_id: String,
}

#[derive(Debug, Serialize)]
struct BestDocument {
    player_id: String,
    members: Vec<EspritDocument>,
    power: PowerDocument,
    optimal: bool,
    gap: i64,
    fielded: bool,
}

impl Team {
    pub const fn target(&self) -> &CollectionTarget {
        match &self.action {
            Action::View(view) => &view.target,
            Action::Set(set) => &set.changing.target,
            Action::Clear(clear) => &clear.changing.target,
            Action::Optimize(optimize) => &optimize.target,
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::View(view) => view.run(settings, output).await,
            Action::Set(Set { player, slot, esprit, changing }) => {
                put(settings, changing, (player, slot, esprit), "set", output).await
            }
            Action::Clear(Clear { player, slot, changing }) => {
                put(settings, changing, (player, slot, String::new()), "cleared", output).await
            }
            Action::Optimize(optimize) => optimize.run(settings, output).await,
        }
    }
}

/// Puts somebody, or nobody, into a place.
async fn put(
    settings: &Settings,
    changing: Changing,
    (player_id, slot, esprit_id): (String, i32, String),
    verb: &str,
    output: Output,
) -> Result<(), Fault> {
    let expected_version = changing.expected();
    let sending = Sending::begin_at(Peer::Collection, settings, changing.key.key()).await?;
    let idempotency_key = sending.key();
    let request = api::SetTeamSlotRequest { idempotency_key, player_id, slot, esprit_id, expected_version };
    let request = sending.client.request(request)?;
    let (answer, replayed) = sending.answer(sending.client.collection().set_team_slot(request).await)?;
    let document = ChangedDocument::new(sending.key(), replayed, answer.changed);
    output.show(&document, |document| document.text(verb, output))
}

impl View {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = client.request(api::GetTeamRequest { player_id: self.player })?;
        let answer = client.collection().get_team(request).await.map_err(|status| client.fault(&status))?;
        let team = TeamDocument::from(answer.into_inner().team.unwrap_or_default());
        output.show(&team, |team| view_text(team, output))
    }
}

impl Optimize {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = client.request(api::OptimizeTeamRequest { player_id: self.player.clone() })?;
        let answer = client.collection().optimize_team(request).await.map_err(|status| client.fault(&status))?;
        let best = answer.into_inner();
        let document = BestDocument {
            player_id: self.player.clone(),
            members: best.members.into_iter().map(EspritDocument::from).collect(),
            power: best.power.map(PowerDocument::from).unwrap_or_default(),
            optimal: best.optimal,
            gap: best.gap,
            fielded: self.field,
        };
        if self.field {
            let sending = Sending::begin_at(Peer::Collection, settings, self.key.key()).await?;
            for (slot, member) in (1..).zip(&document.members) {
                let request = sending.client.request(api::SetTeamSlotRequest {
                    idempotency_key: format!("{}.{slot}", sending.key()),
                    player_id: self.player.clone(),
                    slot,
                    esprit_id: member.esprit_id.clone(),
                    expected_version: 0,
                })?;
                sending.answer(sending.client.collection().set_team_slot(request).await)?;
            }
        }
        output.show(&document, |document| best_text(document, output))
    }
}

impl From<api::Team> for TeamDocument {
    fn from(team: api::Team) -> Self {
        let slot = |api::TeamSlot { slot, esprit_id }| SlotDocument { slot, esprit_id };
        Self {
            player_id: team.player_id,
            slots: team.slots.into_iter().map(slot).collect(),
            members: team.members.into_iter().map(EspritDocument::from).collect(),
            power: team.power.map(PowerDocument::from).unwrap_or_default(),
            version: team.version,
        }
    }
}

fn view_text(team: &TeamDocument, output: Output) -> String {
    let mut table = output.table(&[">place", "esprit", "element", "class", ">level", ">power", "wears", "id"]);
    for SlotDocument { slot, esprit_id } in &team.slots {
        let place = slot.to_string();
        match team.members.iter().find(|member| member.esprit_id == *esprit_id) {
            Some(member) => table.add_row(cells(&place, member)),
            None => table.add_row([place.as_str(), "nobody"]),
        };
    }
    let TeamDocument { player_id, version, .. } = team;
    let (members, power) = (output::render(&table), power_text(&team.power, output));
    format!("team of {player_id}, version {version}\n{members}\n{power}")
}

fn best_text(best: &BestDocument, output: Output) -> String {
    let mut table = output.table(&[">place", "esprit", "element", "class", ">level", ">power", "wears", "id"]);
    for (place, member) in (1_u32..).zip(&best.members) {
        table.add_row(cells(&place.to_string(), member));
    }
    let verdict = match (best.optimal, best.fielded) {
        (true, true) => "no team is stronger; it is the team now\n".to_owned(),
        (true, false) => "no team is stronger; --field puts it up\n".to_owned(),
        (false, _) => format!("another team may be stronger, by {} at most\n", grouped(best.gap)),
    };
    format!("{}\n{}{verdict}", output::render(&table), power_text(&best.power, output))
}

fn cells(place: &str, member: &EspritDocument) -> [String; 8] {
    let EspritDocument { name, element, class, esprit_id, .. } = member;
    let [level, power] = [i64::from(member.level), member.power].map(grouped);
    let [place, name, element, class] = [place, name, element, class].map(str::to_owned);
    [place, name, element, class, level, power, member.wears(), esprit_id.clone()]
}
