//! `auric wallet stats`: a player's level, stat points and capacities.

use std::collections::HashMap;
use std::fmt::Write as _;

use auric_api::wallet::v1::{
    Asset, AssetKind, Balance, GetBalancesRequest, GetCatalogRequest, Progression, SpendStatPointsRequest,
};
use clap::Subcommand;
use serde::Serialize;

use super::flags::{KeyFlag, NoteFlags};
use super::legs::amount;
use super::mutate::Sending;
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};

/// Shows a player's level, stat points and capacities; `stats spend` turns points into capacity.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  auric wallet stats discord:1
  auric wallet stats discord:1 --json | jq .level
  auric wallet stats spend discord:1 energy 2 --reason profile.spend"
)]
pub struct Stats {
    #[command(subcommand)]
    action: Option<Action>,

    /// Whose.
    #[arg(required = true)]
    player: Option<String>,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Action {
    Spend(Spend),
}

/// Turns stat points into a higher capacity of energy, stamina or hp.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet stats spend discord:1 energy 2 --reason profile.spend

Exit codes: 0 spent · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
struct Spend {
    /// Whose.
    player: String,

    /// On what: a stat of the catalog, such as energy.
    stat: String,

    /// How many.
    #[arg(value_parser = amount)]
    points: i64,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct StatsDocument {
    player_id: String,
    level: Option<i64>,
    xp: Option<i64>,
    xp_of_next_level: Option<i64>,
    stat_points: Option<i64>,
    stats: Vec<StatDocument>,
    capacities: Vec<CapacityDocument>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct StatDocument {
    stat_id: String,
    spent: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct CapacityDocument {
    asset_id: String,
    available: i64,
    capacity: i64,
    full_time: String,
}

impl Stats {
    pub fn target(&self) -> &Target {
        match &self.action {
            Some(Action::Spend(spend)) => &spend.target,
            None => &self.target,
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        if let Some(Action::Spend(spend)) = self.action {
            return spend.run(settings, output).await;
        }
        let player_id = self.player.unwrap_or_default();
        let client = Client::connect(&settings.client).await?;
        let request = client.request(GetCatalogRequest { catalog_hash: String::new() })?;
        let catalog = client.wallet().get_catalog(request).await.map_err(|status| client.fault(&status))?.into_inner();
        let wanted = catalog.assets.iter().filter(|asset| is_of_interest(asset, catalog.progression.as_ref()));
        let asset_ids: Vec<String> = wanted.map(|asset| asset.asset_id.clone()).collect();
        let balances = if asset_ids.is_empty() {
            Vec::new()
        } else {
            let request = client.request(GetBalancesRequest { player_ids: vec![player_id.clone()], asset_ids })?;
            let answer = client.wallet().get_balances(request).await.map_err(|status| client.fault(&status))?;
            answer.into_inner().balances
        };
        let document = StatsDocument::new(player_id, &catalog.assets, catalog.progression, balances);
        output.show(&document, |document| text(document, output))
    }
}

impl Spend {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(SpendStatPointsRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            stat_id: self.stat,
            points: self.points,
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().spend_stat_points(request).await;
        sending.show("spent", answered, |answer| answer.posted, output)
    }
}

fn is_of_interest(asset: &Asset, progression: Option<&Progression>) -> bool {
    let id = &asset.asset_id;
    let of_levels = progression.is_some_and(|progression| {
        let named = [&progression.xp_asset_id, &progression.levels_gained_asset_id, &progression.stat_points_asset_id];
        named.contains(&id) || progression.stats.values().any(|points| points == id)
    });
    asset.kind() == AssetKind::Recharging || of_levels
}

impl StatsDocument {
    fn new(player_id: String, assets: &[Asset], progression: Option<Progression>, balances: Vec<Balance>) -> Self {
        let by_asset: HashMap<String, Balance> =
            balances.into_iter().map(|balance| (balance.asset_id.clone(), balance)).collect();
        let available = |id: &String| by_asset.get(id).map_or(0, |balance| balance.available);
        let recharging = assets.iter().filter(|asset| asset.kind() == AssetKind::Recharging && !asset.retired);
        let capacities = recharging.filter_map(|asset| by_asset.get(&asset.asset_id)).map(|balance| CapacityDocument {
            asset_id: balance.asset_id.clone(),
            available: balance.available,
            capacity: balance.maximum.unwrap_or_default(),
            full_time: output::time(balance.full_time.as_ref()),
        });
        let capacities = capacities.collect();
        let Some(progression) = progression else {
            let (level, xp, xp_of_next_level, stat_points) = (None, None, None, None);
            return Self { player_id, level, xp, xp_of_next_level, stat_points, stats: Vec::new(), capacities };
        };
        let gained = available(&progression.levels_gained_asset_id);
        let next = usize::try_from(gained).ok().and_then(|gained| progression.thresholds.get(gained));
        let spent =
            |(stat_id, points): (&String, &String)| StatDocument { stat_id: stat_id.clone(), spent: available(points) };
        let mut stats: Vec<StatDocument> = progression.stats.iter().map(spent).collect();
        stats.sort();
        Self {
            player_id,
            level: Some(gained.saturating_add(1)),
            xp: Some(available(&progression.xp_asset_id)),
            xp_of_next_level: next.copied(),
            stat_points: Some(available(&progression.stat_points_asset_id)),
            stats,
            capacities,
        }
    }
}

fn text(document: &StatsDocument, output: Output) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let (Some(level), Some(xp), Some(points)) = (document.level, document.xp, document.stat_points) {
        let next = match document.xp_of_next_level {
            Some(next) => format!("level {} begins at {}", level.saturating_add(1), grouped(next)),
            None => "which is the highest".to_owned(),
        };
        let _ = writeln!(text, "{} is at level {level} with {} xp; {next}", document.player_id, grouped(xp));
        let spent: Vec<String> =
            document.stats.iter().map(|stat| format!("{} on {}", grouped(stat.spent), stat.stat_id)).collect();
        let _ = writeln!(text, "stat points: {} to spend; spent: {}", grouped(points), spent.join(", "));
    }
    let mut table = output.table(&["asset", ">available", ">capacity", "full at"]);
    for row in &document.capacities {
        table.add_row([row.asset_id.clone(), grouped(row.available), grouped(row.capacity), row.full_time.clone()]);
    }
    text + &output::render(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_is_shown_with_level_points_and_capacities() {
        let asset = |asset_id: &str, kind: AssetKind| Asset {
            asset_id: asset_id.to_owned(),
            kind: kind.into(),
            ..Asset::default()
        };
        let balance = |asset_id: &str, available, maximum| Balance {
            asset_id: asset_id.to_owned(),
            available,
            maximum,
            ..Balance::default()
        };
        let progression = Progression {
            xp_asset_id: "xp".to_owned(),
            levels_gained_asset_id: "levels".to_owned(),
            stat_points_asset_id: "points".to_owned(),
            stat_points_per_level: 5,
            thresholds: vec![100, 250],
            stats: [("energy".to_owned(), "spent/energy".to_owned()), ("hp".to_owned(), "spent/hp".to_owned())].into(),
        };
        let assets = [asset("energy", AssetKind::Recharging), asset("xp", AssetKind::Points)];
        let balances = vec![
            balance("energy", 70, Some(120)),
            balance("xp", 1_200, None),
            balance("levels", 1, None),
            balance("points", 3, None),
            balance("spent/energy", 2, None),
        ];
        let document = StatsDocument::new("discord:1".to_owned(), &assets, Some(progression), balances);
        insta::assert_snapshot!(text(&document, Output::new(false, true)), @r"
        discord:1 is at level 2 with 1,200 xp; level 3 begins at 250
        stat points: 3 to spend; spent: 2 on energy, 0 on hp
        asset   available  capacity  full at
        energy         70       120
        ");
    }

    #[test]
    fn a_game_without_levels_has_capacities_alone() {
        let document = StatsDocument::new("a".to_owned(), &[], None, Vec::new());
        assert_eq!(document.level, None);
        assert_eq!(text(&document, Output::new(false, true)).lines().count(), 1);
    }
}
