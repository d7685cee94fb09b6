//! `auric wallet`: what a person asks the wallet.

mod balance;
mod documents;
mod history;
mod legs;
mod mutation;
mod post;

use clap::Subcommand;

use super::Target;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Shows and moves what players have.
#[derive(Debug, clap::Args)]
pub struct Wallet {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Balance(balance::BalanceOf),
    Post(post::Post),
    History(history::History),
    Mutation(mutation::MutationOf),
}

impl Wallet {
    fn target(&self) -> &Target {
        match &self.action {
            Action::Balance(balance) => &balance.target,
            Action::Post(post) => &post.target,
            Action::History(history) => &history.target,
            Action::Mutation(mutation) => &mutation.target,
        }
    }

    pub fn wants_json(&self) -> bool {
        self.target().json
    }

    pub fn flags(&self) -> Flags {
        self.target().flags()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::Balance(balance) => balance.run(settings, output).await,
            Action::Post(post) => post.run(settings, output).await,
            Action::History(history) => history.run(settings, output).await,
            Action::Mutation(mutation) => mutation.run(settings, output).await,
        }
    }
}
