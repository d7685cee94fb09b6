//! `auric wallet renew`: a credit pool is set, whatever was left of it.

use auric_api::wallet::v1::RenewCreditsRequest;

use super::flags::{KeyFlag, NoteFlags};
use super::mutate::Sending;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Sets a credit pool to a number of units, whatever was left of it.
///
/// What a hold set aside of the old units stays good for its commit, and lapses when it is released.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet renew discord:1 generation_credit subscription 20 --reason subscription.renewal
  auric wallet renew discord:1 generation_credit subscription 0 --reason subscription.end --key sub-9-end

Exit codes: 0 set · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Renew {
    /// Whose.
    player: String,

    /// Of what: a credit asset.
    asset: String,

    /// Which pool.
    pool: String,

    /// To how many units.
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    units: i64,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: Target,
}

impl Renew {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(RenewCreditsRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            asset_id: self.asset,
            pool_id: self.pool,
            units: self.units,
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().renew_credits(request).await;
        sending.show("renewed", answered, |answer| answer.posted, output)
    }
}
