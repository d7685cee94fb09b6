//! `auric collection list`: a player's esprits.

use auric_api::collection::v1::{EspritOrder, ListEspritsRequest};
use clap::ValueEnum;
use serde::Serialize;

use super::CollectionTarget;
use super::documents::{EspritDocument, esprits_text};
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, grouped};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows a player's esprits, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection list discord:1
  auric collection list discord:1 --species coral_seer --limit 1000
  auric collection list discord:1 --rarity legendary --element water --order power
  auric collection list discord:1 --duplicates --locked false --level-max 1
  auric collection list discord:1 --order power --limit 3 --ids       one id a line, for other commands
  auric collection list discord:1 --json | jq '.total_size'")]
pub struct List {
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

    /// Only of this level or higher [default: all].
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(1..))]
    level_min: Option<i32>,

    /// Only of this level or lower [default: all].
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(1..))]
    level_max: Option<i32>,

    /// Only those that are locked, or are not [default: all].
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    locked: Option<bool>,

    /// Only those that are in the team, or are not [default: all].
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    in_team: Option<bool>,

    /// Only those whose species the player has more than once.
    #[arg(long)]
    duplicates: bool,

    /// In which order; equal ones newest first.
    #[arg(long, value_enum, default_value_t = Order::Newest)]
    order: Order,

    /// How many esprits at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    /// Shows nothing but ids, one a line.
    #[arg(long, conflicts_with = "json")]
    ids: bool,

    #[command(flatten)]
    pub target: CollectionTarget,
}

/// What esprits are listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    Newest,
    Level,
    Power,
    Rarity,
    Name,
}

#[derive(Debug, Serialize)]
struct Listed {
    esprits: Vec<EspritDocument>,
    total_size: i64,
    more: bool,
}

impl List {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let only_ids = self.ids;
        let listed = self.read(&client).await?;
        output.show(&listed, |listed| {
            if only_ids {
                return listed.esprits.iter().flat_map(|esprit| [esprit.esprit_id.as_str(), "\n"]).collect();
            }
            text(listed, output)
        })
    }

    /// Reads pages until there are enough esprits, or no more.
    async fn read(self, client: &Client) -> Result<Listed, Fault> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut ask = ListEspritsRequest {
            player_id: self.player,
            species_id: self.species.unwrap_or_default(),
            rarity: self.rarity.unwrap_or_default(),
            element: self.element.unwrap_or_default(),
            class: self.class.unwrap_or_default(),
            level_min: self.level_min.unwrap_or_default(),
            level_max: self.level_max.unwrap_or_default(),
            locked: self.locked,
            in_team: self.in_team,
            duplicates: self.duplicates,
            order: EspritOrder::from(self.order).into(),
            page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
            page_token: String::new(),
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

impl From<Order> for EspritOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Newest => Self::Newest,
            Order::Level => Self::Level,
            Order::Power => Self::Power,
            Order::Rarity => Self::Rarity,
            Order::Name => Self::Name,
        }
    }
}

fn text(listed: &Listed, output: Output) -> String {
    let (shown, total) = (listed.esprits.len(), grouped(listed.total_size));
    let more = if listed.more { ": raise --limit to see more" } else { "" };
    format!("{}{shown} of {total} esprits{more}\n", esprits_text(&listed.esprits, output))
}
