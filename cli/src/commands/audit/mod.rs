//! `auric audit`: whether the record is whole, and what is added to it.

mod cross;
pub mod follow;
mod tail;
mod verify;

use clap::Subcommand;

use super::Target;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Verifies and follows the audit.
#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Verify(verify::Verify),
    Tail(tail::Tail),
}

impl Audit {
    fn target(&self) -> &Target {
        match &self.action {
            Action::Verify(verify) => &verify.target,
            Action::Tail(tail) => &tail.target,
        }
    }

    pub fn wants_json(&self) -> bool {
        self.target().wants_json()
    }

    pub fn flags(&self) -> Flags {
        match &self.action {
            Action::Verify(verify) => [verify.target.flags(), verify.others.flags()].concat(),
            Action::Tail(tail) => tail.target.flags(),
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::Verify(verify) => verify.run(settings, output).await,
            Action::Tail(tail) => tail.run(settings, output).await,
        }
    }
}
