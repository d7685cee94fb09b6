//! `auric wallet reserve`, `commit` and `release`: units set aside, then taken or given back.

use std::time::Duration;

use auric_api::wallet::v1::{CommitRequest, ReleaseRequest, ReserveRequest};
use auric_ids::HoldId;

use super::flags::{KeyFlag, NoteFlags, duration};
use super::legs::HoldLegs;
use super::mutate::Sending;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Sets units aside under a name, until they are committed or released.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet reserve auction-9 --debit discord:1 lumees 40 --reason auction.bid
  auric wallet reserve trade-7 --transfer alice bob lumees 50 --reason trade --whole
  auric wallet reserve quest-3 --credit discord:1 summon_token 5 --reason quest.prize --ttl 15m

Exit codes: 0 set aside · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Reserve {
    /// The hold's name, unique for ever.
    hold: HoldId,

    #[command(flatten)]
    legs: HoldLegs,

    /// Lets it be committed as a whole only.
    #[arg(long)]
    whole: bool,

    /// How long it stands by itself, such as 90s, 15m, 2h or 1d; for holds of one player [default: for ever].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: Target,
}

/// Takes what a hold set aside, whole or in part; the rest is given back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet commit auction-9
  auric wallet commit auction-9 25
  auric wallet commit trade-7 50 0 --player alice

Exit codes: 0 taken · 2 malformed · 3 no such hold, or refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Commit {
    /// Which hold.
    hold: HoldId,

    /// How much of each leg, in order; 0 takes nothing of it [default: all of it].
    #[arg(value_name = "AMOUNT", value_parser = clap::value_parser!(i64).range(0..))]
    amounts: Vec<i64>,

    /// A player of the hold: a hint that makes it faster.
    #[arg(long)]
    player: Option<String>,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: Target,
}

/// Gives back what a hold set aside.
///
/// Of a hold that was never made it makes sure that it never will be.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet release auction-9
  auric wallet release auction-9 --player discord:1 --key auction-9-lost

Exit codes: 0 given back · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Release {
    /// Which hold.
    hold: HoldId,

    /// A player of the hold: a hint that makes it faster.
    #[arg(long)]
    player: Option<String>,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: Target,
}

impl Reserve {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let ttl = self.ttl.map(prost_types::Duration::try_from).transpose().map_err(anyhow::Error::from)?;
        let request = sending.client.request(ReserveRequest {
            idempotency_key: sending.key(),
            hold_id: self.hold.to_string(),
            legs: self.legs.into_legs(),
            whole: self.whole,
            ttl,
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().reserve(request).await;
        sending.show("reserved", answered, |answer| answer.posted, output)
    }
}

impl Commit {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(CommitRequest {
            idempotency_key: sending.key(),
            hold_id: self.hold.to_string(),
            amounts: self.amounts,
            player_id: self.player.unwrap_or_default(),
        })?;
        let answered = sending.client.wallet().commit(request).await;
        sending.show("committed", answered, |answer| answer.posted, output)
    }
}

impl Release {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(ReleaseRequest {
            idempotency_key: sending.key(),
            hold_id: self.hold.to_string(),
            player_id: self.player.unwrap_or_default(),
        })?;
        let answered = sending.client.wallet().release(request).await;
        sending.show("released", answered, |answer| answer.posted, output)
    }
}
