//! `auric wallet transfer`.

use auric_api::wallet::v1::TransferRequest;

use super::flags::{KeyFlag, NoteFlags};
use super::legs::amount;
use super::mutate::Sending;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Moves units from one player to another: both ends, or neither.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet transfer alice bob lumees 50 --reason trade
  auric wallet transfer alice bob generation_credit 5 bulk --reason gift --key gift-12

Exit codes: 0 moved · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Transfer {
    /// Who gives.
    from: String,

    /// Who gets.
    to: String,

    /// What.
    asset: String,

    /// How many units, such as 100 or `1_000`.
    #[arg(value_parser = amount)]
    amount: i64,

    /// The pool that gets them, only for an asset that has pools; the giver's pools are emptied in order.
    pool: Option<String>,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: Target,
}

impl Transfer {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(TransferRequest {
            idempotency_key: sending.key(),
            from_player_id: self.from,
            to_player_id: self.to,
            asset_id: self.asset,
            pool_id: self.pool.unwrap_or_default(),
            amount: self.amount,
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().transfer(request).await;
        sending.show("transferred", answered, |answer| answer.posted, output)
    }
}
