//! The wallet, called.

use std::collections::HashMap;

use async_trait::async_trait;
use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::record_payment_request::Fact;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Channel, ClientConfig, ConfigError, about};
use auric_status::Problem;
use tonic::{Code, Status};

use crate::domain::{DisputeState, Effect, Leg, Payment};
use crate::handlers::{Telling, Wallet, WalletFault};

/// Why the wallet's audit says that something was paid.
const REASON: &str = "payment";

/// The way to the wallet.
#[derive(Clone, Debug)]
pub struct WalletClient {
    client: WalletServiceClient<Channel>,
}

/// Connects to the wallet; nobody needs to listen there yet.
///
/// # Errors
///
/// [`ConfigError`]: what was configured can never work.
pub async fn connect(config: ClientConfig) -> Result<WalletClient, ConfigError> {
    Ok(WalletClient { client: auric_client::wallet(config).await? })
}

#[async_trait]
impl Wallet for WalletClient {
    async fn record(&self, telling: &Telling) -> Result<(), WalletFault> {
        let player = telling.payment.player.as_str();
        let recorded = self.client.clone().record_payment(about(player, request(telling))).await;
        recorded.map_err(|status| fault(&status))?;
        if matches!(telling.payment.effect, Effect::Purchase { retail_token: true, .. }) {
            // After the payment, and under a key of the payment's own: whatever is told again, it is one token.
            let issued = self.client.clone().issue_retail_token(about(player, token(telling))).await;
            issued.map_err(|status| fault(&status))?;
        }
        Ok(())
    }
}

/// The token of a payment. Whoever sold it finds it with `GetMutation` under this key.
fn token(telling: &Telling) -> api::IssueRetailTokenRequest {
    let Telling { name, payment, .. } = telling;
    api::IssueRetailTokenRequest {
        idempotency_key: format!("token:{}:{}", name.provider, payment.object),
        player_id: payment.player.to_string(),
        provider: name.provider.to_string(),
        object_id: payment.object.to_string(),
        reason: REASON.to_owned(),
        context: HashMap::new(),
    }
}

fn request(telling: &Telling) -> api::RecordPaymentRequest {
    let Telling { key, name, payment } = telling;
    let Payment { player, object, effect } = payment;
    api::RecordPaymentRequest {
        idempotency_key: key.to_string(),
        player_id: player.to_string(),
        provider: name.provider.to_string(),
        event_id: name.event.to_string(),
        object_id: object.to_string(),
        fact: Some(fact(effect)),
        reason: REASON.to_owned(),
        context: HashMap::new(),
    }
}

fn fact(effect: &Effect) -> Fact {
    match effect {
        Effect::Purchase { legs, .. } => Fact::Purchase(api::Purchase { legs: legs.iter().map(paid).collect() }),
        Effect::Renewal { legs, period_seconds } => {
            Fact::Renewal(api::Renewal { pools: legs.iter().map(renewed).collect(), period: *period_seconds })
        }
        Effect::Refund { share } => Fact::Refund(api::Refund { refunded: share.part(), price: share.whole() }),
        Effect::Dispute { share, state } => {
            let state = match state {
                DisputeState::Open => api::DisputeState::Opened,
                DisputeState::Won => api::DisputeState::Won,
                DisputeState::Lost => api::DisputeState::Lost,
            };
            Fact::Dispute(api::Dispute { state: state.into(), disputed: share.part(), price: share.whole() })
        }
    }
}

fn paid(leg: &Leg) -> api::PaidLeg {
    let (asset_id, pool_id, amount) = parts(leg);
    api::PaidLeg { asset_id, pool_id, amount }
}

fn renewed(leg: &Leg) -> api::RenewedPool {
    let (asset_id, pool_id, units) = parts(leg);
    api::RenewedPool { asset_id, pool_id, units }
}

fn parts(leg: &Leg) -> (String, String, i64) {
    let pool_id = leg.pool.as_ref().map(ToString::to_string).unwrap_or_default();
    // The catalog allows no more than fits.
    (leg.asset.to_string(), pool_id, i64::try_from(leg.units).unwrap_or(i64::MAX))
}

/// Says whether asking again may help. A wallet that does not let us in, or does not know the call yet, is being set up: what was paid waits for it.
fn fault(status: &Status) -> WalletFault {
    let problem = Problem::from_status(status);
    let said = format!(
        "{}: {}",
        if problem.reason.is_empty() { status.code().description() } else { &problem.reason },
        problem.message
    );
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => {
            WalletFault::Refused(said)
        }
        _ => WalletFault::Away(said),
    }
}
