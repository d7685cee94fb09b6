//! `auric odds`: what a banner gives, before it opens and for one player; what a change of it changes; and proof of single pulls.

mod curve;
mod diff;
mod simulate;
mod tell;
mod verify;

use clap::Subcommand;

use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Tells the odds of a banner, from the catalog alone or for one player.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  auric odds standard                              from the catalog alone: no service needs to run, the banner need not be open
  auric odds standard --game ./next --svg odds.svg --png odds.png
  auric odds standard --player discord:1           from the player's present counters, as the running service tells
  auric odds diff ./game ./next                    exit code 5 when players would notice a difference
  auric odds simulate standard --pulls 1000000 --seed 8
  auric odds verify receipts.txt                   exit code 6 when a receipt proves nothing"
)]
pub struct Odds {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    tell: tell::Tell,
}

#[derive(Debug, Subcommand)]
enum Action {
    Diff(diff::Diff),
    Simulate(simulate::Simulate),
    Verify(verify::Verify),
}

impl Odds {
    pub const fn wants_json(&self) -> bool {
        match &self.action {
            Some(Action::Diff(diff)) => diff.json,
            Some(Action::Simulate(simulate)) => simulate.json,
            Some(Action::Verify(verify)) => verify.json,
            None => self.tell.wants_json(),
        }
    }

    pub fn flags(&self) -> Flags {
        match &self.action {
            Some(Action::Diff(_)) => Flags::new(),
            Some(Action::Simulate(simulate)) => simulate.flags(),
            Some(Action::Verify(verify)) => verify.flags(),
            None => self.tell.flags(),
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Some(Action::Diff(diff)) => diff.run(output),
            Some(Action::Simulate(simulate)) => simulate.run(settings, output),
            Some(Action::Verify(verify)) => verify.run(settings, output),
            None => self.tell.run(settings, output).await,
        }
    }
}

/// The banners of the catalog in `folder`.
fn catalog(folder: &std::path::Path) -> Result<auric_summon::domain::Banners, Fault> {
    let loaded = auric_summon::catalog::load(folder);
    loaded
        .map(|loaded| loaded.banners)
        .map_err(|fault| Fault::Catalog { folder: folder.to_owned(), reason: fault.to_string() })
}

/// How a banner of the catalog is drawn from.
fn manner(
    banners: &auric_summon::domain::Banners,
    folder: &std::path::Path,
    (banner, cost, count): (&str, Option<&str>, u32),
) -> Result<auric_summon::Manner, Fault> {
    let fault = |reason: String| Fault::Catalog { folder: folder.to_owned(), reason };
    let found = banner.parse().ok().and_then(|id| banners.get(&id));
    let found = found.ok_or_else(|| {
        let known: Vec<&str> = banners.iter().map(|banner| banner.id.as_str()).collect();
        fault(format!("there is no banner {banner}; there are {}", known.join(", ")))
    })?;
    let cost = cost.map(|cost| cost.parse().map_err(|error| fault(format!("--cost {error}")))).transpose()?;
    auric_summon::Manner::of(found, cost.as_ref(), count).map_err(|unstored| match unstored {
        auric_summon::domain::Unstored::Invalid(field) => fault(format!("{} {}", field.path, field.fault)),
        other => fault(format!("{other:?}")),
    })
}
