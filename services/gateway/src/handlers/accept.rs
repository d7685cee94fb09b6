//! From bytes of a stranger to a durable row. Nothing is parsed, looked up or written before the signature is right.

use auric_db::StoreError;
use auric_ids::ProviderId;
use thiserror::Error;

use super::{Handlers, figures};
use crate::domain::{Claimed, Forged};
use crate::payments::{NoEvent, Provider};
use crate::store::{Accepted, Arrival, EventName};

/// Why an event was not taken. The first two are all that a stranger learns.
#[derive(Debug, Error)]
pub enum Refusal {
    /// Nobody of that name may tell of payments.
    #[error("there is no such provider")]
    NoProvider,
    /// It is not signed by whom it says.
    #[error("the signature is not right")]
    Forged(Forged),
    /// It is signed, and no event.
    #[error("{}", .0.0)]
    NoEvent(NoEvent),
    /// It could not be kept: the provider sends it again.
    #[error("the event cannot be kept now")]
    Store(#[from] StoreError),
}

/// A request whose signature may be right: its body is worth reading.
#[derive(Debug)]
pub struct Claim<'a> {
    id: &'a ProviderId,
    provider: &'a Provider,
    claimed: Claimed,
}

impl Handlers {
    /// Gives the header that the provider `name` signs in.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoProvider`].
    pub fn signature_header(&self, name: &str) -> Result<&str, Refusal> {
        Ok(self.providers.get(name).ok_or(Refusal::NoProvider)?.scheme.header())
    }

    /// Looks at a signature before its body is read.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoProvider`], and [`Refusal::Forged`] for what cannot be right whatever the body is.
    pub fn claim(&self, name: &str, signature: Option<&[u8]>) -> Result<Claim<'_>, Refusal> {
        let (id, provider) = self.providers.get_key_value(name).ok_or(Refusal::NoProvider)?;
        let claimed = provider.scheme.claim(signature, self.clock.now()).map_err(Refusal::Forged);
        let claimed = claimed.inspect_err(|refusal| figures::count_webhook(id, refusal))?;
        Ok(Claim { id, provider, claimed })
    }

    /// Tests the signature, reads the event's name, and keeps the event; once this has answered it is durable.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was kept, except that after [`Refusal::Store`] it may have been.
    pub async fn accept(&self, claim: Claim<'_>, body: Vec<u8>, traceparent: String) -> Result<Accepted, Refusal> {
        let Claim { id, provider, claimed } = claim;
        let accepted = self.keep(id, provider, &claimed, body, traceparent).await;
        match &accepted {
            Ok(accepted) => {
                figures::count_accepted(id, *accepted);
                self.arrived.notify_one();
            }
            Err(refusal) => {
                figures::count_webhook(id, refusal);
                if let Refusal::Store(error) = refusal {
                    tracing::error!(provider = %id, %error, "an event of {id} could not be kept: {error}");
                }
            }
        }
        accepted
    }

    async fn keep(
        &self,
        id: &ProviderId,
        provider: &Provider,
        claimed: &Claimed,
        body: Vec<u8>,
        traceparent: String,
    ) -> Result<Accepted, Refusal> {
        provider.verify(claimed, &body).map_err(Refusal::Forged)?;
        let event = provider.format.event_id(&body).map_err(Refusal::NoEvent)?;
        let name = EventName { provider: id.clone(), event };
        Ok(self.inbox.accept(&Arrival { name, body, traceparent }).await?)
    }
}
