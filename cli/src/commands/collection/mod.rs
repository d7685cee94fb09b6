//! `auric collection`: what players have collected, and what they do with it.

mod dissolve;
mod documents;
mod equipment;
mod events;
mod list;
mod lock;
pub mod operations;
mod profile;
mod show;
mod team;
mod upgrade;

use clap::Subcommand;

use super::Asking;
use super::wallet::flags::KeyFlag;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Shows what players have collected, and grows, fields, arms and dissolves it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection list discord:1 --order power                  the strongest first
  auric collection profile discord:1                             all of it in numbers
  auric collection upgrade discord:1 ESPRIT                      raises an esprit by a level, and pays for it
  auric collection dissolve discord:1 ESPRIT ESPRIT              shows what they give, and asks
  auric collection team optimize discord:1 --field               finds the strongest team, and puts it up
  auric collection operations                                    what is not done yet, oldest first

Exit codes: 0 done · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Collection {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Show(show::Show),
    Compare(show::Compare),
    Profile(profile::Profile),
    Upgrade(upgrade::Upgrade),
    Dissolve(dissolve::Dissolve),
    Team(team::Team),
    Equip(equipment::Equip),
    Unequip(equipment::Unequip),
    Equipment(equipment::Equipment),
    Grant(equipment::Grant),
    Lock(lock::Lock),
    Events(events::Events),
    Operations(operations::Operations),
    Retry(operations::Retry),
}

/// Which collection to talk to, and how.
#[derive(Debug, clap::Args)]
pub struct CollectionTarget {
    /// The collection's URL [default: `http://127.0.0.1:7403`; variable: `AURIC_COLLECTION`].
    #[arg(long, value_name = "URL")]
    collection: Option<String>,

    #[command(flatten)]
    asking: Asking,
}

/// What every change of one thing asks for.
#[derive(Debug, clap::Args)]
pub struct Changing {
    #[command(flatten)]
    key: KeyFlag,

    /// The version that what is changed must have now [default: any].
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    expect: Option<i64>,

    #[command(flatten)]
    target: CollectionTarget,
}

impl Changing {
    /// The version that is expected, as a request has it.
    fn expected(&self) -> i64 {
        self.expect.unwrap_or_default()
    }
}

impl Collection {
    const fn target(&self) -> &CollectionTarget {
        match &self.action {
            Action::List(list) => &list.target,
            Action::Show(show) => &show.target,
            Action::Compare(compare) => &compare.target,
            Action::Profile(profile) => &profile.target,
            Action::Upgrade(upgrade) => &upgrade.changing.target,
            Action::Dissolve(dissolve) => &dissolve.target,
            Action::Team(team) => team.target(),
            Action::Equip(equip) => &equip.changing.target,
            Action::Unequip(unequip) => &unequip.changing.target,
            Action::Equipment(equipment) => &equipment.target,
            Action::Grant(grant) => &grant.target,
            Action::Lock(lock) => &lock.changing.target,
            Action::Events(events) => &events.target,
            Action::Operations(operations) => &operations.target,
            Action::Retry(retry) => &retry.target,
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
        match self.action {
            Action::List(list) => list.run(settings, output).await,
            Action::Show(show) => show.run(settings, output).await,
            Action::Compare(compare) => compare.run(settings, output).await,
            Action::Profile(profile) => profile.run(settings, output).await,
            Action::Upgrade(upgrade) => upgrade.run(settings, output).await,
            Action::Dissolve(dissolve) => dissolve.run(settings, output).await,
            Action::Team(team) => team.run(settings, output).await,
            Action::Equip(equip) => equip.run(settings, output).await,
            Action::Unequip(unequip) => unequip.run(settings, output).await,
            Action::Equipment(equipment) => equipment.run(settings, output).await,
            Action::Grant(grant) => grant.run(settings, output).await,
            Action::Lock(lock) => lock.run(settings, output).await,
            Action::Events(events) => events.run(settings, output).await,
            Action::Operations(operations) => operations.run(settings, output).await,
            Action::Retry(retry) => retry.run(settings, output).await,
        }
    }
}
