//! `auric collection`: what players have collected.

use auric_api::collection::v1::{Esprit, GetEspritRequest, ListEspritsRequest};
use clap::Subcommand;
use serde::Serialize;

use super::Asking;
use crate::client::{Client, Peer};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows what players have collected.
#[derive(Debug, clap::Args)]
pub struct Collection {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
}

/// Which collection to talk to, and how.
#[derive(Debug, clap::Args)]
struct CollectionTarget {
    /// The collection's URL [default: `http://127.0.0.1:7403`; variable: `AURIC_COLLECTION`].
    #[arg(long, value_name = "URL")]
    collection: Option<String>,

    #[command(flatten)]
    asking: Asking,
}

/// Shows a player's esprits, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection list discord:1
  auric collection list discord:1 --species coral_seer --limit 1000
  auric collection list discord:1 --rarity legendary --element water
  auric collection list discord:1 --json | jq '.total_size'")]
struct List {
    /// Whose.
    player: String,

    /// Only of this species [default: all].
    #[arg(long)]
    species: Option<String>,

    /// Only of this rarity [default: all].
    #[arg(long)]
    rarity: Option<String>,

    /// Only of this element [default: all].
    #[arg(long)]
    element: Option<String>,

    /// Only of this class [default: all].
    #[arg(long)]
    class: Option<String>,

    /// How many esprits at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    target: CollectionTarget,
}

/// Shows one esprit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection show discord:1 0af7651916cd43dd8448eb211c80319c.0

Exit codes: 0 shown · 3 the player has no such esprit")]
struct Show {
    /// Whose.
    player: String,

    /// Which.
    esprit: String,

    #[command(flatten)]
    target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    esprits: Vec<EspritDocument>,
    total_size: i64,
    more: bool,
}

#[derive(Debug, Serialize)]
struct EspritDocument {
    esprit_id: String,
    player_id: String,
    species_id: String,
    name: String,
    rarity: String,
    element: String,
    class: String,
    level: i32,
    power: i64,
    locked: bool,
    in_team: bool,
    version: i64,
    operation_id: String,
    create_time: String,
    update_time: String,
}

impl Collection {
    const fn target(&self) -> &CollectionTarget {
        match &self.action {
            Action::List(list) => &list.target,
            Action::Show(show) => &show.target,
        }
    }

    pub const fn wants_json(&self) -> bool {
        self.target().asking.json
    }

    pub fn flags(&self) -> Flags {
        let CollectionTarget { collection, asking } = self.target();
        [asking.flags(), vec![("client.collection", collection.clone())]].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        match self.action {
            Action::List(list) => {
                let listed = list.read(&client).await?;
                output.show(&listed, |listed| list_text(listed, output))
            }
            Action::Show(show) => {
                let request = GetEspritRequest { player_id: show.player, esprit_id: show.esprit };
                let request = client.request(request)?;
                let answer = client.collection().get_esprit(request).await.map_err(|status| client.fault(&status))?;
                let esprit = EspritDocument::from(answer.into_inner().esprit.unwrap_or_default());
                output.show(&esprit, |esprit| esprit_text(esprit, output))
            }
        }
    }
}

impl List {
    /// Reads pages until there are enough esprits, or no more.
    async fn read(self, client: &Client) -> Result<Listed, Fault> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut ask = ListEspritsRequest {
            player_id: self.player,
            species_id: self.species.unwrap_or_default(),
            rarity: self.rarity.unwrap_or_default(),
            element: self.element.unwrap_or_default(),
            class: self.class.unwrap_or_default(),
            page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
            ..ListEspritsRequest::default()
        };
        let mut esprits: Vec<EspritDocument> = Vec::new();
        loop {
            let request = client.request(ask.clone())?;
            let answer = client.collection().list_esprits(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            esprits.extend(page.esprits.into_iter().map(EspritDocument::from));
            ask.page_token = page.next_page_token;
            if esprits.len() >= limit || ask.page_token.is_empty() {
                let more = esprits.len() > limit || !ask.page_token.is_empty();
                esprits.truncate(limit);
                return Ok(Listed { esprits, total_size: page.total_size, more });
            }
        }
    }
}

impl From<Esprit> for EspritDocument {
    fn from(esprit: Esprit) -> Self {
        Self {
            create_time: output::time(esprit.create_time.as_ref()),
            update_time: output::time(esprit.update_time.as_ref()),
            esprit_id: esprit.esprit_id,
            player_id: esprit.player_id,
            species_id: esprit.species_id,
            name: esprit.name,
            rarity: esprit.rarity,
            element: esprit.element,
            class: esprit.class,
            level: esprit.level,
            power: esprit.power,
            locked: esprit.locked,
            in_team: esprit.in_team,
            version: esprit.version,
            operation_id: esprit.operation_id,
        }
    }
}

fn list_text(listed: &Listed, output: Output) -> String {
    let mut table = output.table(&["esprit", "rarity", "element", "class", ">level", ">power", "is", "since", "id"]);
    for esprit in &listed.esprits {
        let EspritDocument { name, rarity, element, class, create_time, esprit_id, .. } = esprit;
        let level = esprit.level.to_string();
        let (power, is) = (grouped(esprit.power), marks(esprit));
        table.add_row([name, rarity, element, class, &level, &power, &is, create_time, esprit_id]);
    }
    let (shown, total) = (listed.esprits.len(), grouped(listed.total_size));
    let more = if listed.more { ": raise --limit to see more" } else { "" };
    format!("{}{shown} of {total} esprits{more}\n", output::render(&table))
}

fn esprit_text(esprit: &EspritDocument, output: Output) -> String {
    let [level, version] = [esprit.level.to_string(), esprit.version.to_string()];
    let (power, is) = (grouped(esprit.power), marks(esprit));
    let mut table = output.table(&["", ""]);
    for (name, value) in [
        ("esprit", &esprit.esprit_id),
        ("player", &esprit.player_id),
        ("name", &esprit.name),
        ("species", &esprit.species_id),
        ("rarity", &esprit.rarity),
        ("element", &esprit.element),
        ("class", &esprit.class),
        ("level", &level),
        ("power", &power),
        ("is", &is),
        ("version", &version),
        ("brought by", &esprit.operation_id),
        ("since", &esprit.create_time),
        ("changed", &esprit.update_time),
    ] {
        table.add_row([name, value]);
    }
    output::render(&table).trim_start_matches('\n').to_owned()
}

/// What is special about it.
fn marks(esprit: &EspritDocument) -> String {
    let marks = [(esprit.in_team, "in the team"), (esprit.locked, "locked")];
    marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark)).collect::<Vec<_>>().join(", ")
}
