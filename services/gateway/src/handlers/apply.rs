//! One leased event on its way to the wallet: understood, kept as what will be told, told, and ended.
//!
//! What the wallet is told is durable before the first attempt, so that a copy that takes over says exactly the same under the same key. A crash between
//! any two steps leaves the event where it was; the next lease goes on there.

use std::time::Duration;

use auric_client::Deadline;
use auric_db::StoreError;
use rand::RngExt as _;

use super::line::Line;
use super::{Handlers, Telling, WalletFault, figures, key_of};
use crate::domain::{Decision, Parked, Payment, decide};
use crate::store::{Lease, Leased, Step};

/// How long the wallet may take for one attempt: less than a lease, so that nobody else begins meanwhile.
const WALLET_WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest pause before the second attempt; it doubles with each.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// What one attempt came to.
enum Came {
    /// This is what becomes of the event.
    To(Step),
    /// The lease was lost: another copy has the event.
    Nothing,
}

impl Handlers {
    /// Works on one event until it is ended or put off; writes its line.
    pub(super) async fn apply(&self, leased: Leased) {
        let mut line = Line::of(&leased);
        let lease = leased.lease.clone();
        let ended = match self.attempt(&leased, &mut line).await {
            Ok(Came::To(step)) => self.end(&lease, &step, &mut line).await,
            Ok(Came::Nothing) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            // The lease runs out by itself, and somebody begins again where this ended.
            line.put_off(&error.to_string());
        }
    }

    async fn attempt(&self, leased: &Leased, line: &mut Line) -> Result<Came, StoreError> {
        let payment = match &leased.payment {
            Some(payment) => payment.clone(),
            None => match self.resolve(leased).await? {
                Decision::Pay(payment) => {
                    if !self.inbox.write(&leased.lease, &Step::Resolved(payment.clone())).await? {
                        return Ok(Came::Nothing);
                    }
                    if payment.effect.is_sale() {
                        // What waited for it may go on.
                        self.arrived.notify_one();
                    }
                    payment
                }
                Decision::Ignore(ignored) => return Ok(Came::To(Step::Ignored(ignored))),
                Decision::Park(park) => return Ok(Came::To(Step::Parked(park))),
            },
        };
        line.pays(&payment);
        Ok(Came::To(self.tell(leased, payment).await))
    }

    async fn resolve(&self, leased: &Leased) -> Result<Decision, StoreError> {
        let provider = &leased.lease.name.provider;
        let Some(known) = self.providers.get(provider) else {
            let detail = format!("{provider} is not configured any more");
            return Ok(Decision::Park(Parked::EventUnknown.because(detail)));
        };
        let meaning = known.format.meaning(&leased.body);
        let sale = match meaning.takes_back() {
            Some(object) => self.inbox.sale(provider, object).await?,
            None => None,
        };
        Ok(decide(provider, meaning, &self.products(), sale.as_ref()))
    }

    async fn tell(&self, leased: &Leased, payment: Payment) -> Step {
        let name = leased.lease.name.clone();
        let key = match key_of(&name.provider, name.event.as_str()) {
            Ok(key) => key,
            Err(fault) => return Step::Parked(Parked::EventMalformed.because(format!("its name {fault}"))),
        };
        let telling = Telling { key, name, payment };
        match Deadline::after(WALLET_WAIT_MAX).scope(self.wallet.record(&telling)).await {
            Ok(()) => Step::Applied,
            Err(WalletFault::Refused(detail)) => Step::Parked(Parked::WalletRefused.because(detail)),
            Err(WalletFault::Away(detail)) => Step::Later { after: self.pause(leased.attempts), detail },
        }
    }

    async fn end(&self, lease: &Lease, step: &Step, line: &mut Line) -> Result<(), StoreError> {
        if self.inbox.write(lease, step).await? {
            figures::count_ended(&lease.name.provider, step);
            line.ended(step);
        }
        Ok(())
    }

    /// Anything from nothing to a bound that doubles: copies that were refused together do not come back together.
    fn pause(&self, attempts: u32) -> Duration {
        let doubled = BACKOFF_MIN.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX));
        let bound = doubled.min(self.worker.backoff_max);
        bound.mul_f64(rand::rng().random_range(0.0..=1.0))
    }
}
