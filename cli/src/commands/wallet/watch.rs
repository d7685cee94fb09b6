//! `auric wallet watch`.

use crate::commands::Target;
use crate::commands::audit::follow::Follow;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Shows a player's entries as they come, oldest first, until Ctrl-C.
///
/// A stream that breaks is taken up again after the last entry that was shown. With --json every line is a document.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet watch discord:1
  auric wallet watch discord:1 --after 120 --limit 10
  auric wallet watch discord:1 --json | jq --unbuffered .available_after

Exit codes: 0 --limit was reached · 4 nothing answered for as long as --timeout says")]
pub struct Watch {
    #[command(flatten)]
    follow: Follow,

    #[command(flatten)]
    pub target: Target,
}

impl Watch {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        self.follow.run(settings, output).await
    }
}
