//! `auric collection equip`, `unequip`, `equipment` and `grant`: what esprits wear.

use auric_api::collection::v1 as api;
use serde::Serialize;

use super::documents::{ChangedDocument, PieceDocument};
use super::{Changing, CollectionTarget};
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::{KeyFlag, pair};
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Lets an esprit wear a piece of equipment; what it wore in that slot is put away.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection equip discord:1 0af7651916cd43dd8448eb211c80319c.0 fang-1")]
pub struct Equip {
    /// Whose.
    player: String,

    /// Who is to wear it.
    esprit: String,

    /// What is to be worn; `auric collection equipment` shows what there is.
    piece: String,

    #[command(flatten)]
    pub changing: Changing,
}

/// Puts a piece of equipment away.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection unequip discord:1 fang-1")]
pub struct Unequip {
    /// Whose.
    player: String,

    /// What is to be put away.
    piece: String,

    #[command(flatten)]
    pub changing: Changing,
}

/// Shows a player's equipment, and who wears it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection equipment discord:1
  auric collection equipment discord:1 --json | jq '.equipment[] | select(.esprit_id == \"\")'")]
pub struct Equipment {
    /// Whose.
    player: String,

    /// How many pieces at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: CollectionTarget,
}

/// Gives a player pieces of equipment.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection grant discord:1 fang-1=iron_fang mail-1=bark_mail")]
pub struct Grant {
    /// Whose.
    player: String,

    /// The piece's id, of your own choice, and its kind in the catalog.
    #[arg(required = true, value_name = "ID=KIND", value_parser = pair)]
    pieces: Vec<(String, String)>,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    equipment: Vec<PieceDocument>,
    more: bool,
}

impl Equip {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let expected_version = self.changing.expected();
        let sending = Sending::begin_at(Peer::Collection, settings, self.changing.key.key()).await?;
        let request = sending.client.request(api::EquipRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            esprit_id: self.esprit,
            equipment_id: self.piece,
            expected_version,
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().equip(request).await)?;
        let document = ChangedDocument::new(sending.key(), replayed, answer.changed);
        output.show(&document, |document| document.text("equipped", output))
    }
}

impl Unequip {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let expected_version = self.changing.expected();
        let sending = Sending::begin_at(Peer::Collection, settings, self.changing.key.key()).await?;
        let request = sending.client.request(api::UnequipRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            equipment_id: self.piece,
            expected_version,
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().unequip(request).await)?;
        let document = ChangedDocument::new(sending.key(), replayed, answer.changed);
        output.show(&document, |document| document.text("put away", output))
    }
}

impl Grant {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin_at(Peer::Collection, settings, self.key.key()).await?;
        let piece = |(equipment_id, kind_id)| api::GrantedEquipment { equipment_id, kind_id };
        let request = sending.client.request(api::GrantEquipmentRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            pieces: self.pieces.into_iter().map(piece).collect(),
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().grant_equipment(request).await)?;
        let document = ChangedDocument::new(sending.key(), replayed, answer.changed);
        output.show(&document, |document| document.text("granted", output))
    }
}

impl Equipment {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page_size = i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX);
        let mut equipment: Vec<PieceDocument> = Vec::new();
        let mut page_token = String::new();
        let more = loop {
            let request = api::ListEquipmentRequest { player_id: self.player.clone(), page_size, page_token };
            let answered = client.collection().list_equipment(client.request(request)?).await;
            let page = answered.map_err(|status| client.fault(&status))?.into_inner();
            equipment.extend(page.equipment.into_iter().map(PieceDocument::from));
            page_token = page.next_page_token;
            if equipment.len() >= limit || page_token.is_empty() {
                break equipment.len() > limit || !page_token.is_empty();
            }
        };
        equipment.truncate(limit);
        output.show(&Listed { equipment, more }, |listed| text(listed, output))
    }
}

fn text(listed: &Listed, output: Output) -> String {
    if listed.equipment.is_empty() {
        return "no equipment\n".to_owned();
    }
    let mut table = output.table(&["piece", "kind", "name", "slot", "worn by", ">version"]);
    for piece in &listed.equipment {
        let PieceDocument { equipment_id, kind_id, name, slot_id, esprit_id, .. } = piece;
        table.add_row([equipment_id, kind_id, name, slot_id, esprit_id, &piece.version.to_string()]);
    }
    let more = if listed.more { "there is more: raise --limit to see it\n" } else { "" };
    format!("{}{more}", output::render(&table))
}
