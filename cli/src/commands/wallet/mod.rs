//! `auric wallet`: what a person asks the wallet.

mod balance;
mod claim;
pub mod documents;
mod events;
pub mod flags;
mod history;
mod hold;
mod legs;
pub mod mutate;
mod mutation;
mod pay;
mod post;
mod renew;
mod reserve;
mod stats;
mod supply;
pub mod tables;
mod token;
mod transfer;
mod watch;

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
    Transfer(transfer::Transfer),
    Claim(claim::Claim),
    Reserve(reserve::Reserve),
    Commit(reserve::Commit),
    Release(reserve::Release),
    Hold(hold::HoldOf),
    Stats(stats::Stats),
    Renew(renew::Renew),
    Pay(pay::Pay),
    Token(token::Token),
    History(history::History),
    Watch(watch::Watch),
    Events(events::Events),
    Mutation(mutation::MutationOf),
    Void(mutation::Void),
    Supply(supply::SupplyOf),
    Flows(supply::Flows),
}

impl Wallet {
    fn target(&self) -> &Target {
        match &self.action {
            Action::Balance(balance) => &balance.target,
            Action::Post(post) => &post.target,
            Action::Transfer(transfer) => &transfer.target,
            Action::Claim(claim) => &claim.target,
            Action::Reserve(reserve) => &reserve.target,
            Action::Commit(commit) => &commit.target,
            Action::Release(release) => &release.target,
            Action::Hold(hold) => &hold.target,
            Action::Stats(stats) => stats.target(),
            Action::Renew(renew) => &renew.target,
            Action::Pay(pay) => pay.target(),
            Action::Token(token) => token.target(),
            Action::History(history) => &history.target,
            Action::Watch(watch) => &watch.target,
            Action::Events(events) => &events.target,
            Action::Mutation(mutation) => &mutation.target,
            Action::Void(void) => &void.target,
            Action::Supply(supply) => &supply.target,
            Action::Flows(flows) => &flows.target,
        }
    }

    pub fn wants_json(&self) -> bool {
        self.target().wants_json()
    }

    pub fn flags(&self) -> Flags {
        self.target().flags()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::Balance(balance) => balance.run(settings, output).await,
            Action::Post(post) => post.run(settings, output).await,
            Action::Transfer(transfer) => transfer.run(settings, output).await,
            Action::Claim(claim) => claim.run(settings, output).await,
            Action::Reserve(reserve) => reserve.run(settings, output).await,
            Action::Commit(commit) => commit.run(settings, output).await,
            Action::Release(release) => release.run(settings, output).await,
            Action::Hold(hold) => hold.run(settings, output).await,
            Action::Stats(stats) => stats.run(settings, output).await,
            Action::Renew(renew) => renew.run(settings, output).await,
            Action::Pay(pay) => pay.run(settings, output).await,
            Action::Token(token) => token.run(settings, output).await,
            Action::History(history) => history.run(settings, output).await,
            Action::Watch(watch) => watch.run(settings, output).await,
            Action::Events(events) => events.run(settings, output).await,
            Action::Mutation(mutation) => mutation.run(settings, output).await,
            Action::Void(void) => void.run(settings, output).await,
            Action::Supply(supply) => supply.run(settings, output).await,
            Action::Flows(flows) => flows.run(settings, output).await,
        }
    }
}
