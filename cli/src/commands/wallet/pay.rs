//! `auric wallet pay`: what a payment provider told, told by hand.

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::record_payment_request::Fact;
use clap::{Subcommand, ValueEnum};

use super::flags::{KeyFlag, NoteFlags};
use super::mutate::Sending;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault as Failure;
use crate::output::Output;

/// Tells the wallet what is known of a payment: in any order, any number of times.
///
/// What is known of a payment only ever grows, and the balances follow what is known. Nothing is refused for what the player has: what was
/// spent before it is taken back is owed, and paid first by every later increase.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet pay purchase discord:1 order-7 generation_credit 50 bulk --reason shop.bulk_50
  auric wallet pay renewal discord:1 invoice-6 generation_credit subscription 20 --period 6 --reason shop.subscription
  auric wallet pay refund discord:1 order-7 499 999 --reason shop.refund
  auric wallet pay dispute discord:1 order-7 opened 999 999 --reason shop.dispute

Exit codes: 0 recorded · 2 malformed · 3 the payment or the event is another's · 4 the outcome is unknown: send the same again under the same key")]
pub struct Pay {
    #[command(subcommand)]
    told: Told,
}

#[derive(Debug, Subcommand)]
enum Told {
    Purchase(Purchase),
    Renewal(Renewal),
    Refund(Refund),
    Dispute(Dispute),
}

/// Which payment, and who told of it.
#[derive(Debug, clap::Args)]
struct Payment {
    /// Who paid.
    player: String,

    /// The provider's name for the payment.
    object: String,
}

/// How it is told.
#[derive(Debug, clap::Args)]
struct Telling {
    /// Whom the player paid.
    #[arg(long, default_value = "operator")]
    provider: String,

    /// The provider's name for what it told [default: the key].
    #[arg(long)]
    event: Option<String>,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    target: Target,
}

/// It was paid, and adds units.
#[derive(Debug, clap::Args)]
struct Purchase {
    #[command(flatten)]
    payment: Payment,

    /// Of what.
    asset: String,

    /// How many units the payment gives in all.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    units: i64,

    /// The pool, of an asset that has pools.
    #[arg(default_value = "")]
    pool: String,

    #[command(flatten)]
    telling: Telling,
}

/// It was paid for a period, and sets a pool.
#[derive(Debug, clap::Args)]
struct Renewal {
    #[command(flatten)]
    payment: Payment,

    /// Of what: a credit asset.
    asset: String,

    /// Which pool.
    pool: String,

    /// To how many units.
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    units: i64,

    /// Which period: more for a later one, such as its first second since 1970.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    period: i64,

    #[command(flatten)]
    telling: Telling,
}

/// Some of it was given back.
#[derive(Debug, clap::Args)]
struct Refund {
    #[command(flatten)]
    payment: Payment,

    /// How much was given back so far, in the smallest unit of money.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    refunded: i64,

    /// What was paid, in the same unit.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    price: i64,

    #[command(flatten)]
    telling: Telling,
}

/// It is disputed.
#[derive(Debug, clap::Args)]
struct Dispute {
    #[command(flatten)]
    payment: Payment,

    /// How the dispute stands.
    state: State,

    /// How much is disputed, in the smallest unit of money.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    disputed: i64,

    /// What was paid, in the same unit.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    price: i64,

    #[command(flatten)]
    telling: Telling,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Opened,
    Lost,
    Won,
}

impl Pay {
    pub const fn target(&self) -> &Target {
        match &self.told {
            Told::Purchase(purchase) => &purchase.telling.target,
            Told::Renewal(renewal) => &renewal.telling.target,
            Told::Refund(refund) => &refund.telling.target,
            Told::Dispute(dispute) => &dispute.telling.target,
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Failure> {
        let (payment, telling, fact) = self.told.fact();
        let sending = Sending::begin(settings, telling.key.key()).await?;
        let request = sending.client.request(api::RecordPaymentRequest {
            idempotency_key: sending.key(),
            player_id: payment.player,
            provider: telling.provider,
            event_id: telling.event.unwrap_or_else(|| sending.key()),
            object_id: payment.object,
            fact: Some(fact),
            context: telling.note.context(),
            reason: telling.note.reason,
        })?;
        let answered = sending.client.wallet().record_payment(request).await;
        sending.show("recorded", answered, |answer| answer.posted, output)
    }
}

impl Told {
    fn fact(self) -> (Payment, Telling, Fact) {
        match self {
            Self::Purchase(Purchase { payment, asset, units, pool, telling }) => {
                let leg = api::PaidLeg { asset_id: asset, pool_id: pool, amount: units };
                (payment, telling, Fact::Purchase(api::Purchase { legs: vec![leg] }))
            }
            Self::Renewal(Renewal { payment, asset, pool, units, period, telling }) => {
                let pool = api::RenewedPool { asset_id: asset, pool_id: pool, units };
                (payment, telling, Fact::Renewal(api::Renewal { pools: vec![pool], period }))
            }
            Self::Refund(Refund { payment, refunded, price, telling }) => {
                (payment, telling, Fact::Refund(api::Refund { refunded, price }))
            }
            Self::Dispute(Dispute { payment, state, disputed, price, telling }) => {
                let state = match state {
                    State::Opened => api::DisputeState::Opened,
                    State::Lost => api::DisputeState::Lost,
                    State::Won => api::DisputeState::Won,
                };
                (payment, telling, Fact::Dispute(api::Dispute { state: state.into(), disputed, price }))
            }
        }
    }
}
