//! `auric odds BANNER`.

use std::fmt::Write as _;
use std::path::PathBuf;

use auric_api::summon::v1 as api;
use auric_summon::domain::Report;
use serde_json::{Value, json};

use super::curve;
use crate::client::{Client, Peer};
use crate::commands::{Asking, Others, Places};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::game;
use crate::output::{self, Output};

/// What odds need; where there is a subcommand, nothing of it is required.
#[derive(Debug, clap::Args)]
pub struct Tell {
    /// Of which banner.
    #[arg(required = true)]
    banner: Option<String>,

    /// Whose: asks the running service; without it the catalog's folder is read.
    #[arg(long)]
    player: Option<String>,

    /// How many pulls each summon has, in the long run [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: Option<u32>,

    /// How it is paid: a cost option of the banner [default: its first].
    #[arg(long)]
    cost: Option<String>,

    /// Draws the chance that a rarity has come, by pulls, into this SVG file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// The same into this PNG file.
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,

    #[command(flatten)]
    places: Places,

    #[command(flatten)]
    others: Others,

    #[command(flatten)]
    asking: Asking,
}

impl Tell {
    pub const fn wants_json(&self) -> bool {
        self.asking.json
    }

    pub fn flags(&self) -> Flags {
        [self.places.flags(), self.others.flags(), self.asking.flags()].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let odds = match &self.player {
            Some(player) => self.ask(settings, player).await?,
            None => self.compute(settings)?,
        };
        if let Some(file) = &self.svg {
            write(file, curve::svg(&odds)?.as_bytes())?;
        }
        if let Some(file) = &self.png {
            write(file, &curve::png(&odds)?)?;
        }
        output.show(&document(&odds), |_| text(&odds, output))
    }

    async fn ask(&self, settings: &Settings, player: &str) -> Result<api::Odds, Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let request = client.request(api::GetOddsRequest {
            banner_id: self.banner.clone().unwrap_or_default(),
            player_id: player.to_owned(),
            cost_id: self.cost.clone().unwrap_or_default(),
            count: i32::try_from(self.count.unwrap_or(1)).unwrap_or(i32::MAX),
            with_curves: true,
        })?;
        let answer = client.summon().get_odds(request).await.map_err(|status| client.fault(&status))?;
        Ok(answer.into_inner().odds.unwrap_or_default())
    }

    fn compute(&self, settings: &Settings) -> Result<api::Odds, Fault> {
        let folder = game::find(settings)?;
        let banners = super::catalog(&folder)?;
        let asked = (self.banner.as_deref().unwrap_or_default(), self.cost.as_deref(), self.count.unwrap_or(1));
        let manner = super::manner(&banners, &folder, asked)?;
        let report = Report::of(&manner.banner, &manner.cost, manner.count, None);
        Ok(auric_summon::told::report(&manner, None, banners.hash.to_string(), &report, true))
    }
}

fn write(file: &std::path::Path, bytes: &[u8]) -> Result<(), Fault> {
    let written = std::fs::write(file, bytes);
    Ok(written.map_err(|error| anyhow::Error::from(error).context(format!("{} cannot be written", file.display())))?)
}

fn document(odds: &api::Odds) -> Value {
    let fraction = |fraction: &Option<api::Fraction>| {
        fraction.as_ref().map(|fraction| json!([fraction.numerator, fraction.denominator]))
    };
    let next = odds.next.clone().unwrap_or_default();
    let long_run = odds.long_run.clone().unwrap_or_default();
    let until = |until: &Option<api::Until>| {
        until.as_ref().map(|until| {
            json!({
                "mean_pulls": until.mean_pulls, "p50_pulls": until.p50_pulls, "p90_pulls": until.p90_pulls,
                "p99_pulls": until.p99_pulls, "worst_pulls": until.worst_pulls, "curve_ppb": until.curve_ppb,
            })
        })
    };
    json!({
        "banner_id": odds.banner_id,
        "player_id": odds.player_id,
        "cost_id": odds.cost_id,
        "count": odds.count,
        "catalog_hash": odds.catalog_hash,
        "next": {
            "tiers": next.tiers.iter().map(|tier| json!({
                "rarity": tier.rarity, "chance": fraction(&tier.chance), "chance_ppb": tier.chance_ppb,
                "count": tier.count, "filled_ppb": tier.filled_ppb,
            })).collect::<Vec<_>>(),
            "items": next.items.iter().map(|item| json!({
                "species_id": item.species_id, "rarity": item.rarity, "featured": item.featured,
                "chance": fraction(&item.chance),
            })).collect::<Vec<_>>(),
        },
        "long_run": {
            "tiers": long_run.tiers.iter().map(|tier| json!({
                "rarity": tier.rarity, "rate": tier.rate, "mean_pulls": tier.mean_pulls,
            })).collect::<Vec<_>>(),
            "items": long_run.items.iter().map(|item| json!({
                "species_id": item.species_id, "rarity": item.rarity, "featured": item.featured, "rate": item.rate,
            })).collect::<Vec<_>>(),
            "error_max": long_run.error_max,
            "fault": long_run.fault,
        },
        "waits": odds.waits.iter().map(|wait| json!({
            "rarity": wait.rarity, "featured": wait.featured, "from_start": until(&wait.from_start),
            "from_now": until(&wait.from_now), "fault": wait.fault,
        })).collect::<Vec<_>>(),
    })
}

