//! `auric wallet claim`: a reward, once for a player, a type and a key.

use auric_api::wallet::v1::ClaimRequest;

use super::flags::{KeyFlag, NoteFlags};
use super::legs::Legs;
use super::mutate::Sending;
use super::post::AtMaximumFlag;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Pays a reward, once per player, type of claim and key of claim.
///
/// A second claim under another idempotency key is refused and says what the first one paid, and when. A claim that is refused does not use up its
/// guard.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet claim discord:1 daily 2026-08-07 --credit discord:1 azurites 50 --reason daily.reward
  auric wallet claim discord:1 pve_victory zone-17/9 --credit discord:1 lumees 100 --credit discord:1 xp 500 --reason combat.victory

Exit codes: 0 paid · 2 malformed · 3 claimed before, or refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Claim {
    /// Whose reward.
    player: String,

    /// What kind of reward, such as daily.
    #[arg(value_name = "TYPE")]
    claim_type: String,

    /// Which one of its kind, such as a date or an encounter's id.
    #[arg(value_name = "CLAIM")]
    claim_key: String,

    #[command(flatten)]
    legs: Legs,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    /// What a credit does when the balance would pass its maximum.
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    at_maximum: AtMaximumFlag,

    #[command(flatten)]
    pub target: Target,
}

impl Claim {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(ClaimRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            claim_type: self.claim_type,
            claim_key: self.claim_key,
            legs: self.legs.into_legs(self.at_maximum.into()),
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().claim(request).await;
        sending.show("claimed", answered, |answer| answer.posted, output)
    }
}
