//! What each payment gave is what the answers to its events say; that those are in the audit is tested for every answer.

use std::collections::HashMap;

use auric_db::StoreError;
use auric_ids::{AssetId, PoolId};

use super::{FaultKind, SLICE, Verifier};
use crate::domain::{MovementKind, PaymentKey, Posted};
use crate::store::KeptPayment;

impl Verifier {
    /// Verifies the next slice of payments; tells the last one.
    pub(super) async fn payments(&mut self, after: Option<&PaymentKey>) -> Result<Option<PaymentKey>, StoreError> {
        let kept = self.handlers.store.payments(after, SLICE).await?;
        for payment in &kept {
            self.payment(payment);
        }
        let gone = !self.report().await;
        Ok(kept.last().filter(|_| !gone).map(|kept| kept.payment.key.clone()))
    }

    fn payment(&mut self, KeptPayment { payment, answers }: &KeptPayment) {
        let PaymentKey { provider, object } = &payment.key;
        let mut moved = moved(answers);
        for part in &payment.parts {
            let (asset, pool) = (&part.asset, &part.pool);
            let given = i128::from(part.given_units) + i128::from(part.lapsed_units);
            let found = moved.remove(&(asset.clone(), pool.clone())).unwrap_or_default();
            if found != given || part.given_units > part.units {
                let message = format!(
                    "the payment {object} of {provider} gave {given} of {} {asset} {pool}, its events moved {found}",
                    part.units
                );
                self.fault(Some(&payment.player), 0, FaultKind::PaymentMismatch, message);
            }
        }
        for ((asset, pool), found) in moved.into_iter().filter(|(_, found)| *found != 0) {
            let message =
                format!("the payment {object} of {provider} gives no {asset} {pool}, its events moved {found}");
            self.fault(Some(&payment.player), 0, FaultKind::PaymentMismatch, message);
        }
    }
}

/// What the events of a payment gave in all: what paid a debt was given too, and what is owed was taken.
fn moved(answers: &[Posted]) -> HashMap<(AssetId, PoolId), i128> {
    let mut sums: HashMap<(AssetId, PoolId), i128> = HashMap::new();
    for movement in answers.iter().flat_map(|answer| &answer.movements) {
        if matches!(movement.kind, MovementKind::Paid | MovementKind::Refunded) {
            let sum = sums.entry((movement.key.asset.clone(), movement.key.pool.clone())).or_default();
            *sum += i128::from(movement.change.available_units) - i128::from(movement.change.owed_units);
        }
    }
    sums
}