fn text(odds: &api::Odds, output: Output) -> String {
    let whose = if odds.player_id.is_empty() { "a player who never pulled" } else { &odds.player_id };
    let mut text = format!(
        "odds of {} for {whose}, paid by {}, {} at once in the long run; catalog {}\n\n",
        odds.banner_id,
        odds.cost_id,
        odds.count,
        odds.catalog_hash.get(..12).unwrap_or_default()
    );
    let long_run = odds.long_run.clone().unwrap_or_default();
    let mut table = output.table(&["rarity", ">next pull", ">in the long run", ">every … pulls"]);
    for tier in odds.next.iter().flat_map(|next| &next.tiers) {
        let share = long_run.tiers.iter().find(|share| share.rarity == tier.rarity);
        let rate = share.map(|share| percent(&share.rate)).unwrap_or_default();
        let mean = share.map(|share| short(&share.mean_pulls)).unwrap_or_default();
        table.add_row([tier.rarity.clone(), percent_of(tier.chance_ppb), rate, mean]);
    }
    text.push_str(&output::render(&table));
    if !long_run.fault.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "in the long run: {}", long_run.fault);
    }
    text.push_str("\npulls until it comes:\n");
    let mut table = output.table(&["", ">mean", ">half have it by", ">90 %", ">99 %", ">at worst"]);
    for wait in &odds.waits {
        let named = if wait.featured { format!("{} featured", wait.rarity) } else { wait.rarity.clone() };
        let until = wait.from_now.as_ref().or(wait.from_start.as_ref());
        let Some(until) = until else {
            table.add_row([named, wait.fault.clone()]);
            continue;
        };
        let number = |pulls: i64| output::grouped(pulls);
        let worst = until.worst_pulls.map_or_else(|| "no bound".to_owned(), number);
        let quantiles = [until.p50_pulls, until.p90_pulls, until.p99_pulls].map(number);
        let [p50, p90, p99] = quantiles;
        table.add_row([named, short(&until.mean_pulls), p50, p90, p99, worst]);
    }
    text.push_str(&output::render(&table));
    text.push_str("\nin the long run:\n");
    let mut table = output.table(&["species", "rarity", "", ">share"]);
    for item in &long_run.items {
        let featured = if item.featured == Some(true) { "featured" } else { "" };
        table.add_row([item.species_id.clone(), item.rarity.clone(), featured.to_owned(), percent(&item.rate)]);
    }
    text.push_str(&output::render(&table));
    text
}

/// A decimal number below or equal to one as percent, with all of its digits down to a millionth of a percent.
fn percent(rate: &str) -> String {
    let digits: String = rate.chars().filter(char::is_ascii_digit).collect();
    let (whole, rest) = digits.split_at_checked(3).unwrap_or((&digits, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    format!("{whole}.{} %", rest.get(..6).unwrap_or(rest))
}

fn percent_of(ppb: i64) -> String {
    format!("{}.{:07} %", ppb / 10_000_000, ppb % 10_000_000)
}

/// A decimal number with four digits behind the point.
fn short(number: &str) -> String {
    match number.split_once('.') {
        Some((whole, rest)) => format!("{whole}.{}", rest.get(..4).unwrap_or(rest)),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(percent("0.016052000000"), "1.605200 %");
        assert_eq!(percent("1.000000000000"), "100.000000 %");
        assert_eq!(percent("0.000000000001"), "0.000000 %");
        assert_eq!(percent_of(6_000_000), "0.6000000 %");
        assert_eq!(short("62.297338219033"), "62.2973");
    }
}
