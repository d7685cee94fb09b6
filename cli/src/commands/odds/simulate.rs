//! `auric odds simulate`: many pulls from a seed, from the catalog alone.

use auric_summon::domain::{Pity, Simulation, Tally};
use indicatif::ProgressBar;
use serde_json::json;

use crate::commands::Places;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::game;
use crate::output::{self, Output};

/// Pulls between two steps of the progress bar.
const STEP: u64 = 100_000;

/// Draws pulls of a player who never pulled, from a seed, and counts them. Nobody pays, and nobody gets anything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric odds simulate standard --pulls 1000000 --seed 8
  auric odds simulate standard --pulls 1000000 --seed 8 --count 10 --json | jq '.tiers'

The same seed draws the same under the same catalog.")]
pub struct Simulate {
    /// From which banner.
    banner: String,

    /// How many pulls.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pulls: u64,

    /// Where the random numbers begin.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// How many pulls each summon has.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,

    /// How it is paid: a cost option of the banner [default: its first].
    #[arg(long)]
    cost: Option<String>,

    #[command(flatten)]
    places: Places,

    /// Shows the answer as one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl Simulate {
    pub fn flags(&self) -> Flags {
        self.places.flags()
    }

    pub fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let folder = game::find(settings)?;
        let banners = super::catalog(&folder)?;
        let manner = super::manner(&banners, &folder, (&self.banner, self.cost.as_deref(), self.count))?;
        let mut tally = Tally::new(&manner.banner);
        let mut drawn = Simulation::new(&manner.banner, &manner.cost, self.count, &Pity::default(), self.seed);
        // Drawn on a terminal only, and on standard error.
        let progress = ProgressBar::new(self.pulls);
        while tally.pulls < self.pulls {
            for _ in 0..STEP.min(self.pulls.saturating_sub(tally.pulls)) {
                drawn.next().iter().for_each(|drawn| tally.note(drawn));
            }
            progress.set_position(tally.pulls);
        }
        progress.finish_and_clear();
        let tiers = tally.tiers.iter().map(|tier| {
            json!({
                "rarity": tier.tier, "hits": tier.hits, "featured_hits": tier.featured_hits,
                "longest_pulls": tier.longest,
            })
        });
        let items = tally
            .items
            .iter()
            .map(|item| json!({ "species_id": item.species, "rarity": item.tier, "hits": item.hits }));
        let document = json!({
            "banner_id": self.banner, "pulls": tally.pulls, "seed": self.seed, "catalog_hash": banners.hash.to_string(),
            "tiers": tiers.collect::<Vec<_>>(), "items": items.collect::<Vec<_>>(),
        });
        output.show(&document, |_| text(&tally, output))
    }
}

fn text(tally: &Tally, output: Output) -> String {
    let grouped = |number: u64| output::grouped(i64::try_from(number).unwrap_or(i64::MAX));
    let share = |hits: u64| {
        let millionths = u128::from(hits).saturating_mul(100_000_000).checked_div(u128::from(tally.pulls)).unwrap_or(0);
        format!("{}.{:06} %", millionths / 1_000_000, millionths % 1_000_000)
    };
    let mut table = output.table(&["rarity", ">hits", ">share", ">featured", ">longest wait"]);
    for tier in &tally.tiers {
        let numbers = [grouped(tier.hits), share(tier.hits), grouped(tier.featured_hits), grouped(tier.longest)];
        table.add_row([vec![tier.tier.to_string()], numbers.to_vec()].concat());
    }
    let mut text = output::render(&table);
    text.push('\n');
    let mut table = output.table(&["species", "rarity", ">hits", ">share"]);
    for item in &tally.items {
        table.add_row([item.species.to_string(), item.tier.to_string(), grouped(item.hits), share(item.hits)]);
    }
    text.push_str(&output::render(&table));
    text
}
