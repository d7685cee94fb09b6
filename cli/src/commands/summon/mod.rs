//! `auric summon`: draws from banners, and what a player and an operator ask about that.

mod banners;
mod bar;
mod documents;
mod draw;
mod events;
mod export;
mod fairness;
pub mod operations;
mod pity;
mod pulls;
mod show;
mod spark;

use clap::Subcommand;

use super::{Asking, Others};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Summons from a banner: pays, draws and delivers, or none of the three.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  auric summon standard --player discord:1                       one pull, paid as the banner's first cost option says
  auric summon standard --player discord:1 --count 10 --key interaction-9
  auric summon standard --player discord:1 --cost daily          free, where the banner has such an option
  auric summon banners                                           what one can summon from
  auric summon pity standard --player discord:1                  how full the bars are
  auric summon spark premium nerissa --player discord:1          takes a species for spark points
  auric summon operations                                        what is not done yet, oldest first

Exit codes: 0 summoned · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key"
)]
pub struct Summon {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    draw: draw::Draw,
}

#[derive(Debug, Subcommand)]
enum Action {
    Banners(banners::Banners),
    Show(show::Show),
    Spark(spark::Spark),
    Path(spark::Path),
    Pity(pity::PityOf),
    Pulls(pulls::Pulls),
    Export(export::Export),
    Fairness(fairness::Fairness),
    Seed(fairness::Seed),
    Rotate(fairness::Rotate),
    Verify(fairness::VerifyPull),
    Events(events::Events),
    Operations(operations::Operations),
    Retry(operations::Retry),
}

/// Which services to talk to, and how.
#[derive(Debug, clap::Args)]
pub struct SummonTarget {
    #[command(flatten)]
    others: Others,

    #[command(flatten)]
    asking: Asking,
}

impl Summon {
    const fn target(&self) -> &SummonTarget {
        match &self.action {
            Some(Action::Banners(banners)) => &banners.target,
            Some(Action::Show(show)) => &show.target,
            Some(Action::Spark(spark)) => &spark.target,
            Some(Action::Path(path)) => &path.target,
            Some(Action::Pity(pity)) => &pity.target,
            Some(Action::Pulls(pulls)) => &pulls.target,
            Some(Action::Export(export)) => &export.target,
            Some(Action::Fairness(fairness)) => &fairness.target,
            Some(Action::Seed(seed)) => &seed.target,
            Some(Action::Rotate(rotate)) => &rotate.target,
            Some(Action::Verify(verify)) => &verify.target,
            Some(Action::Events(events)) => &events.target,
            Some(Action::Operations(operations)) => &operations.target,
            Some(Action::Retry(retry)) => &retry.target,
            None => &self.draw.target,
        }
    }

    pub const fn wants_json(&self) -> bool {
        self.target().asking.json
    }

    pub fn flags(&self) -> Flags {
        let SummonTarget { others, asking } = self.target();
        [others.flags(), asking.flags()].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Some(Action::Banners(banners)) => banners.run(settings, output).await,
            Some(Action::Show(show)) => show.run(settings, output).await,
            Some(Action::Spark(spark)) => spark.run(settings, output).await,
            Some(Action::Path(path)) => path.run(settings, output).await,
            Some(Action::Pity(pity)) => pity.run(settings, output).await,
            Some(Action::Pulls(pulls)) => pulls.run(settings, output).await,
            Some(Action::Export(export)) => export.run(settings).await,
            Some(Action::Fairness(fairness)) => fairness.run(settings, output).await,
            Some(Action::Seed(seed)) => seed.run(settings, output).await,
            Some(Action::Rotate(rotate)) => rotate.run(settings, output).await,
            Some(Action::Verify(verify)) => verify.run(settings, output).await,
            Some(Action::Events(events)) => events.run(settings, output).await,
            Some(Action::Operations(operations)) => operations.run(settings, output).await,
            Some(Action::Retry(retry)) => retry.run(settings, output).await,
            None => self.draw.run(settings, output).await,
        }
    }
}
