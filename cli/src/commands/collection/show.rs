//! `auric collection show` and `auric collection compare`: esprits, one or side by side.

use auric_api::collection::v1::{CompareEspritsRequest, GetEspritRequest};
use serde::Serialize;

use super::CollectionTarget;
use super::documents::EspritDocument;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows one esprit, also one that was dissolved.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection show discord:1 0af7651916cd43dd8448eb211c80319c.0

Exit codes: 0 shown · 3 the player has no such esprit")]
pub struct Show {
    /// Whose.
    player: String,

    /// Which.
    esprit: String,

    #[command(flatten)]
    pub target: CollectionTarget,
}

/// Shows 2 to 10 esprits side by side, as they are at one moment.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection compare discord:1 0af7651916cd43dd8448eb211c80319c.0 0af7651916cd43dd8448eb211c80319c.1
  auric collection compare discord:1 $(auric collection list discord:1 --order power --limit 3 --ids)

Exit codes: 0 shown · 2 one is named twice, or too many are named · 3 the player has no such esprit")]
pub struct Compare {
    /// Whose.
    player: String,

    /// Which.
    #[arg(required = true)]
    esprits: Vec<String>,

    #[command(flatten)]
    pub target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct Compared {
    esprits: Vec<EspritDocument>,
}

impl Show {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let (player_id, esprit_id) = (self.player, self.esprit);
        let request = client.request(GetEspritRequest { player_id, esprit_id, uncached: false })?;
        let answer = client.collection().get_esprit(request).await.map_err(|status| client.fault(&status))?;
        let esprit = EspritDocument::from(answer.into_inner().esprit.unwrap_or_default());
        output.show(&esprit, |esprit| side_by_side(std::slice::from_ref(esprit), output))
    }
}

impl Compare {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = client.request(CompareEspritsRequest { player_id: self.player, esprit_ids: self.esprits })?;
        let answer = client.collection().compare_esprits(request).await.map_err(|status| client.fault(&status))?;
        let esprits = answer.into_inner().esprits.into_iter().map(EspritDocument::from).collect();
        output.show(&Compared { esprits }, |compared| side_by_side(&compared.esprits, output))
    }
}

/// A column for each, and a line for each thing that can be said of it.
fn side_by_side(esprits: &[EspritDocument], output: Output) -> String {
    let heads: Vec<&str> = std::iter::once("").chain(esprits.iter().map(|esprit| esprit.name.as_str())).collect();
    let mut table = output.table(&heads);
    let mut row = |name: &str, of: &dyn Fn(&EspritDocument) -> String| {
        let cells: Vec<String> = esprits.iter().map(of).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.add_row(std::iter::once(name.to_owned()).chain(cells));
        }
    };
    row("esprit", &|esprit| esprit.esprit_id.clone());
    row("player", &|esprit| esprit.player_id.clone());
    row("species", &|esprit| esprit.species_id.clone());
    row("rarity", &|esprit| esprit.rarity.clone());
    row("element", &|esprit| esprit.element.clone());
    row("class", &|esprit| esprit.class.clone());
    row("level", &|esprit| esprit.level.to_string());
    row("power", &|esprit| grouped(esprit.power));
    let stats = |esprit: &EspritDocument, of: &dyn Fn(&super::documents::StatsDocument) -> i64| {
        esprit.stats.as_ref().map(|stats| grouped(of(stats))).unwrap_or_default()
    };
    row("hp", &|esprit| stats(esprit, &|stats| stats.hp));
    row("attack", &|esprit| stats(esprit, &|stats| stats.attack));
    row("defense", &|esprit| stats(esprit, &|stats| stats.defense));
    row("speed", &|esprit| stats(esprit, &|stats| stats.speed));
    row("wears", &EspritDocument::wears);
    row("is", &EspritDocument::marks);
    row("version", &|esprit| esprit.version.to_string());
    row("brought by", &|esprit| esprit.operation_id.clone());
    row("since", &|esprit| esprit.create_time.clone());
    row("changed", &|esprit| esprit.update_time.clone());
    row("dissolved", &|esprit| esprit.dissolve_time.clone());
    output::render(&table)
}

#[cfg(test)]
mod tests {
    use auric_api::collection::v1 as api;

    use super::*;

    fn esprit(number: i64, locked: bool) -> EspritDocument {
        let piece = api::Equipment { name: "Iron Fang".to_owned(), ..api::Equipment::default() };
        EspritDocument::from(api::Esprit {
            esprit_id: format!("0af7.{number}"),
            player_id: "discord:1".to_owned(),
            species_id: "emberling".to_owned(),
            name: "Emberling".to_owned(),
            rarity: "common".to_owned(),
            element: "fire".to_owned(),
            class: "striker".to_owned(),
            level: 2,
            power: 1_000 + number,
            stats: Some(api::Stats { hp: 74, attack: 29, defense: 8, speed: 11 }),
            equipment: if locked { vec![piece] } else { Vec::new() },
            locked,
            version: 3,
            ..api::Esprit::default()
        })
    }

    #[test]
    fn esprits_stand_side_by_side() {
        let output = Output::new(false, true);
        insta::assert_snapshot!(side_by_side(&[esprit(1, true), esprit(2, false)], output), @r"
                 Emberling  Emberling
        esprit   0af7.1     0af7.2
        player   discord:1  discord:1
        species  emberling  emberling
        rarity   common     common
        element  fire       fire
        class    striker    striker
        level    2          2
        power    1,001      1,002
        hp       74         74
        attack   29         29
        defense  8          8
        speed    11         11
        wears    Iron Fang
        is       locked
        version  3          3
        ");
    }
}
