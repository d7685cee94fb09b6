//! `auric audit tail`.

use super::follow::Follow;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Follows a player's audit, from its beginning, until Ctrl-C.
///
/// A stream that breaks is taken up again after the last entry that was shown: nothing is skipped and nothing repeated. With --json every line
/// is a document.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric audit tail discord:1
  auric audit tail discord:1 --after 120
  auric audit tail discord:1 --json >> discord-1.jsonl

Exit codes: 0 --limit was reached · 4 nothing answered for as long as --timeout says")]
pub struct Tail {
    #[command(flatten)]
    follow: Follow,

    #[command(flatten)]
    pub target: Target,
}

impl Tail {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        self.follow.run(settings, output).await
    }
}
