//! `auric collection lock`: an esprit that is not to be dissolved.

use auric_api::collection::v1::SetLockRequest;

use super::Changing;
use super::documents::ChangedDocument;
use crate::client::Peer;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Guards an esprit from being dissolved, or no longer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection lock discord:1 0af7651916cd43dd8448eb211c80319c.0
  auric collection lock discord:1 0af7651916cd43dd8448eb211c80319c.0 --off")]
pub struct Lock {
    /// Whose.
    player: String,

    /// Which.
    esprit: String,

    /// Lets it be dissolved again.
    #[arg(long)]
    off: bool,

    #[command(flatten)]
    pub changing: Changing,
}

impl Lock {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let expected_version = self.changing.expected();
        let sending = Sending::begin_at(Peer::Collection, settings, self.changing.key.key()).await?;
        let request = sending.client.request(SetLockRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            esprit_id: self.esprit,
            locked: !self.off,
            expected_version,
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().set_lock(request).await)?;
        let document = ChangedDocument::new(sending.key(), replayed, answer.changed);
        let verb = if self.off { "unlocked" } else { "locked" };
        output.show(&document, |document| document.text(verb, output))
    }
}
