//! `auric wallet events`.

use crate::client::Peer;
use crate::commands::Target;
use crate::commands::events::EventsOf;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Shows what happened in the wallet, each player's in order, and the cursor behind it.
///
/// With --json every line is a document, the last with the cursor. A consumer keeps the cursor together with what it did.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet events --limit 10
  auric wallet events --follow --now
  auric wallet events --from \"$CURSOR\" --json | jq -c .

Exit codes: 0 shown · 3 the cursor is not good any more · 4 nothing answered for as long as --timeout says")]
pub struct Events {
    #[command(flatten)]
    events: EventsOf,

    #[command(flatten)]
    pub target: Target,
}

impl Events {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        self.events.run(Peer::Wallet, settings, output).await
    }
}
